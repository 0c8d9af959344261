"""Which events leave: those of months long past, of frames where nothing goes on and nothing is held.

Nothing goes on in a frame that was closed, once its session has ended, nor in one to which no event
has come for as long as events stay: agents crash, and what they left open nobody closes.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Count, F, Q, Sum
from django.utils import timezone

from frames.cold.late import LEAST_DAYS
from frames.models import ArchivedPeriod, Event, Frame, Project
from frames.partitions import month_of, next_month
from frames.retention import MOST_DAYS, Policy, pinned
from stackmemory.lib.uuid7 import CEILING, FLOOR, first_at

HOT_DAYS = 30


def hot_days(project: Project) -> int:
    """For how many days a project's events stay in the table."""
    days = project.settings.get("hot_days", HOT_DAYS)
    return days if type(days) is int and LEAST_DAYS <= days <= MOST_DAYS else HOT_DAYS


def is_on() -> bool:
    """Whether months leave by themselves (COLD_STORAGE)."""
    wanted: str = settings.COLD_STORAGE
    return wanted == "on" or (wanted == "auto" and bool(settings.OBJECTS_S3_BUCKET))


@dataclass(frozen=True)
class Standing:
    """How much of a project is in cold storage, and how much would go there now at least."""

    is_on: bool
    events: int
    bytes: int
    months: int
    more: int


def standing(project: Project, days: int, now: datetime | None = None) -> Standing:
    """Two queries: what goes is counted from frames that lie before that time as a whole."""
    limit = (now or timezone.now()) - timedelta(days=days)
    edge = datetime.combine(month_of(limit), time(), UTC)
    held = ArchivedPeriod.unscoped.filter(
        workspace=project.workspace_id, project=project, state__in=ArchivedPeriod.HOLDING
    ).aggregate(events=Sum("events"), bytes=Sum("bytes"), months=Count("month", distinct=True))
    whole = leaving(project, limit).filter(last_event_at__lt=edge)
    more = whole.aggregate(n=Sum(F("event_count") - F("cold_count")))["n"]
    return Standing(
        is_on(), held["events"] or 0, held["bytes"] or 0, held["months"] or 0, more or 0
    )


@dataclass(frozen=True)
class Month:
    """A project's month, or what of it lies before `limit`."""

    project: Project
    month: date
    limit: datetime

    @property
    def ids(self) -> tuple[uuid.UUID, uuid.UUID]:
        first = datetime.combine(self.month, time(), UTC)
        return first_at(first), first_at(datetime.combine(next_month(self.month), time(), UTC))

    def frames(self) -> Any:
        """Ids of the frames that may have something to leave, in order."""
        first = datetime.combine(self.month, time(), UTC) - timedelta(days=1)
        last = datetime.combine(next_month(self.month), time(), UTC) + timedelta(days=1)
        begun, ended = Q(first_event_at__lt=last), Q(last_event_at__gte=first)
        # An event of a time out of the ids' window has an id at its edge.
        if first <= FLOOR:
            ended = Q()
        if last >= CEILING:
            begun = Q()
        found = leaving(self.project, self.limit)
        found = found.filter(begun, ended, first_event_at__lt=self.limit)
        return found.order_by("pk").values_list("pk", flat=True)

    def events(self, frames: list[uuid.UUID]) -> Any:
        """What leaves of these frames, in the order of an object."""
        low, high = self.ids
        rows = Event.unscoped.filter(
            workspace=self.project.workspace_id, frame__in=frames, id__gte=low, id__lt=high,
            occurred_at__lt=self.limit,
        )  # fmt: skip
        return rows.order_by("frame_id", "occurred_at", "seq", "id")


def leaving(project: Project, limit: datetime) -> Any:
    """Frames that have events in the table and nothing that keeps them there: those that are over,
    and those where nothing has happened since `limit`.

    What is under legal hold, pinned or marked as kept for ever stays at hand, as it stays in any case.
    """
    frames = Frame.unscoped.filter(project=project, workspace=project.workspace_id)
    frames = frames.filter(event_count__gt=F("cold_count"))
    closed = Q(closed_at__isnull=False) | Q(state=Frame.CLOSED)
    over = closed & (Q(session=None) | Q(session__ended_at__isnull=False))
    frames = frames.filter(over | Q(last_event_at__lt=limit))
    return frames.none() if Policy.of(project).hold else frames.exclude(pinned())


def months(project: Project, *, now: datetime, days: int | None = None) -> Iterator[Month]:
    """The months that may have something to leave, the oldest first.

    By the clock a month leaves whole, once its last day is `hot_days` ago, and one that was brought
    back after so many days more; `days` is exact.
    """
    back: set[date] = set()
    if days is None:
        rows = ArchivedPeriod.unscoped.filter(workspace=project.workspace_id, project=project)
        since = now - timedelta(days=hot_days(project))
        back = set(rows.filter(restored_at__gt=since).values_list("month", flat=True))
    limit = now - timedelta(days=max(hot_days(project) if days is None else days, LEAST_DAYS))
    found = leaving(project, limit).filter(first_event_at__lt=limit)
    spans = found.values_list("first_event_at", "last_event_at")
    wanted: set[date] = set()
    for first, last in spans.iterator(chunk_size=2_000):
        month, end = month_of(first), month_of(min(last, limit))
        while month <= end:
            wanted.add(month)
            month = next_month(month)
    for month in sorted(wanted - back):
        if days is not None or datetime.combine(next_month(month), time(), UTC) <= limit:
            yield Month(project, month, limit)
