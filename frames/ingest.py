"""Appending events: the one door through which every event comes in."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from django.db.models import F
from django.db.models.functions import Coalesce, Greatest, Least
from django.utils import timezone

from frames.models import Activity, Event, Frame
from stackmemory.lib.bulk import insert_new
from stackmemory.lib.uuid7 import derived

if TYPE_CHECKING:
    from workspaces.models import Workspace

FIELDS = (
    "id", "workspace", "frame", "session", "seq", "type", "payload", "occurred_at",
    "created_at", "tool", "is_error", "score", "redactions", "source_id", "source",
)  # fmt: skip


@dataclass(slots=True)
class NewEvent:
    """An event to append. `payload` and `source` are JSON text; `id` fixes its identity."""

    id: uuid.UUID
    project_id: uuid.UUID
    frame_id: uuid.UUID
    session_id: uuid.UUID | None
    type: str
    occurred_at: datetime
    payload: str = "{}"
    seq: int = 0
    tool: str = ""
    is_error: bool = False
    score: float | None = None
    redactions: int = 0
    source_id: str | None = None
    source: str | None = None


def event_id(workspace: Workspace, source_id: str, occurred_at: datetime, seq: int) -> uuid.UUID:
    """The id of an event whose source fixes its time: the same event always gets the same one."""
    return derived(occurred_at, str(workspace.id), "event", source_id, order=seq)


def append_events(*, workspace: Workspace, rows: Sequence[NewEvent]) -> set[uuid.UUID]:
    """Append events to frames of `workspace`; return the ids of those that were new.

    An event whose id is there already is left alone, so a replayed batch is harmless. Frames'
    counters and the hourly activity follow in the same transaction, which is the caller's; so is
    making the months (`partitions.ensure`), before that transaction begins.
    """
    now = timezone.now()
    inserted = insert_new(
        Event,
        FIELDS,
        [
            (
                row.id, workspace.id, row.frame_id, row.session_id, row.seq, row.type,
                row.payload, row.occurred_at, now, row.tool, row.is_error, row.score,
                row.redactions, row.source_id, row.source,
            )
            for row in rows
        ],
    )  # fmt: skip
    fresh = rows if len(inserted) == len(rows) else _first_of_each(rows, inserted)
    _count_in_frames(fresh)
    count_activity(workspace, events=fresh)
    return inserted


def _first_of_each(rows: Sequence[NewEvent], inserted: set[uuid.UUID]) -> list[NewEvent]:
    left = set(inserted)
    fresh = []
    for row in rows:
        if row.id in left:
            left.discard(row.id)
            fresh.append(row)
    return fresh


@dataclass(slots=True)
class _Tally:
    events: int = 0
    errors: int = 0
    times: list[datetime] = field(default_factory=list)


def _count_in_frames(rows: Sequence[NewEvent]) -> None:
    tallies: defaultdict[uuid.UUID, _Tally] = defaultdict(_Tally)
    for row in rows:
        tally = tallies[row.frame_id]
        tally.events += 1
        tally.errors += row.is_error
        tally.times.append(row.occurred_at)
    # Sorted, so that two writers lock frames in the same order.
    for frame_id in sorted(tallies):
        tally = tallies[frame_id]
        first, last = min(tally.times), max(tally.times)
        Frame.unscoped.filter(pk=frame_id).update(
            event_count=F("event_count") + tally.events,
            error_count=F("error_count") + tally.errors,
            first_event_at=Least(Coalesce("first_event_at", first), first),
            last_event_at=Greatest(Coalesce("last_event_at", last), last),
        )


def count_activity(
    workspace: Workspace,
    *,
    events: Sequence[NewEvent] = (),
    frames: Sequence[tuple[uuid.UUID, datetime]] = (),
) -> None:
    """Add events, and frames as (project id, started), to the hours they happened in."""
    hours: defaultdict[tuple[datetime, uuid.UUID], list[int]] = defaultdict(lambda: [0, 0, 0])
    for event in events:
        tally = hours[_hour(event.occurred_at), event.project_id]
        tally[0] += 1
        tally[1] += event.is_error
    for project_id, started in frames:
        hours[_hour(started), project_id][2] += 1
    if not hours:
        return
    keys = sorted(hours)
    at = {hour for hour, _ in keys}
    query = Activity.objects.in_workspace(workspace).filter(hour__gte=min(at), hour__lte=max(at))
    there = set(query.values_list("hour", "project_id")) if keys else set()
    # Rows that exist are added to; the rest are made. A rival that makes one first is added to as
    # well, because ignore_conflicts leaves its row and the update below finds it.
    Activity.unscoped.bulk_create(
        [
            Activity(workspace=workspace, hour=hour, project_id=project_id)
            for hour, project_id in keys
            if (hour, project_id) not in there
        ],
        ignore_conflicts=True,
    )
    for hour, project_id in keys:
        events_n, errors_n, frames_n = hours[hour, project_id]
        Activity.objects.in_workspace(workspace).filter(hour=hour, project_id=project_id).update(
            events=F("events") + events_n,
            errors=F("errors") + errors_n,
            frames=F("frames") + frames_n,
        )


def _hour(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)
