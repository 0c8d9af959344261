"""Reading events that are in cold storage: in the order of timelines, as many as are asked for.

An object is fetched and checked once and kept at hand; of its blocks only those are unpacked that the
place in the timeline needs.
"""

from __future__ import annotations

import heapq
import uuid
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from datetime import date, datetime
from itertools import islice
from typing import Any, TypeVar

from frames.cold import late, store
from frames.cold.container import Container, Row, Run, as_event, microseconds, moment
from frames.cold.errors import ColdLost
from frames.models import ArchivedPeriod, Event, Frame
from frames.partitions import month_of
from stackmemory.lib.keyset import Beside

T = TypeVar("T")
# By (occurred_at, seq, id), as any timeline.
Place = tuple[datetime, int, uuid.UUID]


def place_of(row: Row) -> Place:
    return row["occurred_at"], row["seq"], row["id"]


def periods_of(
    workspace_id: uuid.UUID, first: datetime, last: datetime, **of: Any
) -> list[ArchivedPeriod]:
    """The objects with events of the months between two times."""
    rows = ArchivedPeriod.unscoped.filter(
        **{"state__in": ArchivedPeriod.HOLDING} | of,
        workspace=workspace_id, month__gte=month_of(first), month__lte=month_of(last),
    )  # fmt: skip
    return list(rows.order_by("month", "part", "pk"))


def walk(
    workspace_id: uuid.UUID,
    frames: Collection[uuid.UUID],
    first: datetime,
    last: datetime,
    *,
    forwards: bool = True,
) -> Iterator[Event]:
    """The cold events of these frames between two times, both inclusive, in order or backwards.

    One query, and nothing is unpacked before it is needed. Raises ColdLost.
    """
    periods = periods_of(workspace_id, first, last)
    streams = [
        _run(period, store.load(period), frame, first, last, forwards)
        for period in periods
        for frame in store.load(period).frames.keys() & set(frames)
    ]
    merged = heapq.merge(*streams, key=place_of, reverse=not forwards)
    return (as_event(row, workspace_id) for row in once(merged))


def _run(
    period: ArchivedPeriod, container: Container, frame: uuid.UUID,
    first: datetime, last: datetime, forwards: bool,
) -> Iterator[Row]:  # fmt: skip
    """A frame's events in an object, between two times."""
    low, high = microseconds(first), microseconds(last)
    runs = [run for run in container.frames[frame] if run[3] <= high and run[4] >= low]
    for run in runs if forwards else reversed(runs):
        rows = _rows(period, container, run)
        for row in rows if forwards else reversed(rows):
            if first <= row["occurred_at"] <= last:
                yield row


def _rows(period: ArchivedPeriod, container: Container, run: Run) -> list[Row]:
    number, start, stop = run[:3]
    return store.block(period, container, number)[start:stop]


def once(rows: Iterable[Row]) -> Iterator[Row]:
    """Each event once, whichever objects have it."""
    last = None
    for row in rows:
        if row["id"] != last:
            yield row
        last = row["id"]


def beside(frame: Frame) -> Beside | None:
    """What a list of a frame's events has in cold storage, for lib/keyset.py; None for nothing."""
    first, last = frame.first_event_at, frame.last_event_at
    if not frame.cold_count or first is None or last is None:
        return None

    def rows(order: Sequence[str], values: Sequence[Any] | None, most: int) -> Iterable[Event]:
        forwards, place = not order[0].startswith("-"), tuple(values or ())
        low = place[0] if place and forwards else first
        high = place[0] if place and not forwards else last
        found = walk(frame.workspace_id, [frame.pk], low, high, forwards=forwards)
        beyond = (
            event
            for event in found
            if not place
            or (
                ((event.occurred_at, event.seq, event.pk) > place) == forwards
                and (event.occurred_at, event.seq, event.pk) != place
            )
        )
        return islice(beyond, most)

    return rows


def with_cold(frame: Frame, hot: Iterable[Event], *, most: int) -> Iterable[Event]:
    """The first events of a frame, of which `hot` are those that are in the table."""
    first, last = frame.first_event_at, frame.last_event_at
    if not frame.cold_count or first is None or last is None:
        return hot
    there = list(hot)
    cold = walk(frame.workspace_id, [frame.pk], first, last)
    return together(there, cold, key=lambda e: (e.occurred_at, e.seq, e.pk), most=most)


def find(workspace_id: uuid.UUID, ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, Event]:
    """Those of these events that are in cold storage. One query; raises ColdLost."""
    wanted = set(ids)
    if not wanted:
        return {}
    found: dict[uuid.UUID, Event] = {}
    for period in late.periods_between(workspace_id, min(wanted), max(wanted)):
        container = store.load(period)
        for each in wanted - found.keys():
            row = store.found(period, container, each)
            if row is not None:
                found[each] = as_event(row, workspace_id)
    return found


def span(frame: Frame) -> tuple[datetime, datetime] | None:
    """When a frame's first and last cold events were. Nothing is unpacked for it."""
    first, last = frame.first_event_at, frame.last_event_at
    if not frame.cold_count or first is None or last is None:
        return None
    periods = periods_of(frame.workspace_id, first, last, project=frame.project_id)
    runs = [run for period in periods for run in store.load(period).frames.get(frame.pk, ())]
    if not runs:
        return None
    return moment(min(run[3] for run in runs)), moment(max(run[4] for run in runs))


def count_before(
    workspace_id: uuid.UUID,
    frames: Collection[uuid.UUID],
    limit: datetime,
    on_lost: Callable[[ColdLost], None],
) -> int:
    """How many cold events of these frames lie before a time, save those that are lost."""
    return sum(row["occurred_at"] < limit for row in of_frames(workspace_id, frames, on_lost))


def octets(
    workspace_id: uuid.UUID, first: datetime, last: datetime
) -> Iterator[tuple[date, uuid.UUID, int]]:
    """(day, project, bytes of payload) of each cold event between two times. Raises ColdLost."""
    for period in periods_of(workspace_id, first, last, state=ArchivedPeriod.State.COLD):
        for row in store.rows(period, store.load(period)):
            if first <= row["occurred_at"] < last:
                size = row.get("stored_octets") or len(row["payload"].encode("utf-8", "replace"))
                yield row["occurred_at"].date(), period.project_id, size


def of_frames(
    workspace_id: uuid.UUID,
    frames: Collection[uuid.UUID],
    on_lost: Callable[[ColdLost], None] | None = None,
) -> Iterator[Row]:
    """All cold events of these frames, in the order of frame, time, number and id, as a stream.

    Two queries, and one where none of them has any. Raises ColdLost; or goes on without the object,
    and tells `on_lost`.
    """
    having = Frame.unscoped.filter(workspace=workspace_id, pk__in=frames, cold_count__gt=0)
    spans = list(having.values_list("pk", "project_id", "first_event_at", "last_event_at"))
    spans = [span for span in spans if span[2] and span[3]]
    if not spans:
        return iter(())
    projects = {project for _, project, _, _ in spans}
    first, last = min(span[2] for span in spans), max(span[3] for span in spans)
    runs: defaultdict[uuid.UUID, list[tuple[ArchivedPeriod, list[Run]]]] = defaultdict(list)
    for period in periods_of(workspace_id, first, last, project__in=projects):
        try:
            container = store.load(period)
        except ColdLost as lost:
            if on_lost is None:
                raise
            on_lost(lost)
            continue
        for frame, *_ in spans:
            if frame in container.frames:
                runs[frame].append((period, container.frames[frame]))
    return _in_frames(runs)


def _in_frames(
    runs: dict[uuid.UUID, list[tuple[ArchivedPeriod, list[Run]]]],
) -> Iterator[Row]:
    for frame in sorted(runs):
        streams = [_whole(period, theirs) for period, theirs in runs[frame]]
        yield from once(heapq.merge(*streams, key=place_of))


def _whole(period: ArchivedPeriod, runs: list[Run]) -> Iterator[Row]:
    for run in runs:
        yield from _rows(period, store.load(period), run)


def together(
    hot: Iterable[T],
    cold: Iterable[T],
    *,
    key: Callable[[T], Any],
    most: int | None = None,
    backwards: bool = False,
) -> list[T]:
    """Both in one order, each event once: for a moment one may be in the table and in an object.

    The table must have been asked before the manifest: what leaves it in between is then in both.
    """
    found: dict[Any, T] = {}
    for each in [*hot, *(islice(cold, most) if most is not None else cold)]:
        found.setdefault(key(each), each)
    ordered = sorted(found.values(), key=key, reverse=backwards)
    return ordered if most is None else ordered[:most]
