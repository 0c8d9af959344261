"""Making an object and its row of the manifest: begun, filled, put down and read back, or thrown away."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable
from datetime import date
from tempfile import TemporaryFile
from types import TracebackType
from typing import Any, Self

from django.db import IntegrityError, transaction
from django.db.models import Max
from django.utils import timezone

from frames.cold import store
from frames.cold.container import Container, Row, Writer
from frames.models import ArchivedPeriod
from stackmemory.lib.tenancy import system_scope

State = ArchivedPeriod.State
# An object holds so many events at most, and about so much of their payloads.
PART, PART_CHARACTERS = 50_000, 256 << 20


def begin(
    workspace_id: uuid.UUID, project_id: uuid.UUID, month: date, *, alone: bool = True
) -> ArchivedPeriod | None:
    """A new part of a month; None where another one is at it, if it is to be `alone`."""
    try:
        with system_scope(), transaction.atomic():
            rows = ArchivedPeriod.unscoped.filter(
                workspace=workspace_id, project=project_id, month=month
            )
            if alone and rows.filter(state__in=(State.WRITING, State.WRITTEN)).exists():
                return None
            part = (rows.aggregate(n=Max("part"))["n"] or 0) + 1
            period = ArchivedPeriod(
                workspace_id=workspace_id, project_id=project_id, month=month, part=part
            )
            period.object = store.name_for(period)
            period.save(force_insert=True)
            return period
    except IntegrityError:  # two began at once
        return None


def throw_away(period: ArchivedPeriod) -> None:
    """The object first: as long as there is a row, somebody knows that there may be one."""
    store.delete(period.object)
    with system_scope():
        ArchivedPeriod.unscoped.filter(
            pk=period.pk, state__in=(State.WRITING, State.REPLACED)
        ).delete()


class Making:
    """Fills the object of a period that was begun; `frames` tells how many events of which."""

    def __init__(self, period: ArchivedPeriod) -> None:
        self.period, self.file = period, TemporaryFile()  # noqa: SIM115, closed on exit
        about = {"workspace": str(period.workspace_id), "project": str(period.project_id),
                 "month": f"{period.month:%Y-%m}", "part": period.part}  # fmt: skip
        self.writer = Writer(self.file, about)
        self.frames: dict[uuid.UUID, int] = {}
        self.octets = 0
        self.ids: list[uuid.UUID] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.writer.zip.close()  # which may have been left open
        self.file.close()

    def add(self, rows: Iterable[Row]) -> None:
        """In the order of frame, time, number and id."""
        found = list(rows)
        self.writer.add(found)
        for row in found:
            self.frames[row["frame_id"]] = self.frames.get(row["frame_id"], 0) + 1
            self.octets += len(row["payload"].encode("utf-8", "replace"))
        ids = [row["id"] for row in found]
        self.ids = [min([*ids, *self.ids]), max([*ids, *self.ids])] if ids else self.ids

    def beat(self) -> None:
        with system_scope():
            rows = ArchivedPeriod.unscoped.filter(pk=self.period.pk)
            rows.update(beat_at=timezone.now())

    def put(self) -> Container:
        """Close it, put it into the store, and read it from there. What it is stands in the period."""
        self.writer.close()
        told: dict[str, Any] = {"bytes": self.file.tell()}
        self.file.seek(0)
        told["sha256"] = hashlib.file_digest(self.file, "sha256").hexdigest()  # type: ignore[arg-type]
        self.file.seek(0)
        store.put(self.period.object, self.file)
        told |= {"events": sum(self.frames.values()), "frames": len(self.frames)}
        told |= {"payload_bytes": self.octets, "first_id": self.ids[0], "last_id": self.ids[1]}
        for name, value in told.items():
            setattr(self.period, name, value)
        return store.read(self.period)
