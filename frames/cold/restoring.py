"""Bringing a month back into the table: its rows first, counted, and then the manifest says so."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from django.db.models import Case, F, Value, When
from django.utils import timezone

from frames import partitions
from frames.cold import store
from frames.cold.container import Container, Row, columns
from frames.models import AgentSession, ArchivedPeriod, Event, Frame
from stackmemory.lib.bulk import insert_new, present
from stackmemory.lib.refusal import Conflict
from stackmemory.lib.tenancy import system_scope
from workspaces import audit

State = ArchivedPeriod.State
BATCH = 1_000


def restore(period: ArchivedPeriod) -> int:
    """Put the events of an object back into the table; how many are there again.

    Killed anywhere, it is simply run again; else moving out takes back what was inserted. The object
    stays for a day, for whoever reads it now. Raises ColdLost, and Conflict where the month is just
    being moved out.
    """
    if period.state not in ArchivedPeriod.HOLDING:
        return 0
    container = store.read(period)
    for rows in batches(store.rows(period, container)):
        with system_scope():
            if not _is_ours(period):
                break
            partitions.hold()
            partitions.ensure([period.month])
            _insert(period, rows)
    else:
        return _declare(period, container)
    with system_scope():
        later = ArchivedPeriod.unscoped.select_related("workspace", "project").filter(
            workspace=period.workspace_id, project=period.project_id, month=period.month,
            part__gt=period.part, state__in=ArchivedPeriod.HOLDING,
        )  # fmt: skip
        instead = list(later.order_by("part"))
    return sum(restore(each) for each in instead)


def _is_ours(period: ArchivedPeriod) -> bool:
    """Say that it is being brought back; False where another object has come in its place."""
    rows = ArchivedPeriod.unscoped.filter(
        pk=period.pk, object=period.object, state__in=ArchivedPeriod.HOLDING
    )
    return bool(rows.update(restored_at=timezone.now()))


def _declare(period: ArchivedPeriod, container: Container) -> int:
    ids = [uuid.UUID(bytes=each) for each in container.id_set()]
    counted = counts(container)
    with system_scope():
        rows = ArchivedPeriod.unscoped.select_for_update().filter(
            pk=period.pk, object=period.object, state__in=ArchivedPeriod.HOLDING
        )
        if not list(rows.values_list("pk")):
            return 0  # somebody else has, or it was erased
        there = set(Frame.unscoped.filter(pk__in=counted).values_list("pk", flat=True))
        expected = sum(number for frame, number in counted.items() if frame in there)
        if len(present(Event, ids)) != expected:
            raise Conflict(
                "being_moved", f"{period} is being moved out at this moment; try again later."
            )
        take_off(counted)
        rows.update(state=State.RESTORED, restored_at=timezone.now())
        audit.record(
            workspace=period.workspace, action="project.restored", target=period.project,
            after={"month": f"{period.month:%Y-%m}", "events": expected},
        )  # fmt: skip
    return expected


def counts(container: Container) -> dict[uuid.UUID, int]:
    """How many events of which frame are in an object."""
    return {
        frame: sum(stop - start for _, start, stop, *_ in runs)
        for frame, runs in container.frames.items()
    }


def take_off(counted: dict[uuid.UUID, int]) -> None:
    """So many events of these frames are in cold storage no more."""
    by_count: dict[int, list[uuid.UUID]] = {}
    for frame, number in sorted(counted.items()):
        by_count.setdefault(number, []).append(frame)
    for number, same in sorted(by_count.items()):
        left = Case(When(cold_count__gt=number, then=F("cold_count") - number), default=Value(0))
        Frame.unscoped.filter(pk__in=same).update(cold_count=left)


def batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    iterator = iter(rows)
    while part := list(islice(iterator, BATCH)):
        yield part


def _insert(period: ArchivedPeriod, rows: list[Row]) -> None:
    """Insert what is not there. A frame that was erased takes its events with it, a session does not."""
    frames = _there(Frame, {row["frame_id"] for row in rows})
    sessions = _there(AgentSession, {row["session_id"] for row in rows} - {None})
    fields = columns()
    values: list[tuple[Any, ...]] = [
        (
            *(
                row[f.attname]
                if f.attname != "session_id" or row["session_id"] in sessions
                else None
                for f in fields
            ),
            period.workspace_id,
        )
        for row in rows
        if row["frame_id"] in frames
    ]
    insert_new(Event, [*(field.name for field in fields), "workspace"], values)


def _there(model: Any, ids: set[Any]) -> set[uuid.UUID]:
    return set(model.unscoped.filter(pk__in=ids).values_list("pk", flat=True))
