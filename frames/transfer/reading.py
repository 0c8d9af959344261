"""Reading much of a workspace for an export: in order, in parts that fit in memory."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import Any, TypeVar
from uuid import UUID

from django.db.models import Q

from frames.cold import reading
from frames.cold.container import Row
from frames.losses import Losses

T = TypeVar("T")
EVENTS_AT_ONCE = 2000
FRAMES_AT_ONCE = 500


def parts(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Lists of at most `size`, in order."""
    iterator = iter(items)
    while part := list(islice(iterator, size)):
        yield part


def groups(frames: Iterable[tuple[UUID, int]]) -> Iterator[list[UUID]]:
    """Ids of frames, (id, number of its events) given, in groups whose events fit in memory.

    One that has more by itself is alone.
    """
    group: list[UUID] = []
    total = 0
    for frame_id, number in frames:
        if group and (total + number > EVENTS_AT_ONCE or len(group) >= FRAMES_AT_ONCE):
            yield group
            group, total = [], 0
        group.append(frame_id)
        total += number
    if group:
        yield group


def events_of(
    events: Any,
    frame_ids: Sequence[UUID],
    order: Sequence[str],
    *,
    workspace_id: UUID,
    cold: Callable[[Row], Any],
    losses: Losses | None = None,
) -> Iterator[list[Any]]:
    """Lists of the events of a group of frames, ordered by frame, time, number and id.

    `events` is a queryset of rows or of tuples (`values_list`) that begin with the fields of
    `order`: frame_id, occurred_at, seq, id. By frame, since that is what there is an index for:
    other workspaces' events are not read past. Those in cold storage are among them: `cold` makes one
    of such a row, and `losses`, if given, notes what of them is lost, which else raises ColdLost. Each
    list is read in the scope in which it is asked for.
    """
    hot = _hot(events, frame_ids, order)
    first = next(hot, [])
    # Asked for after the table.
    stored = reading.of_frames(workspace_id, frame_ids, losses.note if losses else None)
    one = next(stored, None)
    lists = chain([first] if first else [], hot)
    if one is None:
        yield from lists
        return
    others = map(cold, chain([one], stored))
    merged = heapq.merge(chain.from_iterable(lists), others, key=lambda row: _place(row, order))
    yield from parts(_once(merged, order), EVENTS_AT_ONCE)


def _once(rows: Iterable[T], order: Sequence[str]) -> Iterator[T]:
    last: tuple[Any, ...] | None = None
    for row in rows:
        place = _place(row, order)
        if place != last:
            yield row
        last = place


def _place(row: Any, order: Sequence[str]) -> tuple[Any, ...]:
    return row[:4] if isinstance(row, tuple) else tuple(getattr(row, name) for name in order)


def _hot(events: Any, frame_ids: Sequence[UUID], order: Sequence[str]) -> Iterator[list[Any]]:
    query = events.filter(frame_id__in=frame_ids).order_by(*order)
    last: tuple[Any, ...] | None = None
    while True:
        rows = list((_after(query, last) if last else query)[:EVENTS_AT_ONCE])
        if rows:
            yield rows
        if len(rows) < EVENTS_AT_ONCE:
            return
        last = _place(rows[-1], order)


def _after(query: Any, place: tuple[Any, ...]) -> Any:
    frame, at, seq, pk = place
    rest = Q(occurred_at__gt=at) | Q(occurred_at=at, seq__gt=seq)
    rest |= Q(occurred_at=at, seq=seq, pk__gt=pk)
    return query.filter(Q(frame_id__gt=frame) | Q(frame_id=frame) & rest)
