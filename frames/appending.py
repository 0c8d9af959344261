"""Appending a batch of events from a client: each one is answered for, none is lost by accident."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Sequence
from datetime import date, datetime
from operator import itemgetter

from django.utils import timezone

from frames import partitions
from frames.accepting import Answer, EventIn, check, told
from frames.incoming import plain
from frames.ingest import NewEvent, append_events, event_id
from frames.models import AgentSession, EventKey, Frame
from frames.reach import frames_of, uuid_or_none
from frames.redact import redactor_for
from frames.signals import changed
from frames.telling import tell_events
from frames.transfer.rows.events import is_error, tool_of
from stackmemory.lib.uuid7 import uuid7
from workspaces.actor import Actor
from workspaces.limits import spend_events

MOST_EVENTS = 5_000
MOST_BYTES = 8 * 1024 * 1024


def append_batch(*, actor: Actor, events: Sequence[EventIn]) -> list[Answer]:
    """Append `events` and answer for each, in their order.

    An event's identity is its `source_id`, with `occurred_at` and `seq` where they are given (then
    the id derives from them, as an import's does); without `source_id` every call makes a new
    event. Two of one identity, here or in an earlier batch, are one event, and the second is a
    `duplicate`. What cannot be stored is `rejected`, and the others are stored all the same.
    Raises QuotaExceeded, and then nothing is stored.
    """
    actor.require("write")
    now = timezone.now()
    frames = _frames(actor, {event.frame for event in events if isinstance(event.frame, str)})
    answers = [check(event, frames, now) for event in events]
    accepted = [n for n, answer in enumerate(answers) if answer is None]
    # Before anything is written: making a month locks the whole table.
    partitions.ensure({_month(events[n], now) for n in accepted})
    prepared = _prepare(actor, [(n, events[n]) for n in accepted], frames, now)
    partitions.ensure({partitions.month_of(row.occurred_at) for _, row, _ in prepared})
    inserted = append_events(workspace=actor.workspace, rows=[row for _, row, _ in prepared])
    created = len(inserted)
    changed(actor.workspace, "event", inserted)
    created_in: dict[uuid.UUID, list[uuid.UUID]] = {}
    for number, row, redacted in prepared:
        new = row.id in inserted
        if new:
            created_in.setdefault(row.frame_id, []).append(row.id)
        inserted.discard(row.id)
        answers[number] = Answer("created" if new else "duplicate", row.id, redacted)
    for frame in {frame.pk: frame for frame in frames.values()}.values():
        if ids := created_in.get(frame.pk):
            tell_events(actor.workspace, frame, ids)
    _touch_sessions([frames[events[n].frame] for n in accepted])
    spend_events(actor.workspace, created)
    return [answer for answer in answers if answer is not None]


def _month(event: EventIn, now: datetime) -> date:
    return partitions.month_of(event.occurred_at or event.arrived_at or now)


def _frames(actor: Actor, refs: set[str]) -> dict[str, Frame]:
    """Frames by the reference that named them: two queries at most."""
    ids = {ref: id_ for ref in refs if (id_ := uuid_or_none(ref))}
    query = frames_of(actor).only(
        "id", "project_id", "session_id", "source_id", "workspace_id", "event_count",
        "visibility", "owner_id",
    )
    found: dict[str, Frame] = {}
    by_id = {frame.pk: frame for frame in query.filter(pk__in=ids.values())} if ids else {}
    for ref, id_ in ids.items():
        if id_ in by_id:
            found[ref] = by_id[id_]
    rest = {ref for ref in refs - set(found) if ref == plain(ref)}  # else no row has it
    if rest:
        found |= {frame.source_id: frame for frame in query.filter(source_id__in=rest)}
    return found


def _prepare(
    actor: Actor, accepted: list[tuple[int, EventIn]], frames: dict[str, Frame], now: datetime
) -> list[tuple[int, NewEvent, int]]:
    """(number, row, redactions) for each event, redacted and with its id."""
    redactor = redactor_for(actor.workspace)
    timeless = _timeless_ids(actor, [event for _, event in accepted if _is_timeless(event)])
    counts: dict[uuid.UUID, int] = {}
    prepared = []
    for number, event in accepted:
        frame = frames[event.frame]
        text, found = redactor.redact(event.text or "")
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
            id_ = event_id(actor.workspace, source_id, at, event.seq or 0)
        data = told(event)
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


def _touch_sessions(frames: list[Frame]) -> None:
    ids = {frame.session_id for frame in frames if frame.session_id}
    if ids:
        AgentSession.unscoped.filter(pk__in=ids).update(last_seen_at=timezone.now(), ended_at=None)
