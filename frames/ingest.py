"""Appending events: the one door through which every event comes in."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from django.utils import timezone

from frames import large
from frames.cold import late
from frames.models import Activity, Event, Frame
from stackmemory.lib.bulk import add_up, fold, insert_new
from stackmemory.lib.uuid7 import Derivation

if TYPE_CHECKING:
    from workspaces.models import Workspace

HOW = {"event_count": "add", "error_count": "add",
       "first_event_at": "least", "last_event_at": "greatest"}  # fmt: skip
_frame_id = attrgetter("frame_id")
ONE_HOUR = timedelta(hours=1)
NEVER = datetime.max.replace(tzinfo=UTC)
LAST_HOUR = NEVER - ONE_HOUR
FIELDS = (
    "id", "workspace", "frame", "session", "seq", "type", "payload", "occurred_at",
    "created_at", "tool", "is_error", "score", "redactions", "source_id", "source",
)  # fmt: skip
PAYLOAD = FIELDS.index("payload")
STORED = ("stored_digest", "stored_octets")


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
    return identities(workspace)(occurred_at, source_id, seq)


def identities(workspace: Workspace) -> Derivation:
    """event_id(), for many: of the time, the source's id and the number."""
    return _derivation(workspace.id)


@lru_cache(64)
def _derivation(workspace_id: uuid.UUID) -> Derivation:
    return Derivation(str(workspace_id), "event")


def append_events(*, workspace: Workspace, rows: Sequence[NewEvent]) -> set[uuid.UUID]:
    """Append events to frames of `workspace`; return the ids of those that were new.

    An event whose id is there already, in the table or in cold storage, is left alone, so a replayed
    batch is harmless. Frames' counters and the hourly activity follow in the same transaction, which
    is the caller's; so is making the months (`partitions.ensure`), before that transaction begins.
    """
    now = timezone.now()
    rows = late.not_archived(workspace.id, rows)
    values = [
        (
            row.id, workspace.id, row.frame_id, row.session_id, row.seq, row.type,
            row.payload, row.occurred_at, now, row.tool, row.is_error, row.score,
            row.redactions, row.source_id, row.source,
        )
        for row in rows
    ]  # fmt: skip
    stored = large.put_down(workspace.id, [row.payload for row in rows])
    if stored:
        inserted = _insert_with_large(workspace, rows, values, stored)
    else:
        inserted = insert_new(Event, FIELDS, values)
    fresh = rows if len(inserted) == len(rows) else _first_of_each(rows, inserted)
    _count(workspace, fresh)
    return inserted


def _insert_with_large(
    workspace: Workspace,
    rows: Sequence[NewEvent],
    values: Sequence[tuple[Any, ...]],
    stored: Mapping[int, large.Stored],
) -> set[uuid.UUID]:
    """insert_new(), where some payloads are in the object store."""
    whole: dict[uuid.UUID, tuple[Any, ...]] = {}
    uses = []
    for number, (row, value) in enumerate(zip(rows, values, strict=True)):
        if row.id in whole:
            continue
        if found := stored.get(number):
            before, after = value[:PAYLOAD], value[PAYLOAD + 1 :]
            whole[row.id] = (*before, found.preview, *after, found.digest, found.octets)
            uses.append((row.id, row.frame_id, found.payload_id))
        else:
            whole[row.id] = (*value, None, None)
    inserted = insert_new(Event, (*FIELDS, *STORED), list(whole.values()))
    large.note_uses(workspace.id, [use for use in uses if use[0] in inserted])
    return inserted


def _first_of_each(rows: Sequence[NewEvent], inserted: set[uuid.UUID]) -> list[NewEvent]:
    left = set(inserted)
    fresh = []
    for row in rows:
        if row.id in left:
            left.discard(row.id)
            fresh.append(row)
    return fresh


def _count(workspace: Workspace, rows: Sequence[NewEvent]) -> None:
    """Bring frames and hours up to date with new events."""
    tallies: dict[uuid.UUID, list[Any]] = {}
    hours: dict[tuple[uuid.UUID, datetime], list[int]] = {}
    # Events come in runs of one frame and one hour: what is looked up is looked up once for each.
    for frame_id, run in groupby(rows, _frame_id):
        begins = ends = NEVER
        tally = tallies.get(frame_id)
        for row in run:
            at = row.occurred_at
            if tally is None:
                tally = tallies[frame_id] = [0, 0, at, at]
            tally[0] += 1
            tally[1] += row.is_error
            if at < tally[2]:
                tally[2] = at
            elif at > tally[3]:
                tally[3] = at
            if not begins <= at < ends:
                begins = _hour(at)
                ends = min(begins, LAST_HOUR) + ONE_HOUR
                hour = hours.setdefault((row.project_id, begins), [0, 0, 0])
            hour[0] += 1
            hour[1] += row.is_error
    fold(Frame, HOW, tallies)
    _add_up(workspace, hours)


def count_activity(workspace: Workspace, *, frames: Sequence[tuple[uuid.UUID, datetime]]) -> None:
    """Add frames, as (project id, started), to the hours they began in."""
    hours: dict[tuple[uuid.UUID, datetime], list[int]] = {}
    for project_id, started in frames:
        hours.setdefault((project_id, _hour(started)), [0, 0, 0])[2] += 1
    _add_up(workspace, hours)


def _add_up(workspace: Workspace, hours: dict[tuple[uuid.UUID, datetime], list[int]]) -> None:
    rows = {(workspace.id, hour, project): sums for (project, hour), sums in hours.items()}
    add_up(Activity, ("workspace", "hour", "project"), ("events", "errors", "frames"), rows)


def _hour(at: datetime) -> datetime:
    if at.tzinfo is not UTC:  # where clocks are half an hour off, hours begin elsewhere
        at = at.astimezone(UTC)
    return at.replace(minute=0, second=0, microsecond=0)
