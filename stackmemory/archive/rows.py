"""Rows as an archive holds them: one JSON object a line, the same bytes on either engine."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from functools import partial
from itertools import groupby
from typing import Any
from uuid import UUID

from django.db import models
from django.db.models import Q, TextField
from django.db.models.functions import Cast

from frames.losses import Losses
from frames.models import Anchor, Event, Frame, Task
from frames.models.event import PAYLOADS
from frames.transfer.reading import events_of, groups
from frames.transfer.sharing import Share
from stackmemory.archive.contents import Part, part_named
from stackmemory.archive.event_lines import EventLines
from stackmemory.lib import blobs, json_lines
from stackmemory.lib.jsontext import OrderedJSONField
from workspaces.models import User, Workspace

AT_ONCE = 500
# Rows of these can be megabytes each.
FEW = {"frames.frame": 50, "frames.keptrow": 100, "frames.transferitem": 100}
STORED = ("stored_digest", "stored_octets")
EVENT_ORDER = ("frame_id", "occurred_at", "seq", "id")
# Kinds of things a Revision or a mark is of, by the word it has for them.
KINDS: dict[str, type[models.Model]] = {
    "frame": Frame,
    "anchor": Anchor,
    "task": Task,
    "event": Event,
}
Row = dict[str, Any]


def line(row: Mapping[str, Any]) -> bytes:
    """A row in its one canonical spelling."""
    text = json.dumps(row, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return text.encode("utf-8", "surrogatepass") + b"\n"


class Reader:
    """Reads a workspace's rows, table by table. Each list it gives was read in one query.

    `hidden`, a condition on frames, leaves those out with all that belongs to them; `share` says
    where what hung below them goes. What the object store has lost goes into `losses`, or raises Lost.
    """

    def __init__(
        self,
        workspace: Workspace,
        hidden: Q | None = None,
        share: Share | None = None,
        losses: Losses | None = None,
    ):
        self.workspace, self.hidden, self.losses = workspace, hidden, losses
        self.share = share or Share()
        self._people: dict[UUID, str] = {}
        self._hidden_ids: dict[str, set[UUID]] = {}

    def person_ids(self, part: Part) -> set[UUID]:
        """Everybody whom rows of a table name."""
        found: set[UUID] = set()
        for name in part.people():
            ids = self.query(part).exclude(**{name: None}).order_by()
            found.update(ids.values_list(f"{name}_id", flat=True).distinct())
        return found

    def know(self, people: Mapping[UUID, str]) -> None:
        """Give the e-mail addresses that ids of people are written as."""
        self._people.update(people)

    def query(self, part: Part) -> Any:
        rows = part.model._base_manager.filter(workspace=self.workspace).filter(part.only)
        return rows if self.hidden is None else self._shown(part, rows, self.hidden)

    def chunks(self, part: Part, fields: Sequence[str] | None = None) -> Iterator[list[Row]]:
        """Lists of rows, in the order of their ids; events in that of frame, time, number, id."""
        fields = list(fields or part.fields)
        columns = {name: _read_as(part.model, name) for name in fields}
        query = self.query(part)
        if part.model is Event:
            for group in groups(self.frames()):
                yield from self._events(part, fields, group)
            return
        picked, last = query.order_by("pk").values_list("pk", *columns.values()), None
        size = FEW.get(part.name, AT_ONCE)
        while True:
            found = list((picked.filter(pk__gt=last) if last else picked)[:size])
            if found:
                yield [self._row(part, fields, values[1:]) for values in found]
            if len(found) < size:
                return
            last = found[-1][0]

    def blocks(
        self, part: Part, fields: Sequence[str] | None = None
    ) -> Iterator[tuple[int, bytes]]:
        """As chunks(), as (number of rows, their lines); of events the database's own, where it can."""
        fields = list(fields or part.fields)
        if part.model is not Event or not self._written_there(part, fields):
            for chunk in self.chunks(part, fields):
                yield len(chunk), b"".join(map(line, chunk))
            return
        lines = EventLines(self.workspace.pk, fields, lambda pk: self.line_of(part, fields, pk))
        for is_cold, some in groupby(self.frames(), self._is_cold()):
            for group in groups(some):
                if is_cold:
                    for chunk in self._events(part, fields, group):
                        yield len(chunk), b"".join(map(line, chunk))
                else:
                    yield from lines.of(group)

    def _written_there(self, part: Part, fields: Sequence[str]) -> bool:
        """Whether the database can spell these events, and nothing in them is left out."""
        if not json_lines.available() or not set(fields) >= EventLines.NEEDED:
            return False
        return self.hidden is None or not any(map(self._gone, set(part.references().values())))

    def _is_cold(self) -> Callable[[tuple[UUID, int]], bool]:
        frames = Frame.objects.in_workspace(self.workspace).filter(cold_count__gt=0)
        cold = set(frames.values_list("pk", flat=True))
        return lambda frame: frame[0] in cold

    def _events(
        self, part: Part, fields: Sequence[str], group: Sequence[UUID]
    ) -> Iterator[list[Row]]:
        columns = [_read_as(part.model, name) for name in fields]
        picked = self.query(part).values_list(*EVENT_ORDER, *STORED, *columns)
        concrete: Any = part.model._meta.get_field
        names = [*EVENT_ORDER, *STORED, *(concrete(name).attname for name in fields)]
        for found in events_of(
            picked, group, EVENT_ORDER, workspace_id=self.workspace.pk,
            cold=lambda row: tuple(row[name] for name in names), losses=self.losses,
        ):  # fmt: skip
            yield [self._event(part, fields, values[4:]) for values in found]

    def line_of(self, part: Part, fields: Sequence[str], pk: UUID) -> bytes:
        """That of one event, its payload whole wherever it lies."""
        columns = [_read_as(part.model, name) for name in fields]
        values = self.query(part).values_list(*STORED, *columns).get(pk=pk)
        return line(self._event(part, fields, values))

    def lines_of(
        self, part: Part, fields: Sequence[str], pks: Sequence[UUID]
    ) -> Iterator[tuple[UUID, bytes]]:
        """Those of some events, by their ids, in no order."""
        columns = [_read_as(part.model, name) for name in fields]
        for start in range(0, len(pks), AT_ONCE):
            some = self.query(part).filter(pk__in=pks[start : start + AT_ONCE])
            for pk, *values in some.values_list("pk", *STORED, *columns):
                yield pk, line(self._event(part, fields, values))

    def _event(self, part: Part, fields: Sequence[str], values: Sequence[Any]) -> Row:
        digest, octets, *values = values
        row = self._row(part, fields, values)
        if digest is not None and "payload" in row:
            read = partial(blobs.get, PAYLOADS, self.workspace.pk, digest, octets)
            row["payload"] = self.losses.of(read, row["payload"]) if self.losses else read()
        return row

    def frames(self) -> list[tuple[UUID, int]]:
        frames = Frame.objects.in_workspace(self.workspace)
        if self.hidden is not None:
            frames = frames.exclude(self.hidden)
        return list(frames.order_by("pk").values_list("pk", "event_count"))

    def _shown(self, part: Part, rows: Any, hidden: Q) -> Any:
        """Without what is somebody's own, or belongs to a frame that is."""
        frames = Frame.objects.in_workspace(self.workspace).filter(hidden).values("pk")
        if part.private is not None:
            rows = rows.exclude(part.private)
        names = {f.name for f in part.model._meta.concrete_fields}
        if "frame" in names and part.model is not Event:  # events are read by frame
            rows = rows.exclude(frame__in=frames)
        if {"object_id", "kind"} <= names:
            rows = rows.exclude(object_id__in=frames)
            for model in (Anchor, Task):
                theirs = model.objects.in_workspace(self.workspace).filter(frame__in=frames)
                rows = rows.exclude(object_id__in=theirs.values("pk"))
        return rows

    def _row(self, part: Part, fields: Sequence[str], values: Sequence[Any]) -> Row:
        row = {name: plain(value) for name, value in zip(fields, values, strict=True)}
        for name in part.people():
            if row.get(name) is not None:
                row[name] = self._people[UUID(row[name])]
        if part.model is Frame and (place := self.share.moved.get(UUID(row["id"]))):
            parent = str(place.parent_id) if place.parent_id else None
            moved = {"parent": parent, "root_id": str(place.root_id), "depth": place.depth}
            row |= {name: value for name, value in moved.items() if name in row}
        for name in part.references() if self.hidden is not None else ():
            if row.get(name) and UUID(row[name]) in self._gone(part.references()[name]):
                row[name] = None
        return row

    def _gone(self, target: str) -> set[UUID]:
        """Rows of a table that stay behind, save frames, whose place `share` knows."""
        if target not in self._hidden_ids:
            part = part_named(target)
            ids: set[UUID] = set()
            if part is not None and part.model not in (Frame, Event):
                everything = part.model._base_manager.filter(workspace=self.workspace)
                shown = self._shown(part, everything, self.hidden or Q())
                ids = set(
                    everything.exclude(pk__in=shown.values("pk")).values_list("pk", flat=True)
                )
            self._hidden_ids[target] = ids
        return self._hidden_ids[target]


def people(ids: set[UUID]) -> list[User]:
    return list(User.objects.filter(pk__in=ids).order_by("email"))


def _read_as(model: type[models.Model], name: str) -> Any:
    column = model._meta.get_field(name)
    if isinstance(column, OrderedJSONField):
        return Cast(name, TextField())  # as it is spelled, not as it is parsed
    return getattr(column, "attname", name)


def plain(value: Any) -> Any:
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    return value.isoformat() if isinstance(value, date) else value
