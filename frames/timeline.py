"""A timeline: pages of events in order of (occurred_at, seq, id), calls and results together."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from django.db.models import Q, QuerySet
from django.db.models.functions import Substr

from frames import payload
from frames.cold import reading
from frames.models import Event, Frame
from frames.pairing import pair
from stackmemory.lib.octets import Octets
from stackmemory.lib.uuid7 import CEILING, EPOCH, FLOOR, first_at

if TYPE_CHECKING:
    from workspaces.models import Workspace

PAGE = 50
# A page may grow by this many events rather than part a call from its result.
STRETCH = 12
# Of each payload no more than this is fetched for a page; the rest is asked for event by event.
HEAD = 16_384
# Where the client says no time, id and row are stamped one after the other.
SLACK = timedelta(minutes=1)


@dataclass(frozen=True)
class Line:
    """An event with the beginning of its payload."""

    id: uuid.UUID
    frame_id: uuid.UUID
    seq: int
    type: str
    at: datetime
    tool: str
    is_error: bool
    redactions: int
    head: str
    octets: int
    limit: int = HEAD
    # The head is a preview: all of it is in the object store (frames/large.py).
    stored: bool = False
    # It was read from cold storage.
    cold: bool = False

    @classmethod
    def whole(cls, event: Event, limit: int) -> Line:
        """An event with all its payload, up to a limit. Raises blobs.Lost."""
        text = event.text
        return cls(
            event.pk, event.frame_id, event.seq, event.type, event.occurred_at, event.tool,
            event.is_error, event.redactions, text[: limit + 1],
            event.stored_octets or len(text.encode("utf-8", "replace")), limit,
        )  # fmt: skip

    @classmethod
    def preview(cls, event: Event, *, cold: bool = False) -> Line:
        """An event with as much of its payload as its row has."""
        return cls(
            event.pk, event.frame_id, event.seq, event.type, event.occurred_at, event.tool,
            event.is_error, event.redactions, event.payload[: HEAD + 1],
            event.stored_octets or len(event.payload.encode("utf-8", "replace")),
            stored=event.stored_digest is not None, cold=cold,
        )  # fmt: skip

    @property
    def cut(self) -> bool:
        return self.stored or len(self.head) > self.limit

    @cached_property
    def data(self) -> Any:
        """The payload parsed as far as it was fetched."""
        return payload.parse(self.head[: self.limit], cut=self.cut)

    @property
    def place(self) -> Place:
        return Place(self.at, self.seq, self.id)


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A place in a timeline, as it stands in a URL."""

    at: datetime
    seq: int
    id: uuid.UUID

    def __str__(self) -> str:
        return f"{(self.at - EPOCH) // timedelta(microseconds=1)}.{self.seq}.{self.id.hex}"

    @classmethod
    def parse(cls, text: str) -> Place | None:
        """The place a URL names; None where it names none."""
        try:
            us, seq, key = text.split(".")
            at = EPOCH + timedelta(microseconds=int(us))
            number = int(seq)
            return cls(at, number, uuid.UUID(key)) if abs(number) < 2**63 else None
        except (ValueError, OverflowError):
            return None


@dataclass(frozen=True, slots=True)
class Stretch:
    """Whose events, and when: what keeps a query to the few months and frames it is about.

    Made of the frames' own counters: (id, first event, last event, number of events).
    """

    spans: tuple[tuple[uuid.UUID, datetime, datetime, int], ...]
    # Those that have events in cold storage.
    cold: frozenset[uuid.UUID] = frozenset()

    @property
    def first(self) -> datetime:
        return min(first for _, first, _, _ in self.spans)

    @property
    def last(self) -> datetime:
        return max(last for _, _, last, _ in self.spans)

    def frames_between(self, first: datetime, last: datetime) -> list[uuid.UUID]:
        return [key for key, begins, ends, _ in self.spans if begins <= last and ends >= first]

    def horizon(self, at: datetime, *, forwards: bool) -> datetime:
        """A time within which a page of events must lie, seen from `at`, as far as counters tell."""
        room = PAGE + STRETCH
        if forwards:
            whole = sorted((ends, n) for _, begins, ends, n in self.spans if begins > at)
        else:
            whole = sorted(
                ((begins, n) for _, begins, ends, n in self.spans if ends < at), reverse=True
            )
        for edge, n in whole:
            room -= n
            if room < 0:
                return edge
        return self.last if forwards else self.first


@dataclass(frozen=True, slots=True)
class Page:
    lines: list[Line]
    older: Place | None = None
    newer: Place | None = None
    # Why events are missing that are in cold storage.
    lost: str = ""


def stretch_of(*frames: Frame) -> Stretch | None:
    """Where the frames' events lie; None where nothing happened in them."""
    spans = tuple(
        (f.pk, f.first_event_at, f.last_event_at, f.event_count)
        for f in frames
        if f.first_event_at and f.last_event_at
    )
    return Stretch(spans, frozenset(f.pk for f in frames if f.cold_count)) if spans else None


def id_range(first: datetime, last: datetime) -> tuple[uuid.UUID, uuid.UUID]:
    """Ids of events between two times, both inclusive, lie in [low, high).

    Ids carry times clamped to [FLOOR, CEILING); an event outside that window has an id at its edge.
    """
    low = min(max(_back(first), FLOOR), CEILING - timedelta(milliseconds=1))
    high = min(max(_forth(last), FLOOR), CEILING - timedelta(milliseconds=1))
    return first_at(low), first_at(high + timedelta(milliseconds=1))


def _back(at: datetime) -> datetime:
    return at - SLACK if at > FLOOR else at


def _forth(at: datetime) -> datetime:
    return at + SLACK if at < CEILING else at


def newest(workspace: Workspace, stretch: Stretch) -> Page:
    """The last page."""
    return _backwards(workspace, stretch, None)


def before(workspace: Workspace, stretch: Stretch, place: Place) -> Page:
    """The page that ends where another begins."""
    return _backwards(workspace, stretch, place)


def after(workspace: Workspace, stretch: Stretch, place: Place) -> Page:
    """The page that begins where another ends."""
    lines = _read(workspace, stretch, place.at, place, forwards=True)
    return _forwards(lines, has_older=True)


def since(workspace: Workspace, stretch: Stretch, at: datetime) -> Page:
    """The page that begins at a moment; the last page where nothing happened from then on."""
    if at > stretch.last:
        return newest(workspace, stretch)
    lines = _read(workspace, stretch, at, None, forwards=True)
    return _forwards(lines, has_older=at > stretch.first)


def _backwards(workspace: Workspace, stretch: Stretch, place: Place | None) -> Page:
    start = min(place.at, stretch.last) if place else stretch.last
    lines = _read(workspace, stretch, start, place, forwards=False)[::-1]
    cut = max(len(lines) - PAGE, 0)
    pairs = pair(lines)
    while straddling := [call for call, result in pairs.items() if call < cut <= result]:
        cut = min(straddling)
    if len(lines) > PAGE + STRETCH:
        cut = max(cut, 1)
    kept = lines[cut:]
    return Page(
        kept,
        older=kept[0].place if kept and cut else None,
        newer=kept[-1].place if kept and place else None,
    )


def _forwards(lines: list[Line], *, has_older: bool) -> Page:
    end = min(len(lines), PAGE)
    pairs = pair(lines)
    while straddling := [result for call, result in pairs.items() if call < end <= result]:
        end = max(straddling) + 1
    if len(lines) > PAGE + STRETCH:
        end = min(end, len(lines) - 1)
    kept = lines[:end]
    return Page(
        kept,
        older=kept[0].place if kept and has_older else None,
        newer=kept[-1].place if kept and end < len(lines) else None,
    )


def _read(
    workspace: Workspace, stretch: Stretch, start: datetime, place: Place | None, *, forwards: bool
) -> list[Line]:
    edge = stretch.horizon(start, forwards=forwards)
    first, last = (start, edge) if forwards else (edge, start)
    events = between(workspace, stretch, first, last)
    return lines_beyond(
        workspace, stretch, events, first, last, place, forwards=forwards,
        most=PAGE + STRETCH + 1,
    )  # fmt: skip


def lines_beyond(
    workspace: Workspace,
    stretch: Stretch,
    events: QuerySet[Any],
    first: datetime,
    last: datetime,
    place: Place | None,
    *,
    forwards: bool,
    most: int,
    keep: Callable[[Line], bool] | None = None,
) -> list[Line]:
    """Lines of `events`, which are some of between(first, last), and of those in cold storage.

    Only what lies beyond `place`, in order or backwards; `keep` says of cold ones what `events` says
    of others. Raises ColdLost.
    """
    if place is not None:
        events = events.filter(_beyond(place, "gt" if forwards else "lt"))
    order = ("occurred_at", "seq", "id") if forwards else ("-occurred_at", "-seq", "-id")
    lines = lines_of(events.order_by(*order)[:most])
    cold = stretch.cold.intersection(stretch.frames_between(first, last))
    if not cold:
        return lines
    found = (
        Line.preview(event, cold=True)
        for event in reading.walk(workspace.pk, cold, first, last, forwards=forwards)
    )
    wanted = (
        line
        for line in found
        if (place is None or (line.place > place if forwards else line.place < place))
        and (keep is None or keep(line))
    )
    return reading.together(
        lines, wanted, key=attrgetter("place"), most=most, backwards=not forwards
    )


def _beyond(place: Place, step: str) -> Q:
    return Q(**{f"occurred_at__{step}": place.at}) | Q(occurred_at=place.at) & (
        Q(**{f"seq__{step}": place.seq}) | Q(seq=place.seq, **{f"id__{step}": place.id})
    )


def between(
    workspace: Workspace, stretch: Stretch, first: datetime, last: datetime
) -> QuerySet[Any]:
    """Events of the stretch's frames between two times, both inclusive."""
    low, high = id_range(first, last)
    frames = stretch.frames_between(first, last)
    of_frames = Q(frame=frames[0]) if len(frames) == 1 else Q(frame__in=frames)
    return workspace.events.filter(
        of_frames, id__gte=low, id__lt=high, occurred_at__gte=first, occurred_at__lte=last
    )


def lines_of(events: QuerySet[Any]) -> list[Line]:
    values = events.annotate(
        head=Substr("payload", 1, HEAD + 1), octets=Octets("payload")
    ).values_list(
        "id", "frame_id", "seq", "type", "occurred_at", "tool", "is_error", "redactions",
        "head", "octets", "stored_octets",
    )  # fmt: skip
    return [
        Line(*row[:9], octets=row[10] or row[9], stored=row[10] is not None)  # type: ignore[misc]
        for row in values
    ]
