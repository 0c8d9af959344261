"""Reading much of a workspace for an export: in order, in parts that fit in memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, TypeVar
from uuid import UUID

from django.db.models import Q

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


def events_of(events: Any, frame_ids: Sequence[UUID], order: Sequence[str]) -> Iterator[list[Any]]:
    """Lists of the events of a group of frames, ordered by frame, time, number and id.

    `events` is a queryset of rows or of tuples (`values_list`) that begin with the fields of
    `order`: frame_id, occurred_at, seq, id. By frame, since that is what there is an index for:
    other workspaces' events are not read past.
    """
    query = events.filter(frame_id__in=frame_ids).order_by(*order)
    last: tuple[Any, ...] | None = None
    while True:
        rows = list((_after(query, last) if last else query)[:EVENTS_AT_ONCE])
        if rows:
            yield rows
        if len(rows) < EVENTS_AT_ONCE:
            return
        end = rows[-1]
        place = end[:4] if isinstance(end, tuple) else tuple(getattr(end, n) for n in order)
        last = place


def _after(query: Any, place: tuple[Any, ...]) -> Any:
    frame, at, seq, pk = place
    rest = Q(occurred_at__gt=at) | Q(occurred_at=at, seq__gt=seq)
    rest |= Q(occurred_at=at, seq=seq, pk__gt=pk)
    return query.filter(Q(frame_id__gt=frame) | Q(frame_id=frame) & rest)
