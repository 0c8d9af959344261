"""Appending a batch of events from a client: each one is answered for, none is lost by accident."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from operator import itemgetter
from typing import Any, Literal

from django.utils import timezone

from frames import partitions
from frames.incoming import LONGEST_ID, plain
from frames.ingest import NewEvent, append_events, event_id
from frames.models import AgentSession, EventKey, Frame
from frames.signals import changed
from frames.reach import frames_of, uuid_or_none
from frames.redact import redactor_for
from frames.transfer.rows.events import is_error, tool_of
from stackmemory.lib.uuid7 import uuid7
from workspaces.actor import Actor

MOST_EVENTS = 5_000
MOST_BYTES = 8 * 1024 * 1024
LONGEST_TYPE = 100
# A sane moment: neither before there were such tools nor in the future by more than a day's skew.
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)

Outcome = Literal["created", "duplicate", "rejected"]


@dataclass(slots=True)
class EventIn:
    """An event as a client sends it. `frame` is our id or the client's own (`source_id`).

    `arrived_at` is when it happened as far as is known where that is no part of its identity.
    """

    frame: str
    type: str
    payload: Any = field(default_factory=dict)
    source_id: str | None = None
    occurred_at: datetime | None = None
    seq: int | None = None
    created = len(inserted)
    changed(actor.workspace, "event", inserted)
    arrived_at: datetime | None = None


@dataclass(slots=True)
class Answer:
    outcome: Outcome
    id: uuid.UUID | None = None
    redacted: int = 0
    code: str = ""
    message: str = ""
    field: str = ""


def append_batch(*, actor: Actor, events: Sequence[EventIn]) -> list[Answer]:
    """Append `events` and answer for each, in their order.

    An event's identity is its `source_id`, with `occurred_at` where it is given (then the id
    derives from both); without `source_id` every call makes a new event. Two of one identity,
    here or in an earlier batch, are one event, and the second is a `duplicate`. What cannot be
    stored is `rejected`, and the others are stored all the same.
    """
    actor.require("write")
    frames = _frames(actor, {event.frame for event in events if isinstance(event.frame, str)})
    answers: list[Answer | None] = [_check(event, frames) for event in events]
    accepted = [n for n, answer in enumerate(answers) if answer is None]
    prepared = _prepare(actor, [(n, events[n]) for n in accepted], frames)
    partitions.ensure({partitions.month_of(row.occurred_at) for _, row, _ in prepared})
    inserted = append_events(workspace=actor.workspace, rows=[row for _, row, _ in prepared])
    for number, row, redacted in prepared:
        new = row.id in inserted
        inserted.discard(row.id)
        answers[number] = Answer("created" if new else "duplicate", row.id, redacted)
    _touch_sessions([frames[events[n].frame] for n in accepted])
    return [answer for answer in answers if answer is not None]


def _frames(actor: Actor, refs: set[str]) -> dict[str, Frame]:
    """Frames by the reference that named them: two queries at most."""
    ids = {ref: id_ for ref in refs if (id_ := uuid_or_none(ref))}
    query = frames_of(actor).only(
        "id", "project_id", "session_id", "source_id", "workspace_id", "event_count"
    )
    found: dict[str, Frame] = {}
    by_id = {frame.pk: frame for frame in query.filter(pk__in=ids.values())} if ids else {}
    for ref, id_ in ids.items():
        if id_ in by_id:
            found[ref] = by_id[id_]
    rest = {ref for ref in refs - set(found) if "\x00" not in ref}
    if rest:
        found |= {frame.source_id: frame for frame in query.filter(source_id__in=rest)}
    return found


def _check(event: EventIn, frames: dict[str, Frame]) -> Answer | None:
    """Why an event cannot be stored; None if it can."""
    if not isinstance(event.frame, str) or event.frame not in frames:
        return _rejected("not_found", "There is no frame with this id here.", "frame")
    if not isinstance(event.type, str) or not 0 < len(event.type) <= LONGEST_TYPE:
        return _rejected("invalid", f"A type of 1 to {LONGEST_TYPE} characters is needed.", "type")
    if event.source_id is not None and not 0 < len(event.source_id) <= LONGEST_ID:
        return _rejected("invalid", f"At most {LONGEST_ID} characters, not empty.", "source_id")
    if event.seq is not None and not -(2**63) <= event.seq < 2**63:
        return _rejected("invalid", "A 64-bit integer is needed.", "seq")
    if event.occurred_at is not None:
        if event.occurred_at.tzinfo is None:
            return _rejected("invalid", "Give the time with its zone, as 2026-01-31T12:00:00Z.",
                             "occurred_at")  # fmt: skip
        if not event.occurred_at >= EARLIEST:
            return _rejected("invalid", "The time is before the year 2000.", "occurred_at")
    return None


def _rejected(code: str, message: str, name: str) -> Answer:
    return Answer("rejected", code=code, message=message, field=name)


def _prepare(
    actor: Actor, accepted: list[tuple[int, EventIn]], frames: dict[str, Frame]
) -> list[tuple[int, NewEvent, int]]:
    """(number, row, redactions) for each event, redacted and with its id."""
    redactor = redactor_for(actor.workspace)
    timeless = _timeless_ids(actor, [event for _, event in accepted if _is_timeless(event)])
    now = timezone.now()
    counts: dict[uuid.UUID, int] = {}
    prepared = []
    for number, event in accepted:
        frame = frames[event.frame]
        text = _payload_text(event.payload)
        text, found = redactor.redact(text)
        redactions = sum(found.values())
        source_id = event.source_id
        at = event.occurred_at or now
        # Without a number of its own an event goes behind those of its frame, in the batch's order.
        place = counts[frame.pk] = counts.get(frame.pk, frame.event_count) + 1
        seq = place if event.seq is None else event.seq
        if source_id is None:
            id_ = event_id(actor.workspace, str(uuid7()), at, seq)
        elif event.occurred_at is None:
            id_, at = timeless[source_id]
        else:
            id_ = event_id(actor.workspace, source_id, at, 0)
        data = event.payload
        row = NewEvent(
            id=id_,
            project_id=frame.project_id,
            frame_id=frame.pk,
            session_id=frame.session_id,
            type=plain(event.type),
            occurred_at=at,
            payload=text,
            seq=seq,
            tool=tool_of(data),
            is_error=is_error(event.type, data),
            redactions=min(redactions, 32767),
            source_id=plain(source_id) if source_id is not None else None,
        )
        prepared.append((number, row, redactions))
    return prepared


def _is_timeless(event: EventIn) -> bool:
    return event.source_id is not None and event.occurred_at is None


def was_appended(actor: Actor, source_id: str) -> bool:
    """Whether an event of this id that came without a time is there already."""
    keys = EventKey.objects.in_workspace(actor.workspace)
    return keys.filter(digest=_digest(source_id)).exists()


def _timeless_ids(actor: Actor, events: Sequence[EventIn]) -> dict[str, tuple[uuid.UUID, datetime]]:
    """The id and time of events whose source fixes no time: those of their first arrival."""
    names = {e.source_id: (_digest(e.source_id), e.arrived_at) for e in events if e.source_id}
    if not names:
        return {}
    now = timezone.now()
    EventKey.unscoped.bulk_create(
        [
            EventKey(
                workspace=actor.workspace,
                digest=digest,
                event_id=event_id(actor.workspace, digest, at, 0) if at else uuid7(),
                occurred_at=at or now,
            )
            # sorted, so that two writers lock in one order
            for digest, at in sorted(names.values(), key=itemgetter(0))
        ],
        ignore_conflicts=True,
    )
    digests = [digest for digest, _ in names.values()]
    keys = EventKey.objects.in_workspace(actor.workspace).filter(digest__in=digests)
    known = {d: (id_, at) for d, id_, at in keys.values_list("digest", "event_id", "occurred_at")}
    return {source_id: known[digest] for source_id, (digest, _) in names.items()}


def _digest(source_id: str) -> str:
    return hashlib.sha256(source_id.encode("utf-8", "surrogatepass")).hexdigest()


def _payload_text(payload: Any) -> str:
    """The payload as it is stored. Half characters stay in their escaped form."""
    text = json.dumps(payload, ensure_ascii=False, separators=(",", ":"))
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(payload, separators=(",", ":"))
    return text


def _touch_sessions(frames: list[Frame]) -> None:
    ids = {frame.session_id for frame in frames if frame.session_id}
    if ids:
        AgentSession.unscoped.filter(pk__in=ids).update(last_seen_at=timezone.now(), ended_at=None)
