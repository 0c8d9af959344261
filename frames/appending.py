"""Appending a batch of events from a client: each one is answered for, none is lost by accident."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from django.utils import timezone

from frames import partitions
from frames.accepting import Answer, EventIn, check, told
from frames.incoming import plain
from frames.ingest import NewEvent, append_events, event_id, identities
from frames.models import AgentSession, EventKey, Frame
from frames.reach import frames_of, uuid_or_none
from frames.redact import redactor_for
from frames.signals import changed
from frames.telling import tell_events
from frames.transfer.rows.events import is_error, tool_of
from stackmemory.lib.bulk import insert_missing
from stackmemory.lib.uuid7 import random_at, uuid7
from workspaces.actor import Actor
from workspaces.limits import spend_events

MOST_EVENTS = 5_000
MOST_BYTES = 8 * 1024 * 1024
KEY_FIELDS = ("id", "workspace", "created_at", "digest", "event_id", "occurred_at")
# A session that was seen just now is not written to again.
JUST_NOW = timedelta(seconds=5)


def append_batch(*, actor: Actor, events: Sequence[EventIn], live: bool = True) -> list[Answer]:
    """Append `events` and answer for each, in their order.

    `live` says that they happen about now; what is told of the past wakes no session.

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
    moments = [events[n].occurred_at or events[n].arrived_at or now for n in accepted]
    partitions.be_sure_of(partitions.months_of(moments))
    prepared = _prepare(actor, [(n, events[n]) for n in accepted], frames, now)
    partitions.be_sure_of(partitions.months_of([row.occurred_at for _, row, _ in prepared]))
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
    if live:
        _touch_sessions((frames[ref] for ref in {events[n].frame for n in accepted}), now)
    spend_events(actor.workspace, created)
    return [answer for answer in answers if answer is not None]


def _frames(actor: Actor, refs: set[str]) -> dict[str, Frame]:
    """Frames by the reference that named them: two queries at most."""
    ids = {ref: id_ for ref in refs if (id_ := uuid_or_none(ref))}
    query = frames_of(actor).select_related("session").only(
        "id", "project_id", "session_id", "source_id", "workspace_id", "event_count",
        "visibility", "owner_id", "session__last_seen_at", "session__ended_at",
    )  # fmt: skip
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
    identity = identities(actor.workspace)
    counts: dict[uuid.UUID, int] = {}
    prepared = []
    for number, event in accepted:
        frame = frames[event.frame]
        text, found = redactor.redact(event.text or "")
        redactions = sum(found.values()) if found else 0
        source_id = event.source_id
        at = event.occurred_at or now
        # Without a number of its own an event goes behind those of its frame, in the batch's order.
        place = counts[frame.pk] = counts.get(frame.pk, frame.event_count) + 1
        seq = place if event.seq is None else event.seq
        if source_id is None:
            id_ = random_at(at, seq)
        elif event.occurred_at is None:
            id_, at = timeless[source_id]
        else:
            id_ = identity(at, source_id, event.seq or 0)
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
    digests = {digest for digest, _ in names.values()}
    known = _keys(actor, digests)
    now = timezone.now()
    rows = [
        (uuid7(), actor.workspace.pk, now, digest,
         event_id(actor.workspace, digest, at, 0) if at else uuid7(), at or now)
        # sorted, so that two writers lock in one order
        for digest, at in sorted(dict(names.values()).items())
        if digest not in known
    ]  # fmt: skip
    if insert_missing(EventKey, KEY_FIELDS, rows, ("workspace", "digest")) == len(rows):
        known |= {digest: (id_, at) for _, _, _, digest, id_, at in rows}
    else:  # somebody else's arrived meanwhile
        known = _keys(actor, digests)
    return {source_id: known[digest] for source_id, (digest, _) in names.items()}


def _keys(actor: Actor, digests: set[str]) -> dict[str, tuple[uuid.UUID, datetime]]:
    keys = EventKey.objects.in_workspace(actor.workspace).filter(digest__in=digests)
    return {d: (id_, at) for d, id_, at in keys.values_list("digest", "event_id", "occurred_at")}


def _digest(source_id: str) -> str:
    return hashlib.sha256(source_id.encode("utf-8", "surrogatepass")).hexdigest()


def _touch_sessions(frames: Iterable[Frame], now: datetime) -> None:
    """They are going on, whatever was said of their end."""
    ids = {
        session.pk
        for session in (frame.session for frame in frames)
        if session and (session.ended_at or now - session.last_seen_at > JUST_NOW)
    }
    if ids:
        AgentSession.unscoped.filter(pk__in=ids).update(last_seen_at=now, ended_at=None)
