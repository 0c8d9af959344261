"""Filters of a project's frames, kept in the URL: state, type, person, time, text."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode

from django.db.models import Count, Q
from django.db.models.functions import Coalesce
from django.http import QueryDict
from django.utils.timezone import get_current_timezone

from frames.models import Frame
from frames.models.frame import FrameQuerySet
from workspaces.models import User

SPANS = {
    "1d": ("Last 24 hours", timedelta(days=1)),
    "7d": ("Last 7 days", timedelta(days=7)),
    "30d": ("Last 30 days", timedelta(days=30)),
    "90d": ("Last 90 days", timedelta(days=90)),
}
OPEN, FAILED, NOBODY = "open", "errors", "nobody"
MAX_CHOICES = 50


@dataclass(frozen=True, slots=True)
class FrameFilter:
    """What was asked for; empty strings ask for nothing. Values no one offers match nothing."""

    state: str = ""
    type: str = ""
    person: str = ""
    time: str = ""
    since: str = ""
    until: str = ""
    q: str = ""

    @classmethod
    def from_query(cls, query: QueryDict) -> FrameFilter:
        # NUL cannot be in a PostgreSQL text, so no frame has it.
        names = cls.__dataclass_fields__
        return cls(**{name: query.get(name, "").replace("\0", "").strip()[:200] for name in names})

    def __bool__(self) -> bool:
        return any(getattr(self, name) for name in self.__dataclass_fields__)

    def query(self, **changes: str) -> str:
        """The query string for this filter with some fields changed."""
        asked = replace(self, **changes)
        pairs = {name: getattr(asked, name) for name in asked.__dataclass_fields__}
        return urlencode({name: value for name, value in pairs.items() if value})

    def apply(self, frames: FrameQuerySet, *, now: datetime) -> FrameQuerySet:
        if self.state == OPEN:
            frames = frames.active()
        elif self.state == FAILED:
            frames = frames.filter(error_count__gt=0)
        elif self.state:
            frames = frames.filter(state=self.state)
        if self.type:
            frames = frames.filter(type=self.type)
        if self.person:
            frames = frames.filter(self._of_person())
        if self.q:
            frames = frames.filter(Q(name__icontains=self.q) | Q(digest_text__icontains=self.q))
        return self._in_time(frames, now)

    def _of_person(self) -> Q:
        if self.person == NOBODY:
            return Q(owner=None)
        try:
            return Q(owner=uuid.UUID(self.person))
        except ValueError:
            return Q(pk__in=[])

    def _in_time(self, frames: FrameQuerySet, now: datetime) -> FrameQuerySet:
        """Those at work at some moment of the time asked for."""
        since, until = _midnight(self.since), _midnight(self.until, days=1)
        if self.time in SPANS:
            since = max(filter(None, [since, now - SPANS[self.time][1]]))
        if since:
            last = Coalesce("last_event_at", "closed_at", "started_at")
            frames = frames.annotate(last_active=last).filter(last_active__gte=since)
        if until:
            frames = frames.filter(started_at__lt=until)
        return frames


def _midnight(day: str, *, days: int = 0) -> datetime | None:
    """The beginning of a day (or of one some days later) in the reader's zone; None if no day."""
    try:
        midnight = datetime.combine(date.fromisoformat(day), time(), get_current_timezone())
        return midnight + timedelta(days=days)
    except (ValueError, OverflowError):
        return None


@dataclass(frozen=True, slots=True)
class Choice:
    value: str
    label: str
    count: int


@dataclass(frozen=True, slots=True)
class Facets:
    """What there is to choose from, with numbers of frames."""

    total: int
    open: int
    failed: int
    states: list[Choice]
    types: list[Choice]
    people: list[Choice]


def facets(frames: FrameQuerySet) -> Facets:
    """Count the frames by state, type and person, in one query."""
    is_open = Q(closed_at=None) & ~Q(state=Frame.CLOSED)
    groups = (
        frames.order_by()
        .values("state", "type", "owner_id", "owner__name", "owner__email")
        .annotate(
            n=Count("pk"),
            open=Count("pk", filter=is_open),
            failed=Count("pk", filter=Q(error_count__gt=0)),
        )
    )
    states: Counter[tuple[str, str]] = Counter()
    types: Counter[tuple[str, str]] = Counter()
    people: Counter[tuple[str, str]] = Counter()
    total = n_open = failed = 0
    for group in groups:
        n = group["n"]
        total, n_open, failed = total + n, n_open + group["open"], failed + group["failed"]
        states[group["state"], group["state"]] += n
        types[group["type"], group["type"]] += n
        people[_person(group)] += n
    return Facets(
        total, n_open, failed, _choices(states.items()), _choices(types.items()),
        _choices(people.items()),
    )  # fmt: skip


def _person(group: dict[str, Any]) -> tuple[str, str]:
    if group["owner_id"] is None:
        return NOBODY, "Nobody"
    person = User(name=group["owner__name"], email=group["owner__email"])
    return str(group["owner_id"]), person.display_name


def _choices(counts: Iterable[tuple[tuple[str, str], int]]) -> list[Choice]:
    ranked = sorted(counts, key=lambda item: (-item[1], item[0][1]))
    return [
        Choice(value, label, n)
        for (value, label), n in ranked[:MAX_CHOICES]
        if value  # an empty one cannot be asked for
    ]
