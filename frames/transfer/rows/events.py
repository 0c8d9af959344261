"""events ↔ Event."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from frames.cold import reading
from frames.cold.container import as_event
from frames.models import AgentSession, Event, Frame
from frames.transfer.draft import Draft, altered, leftover, with_leftover
from frames.transfer.values import Row, js, milliseconds

# Source columns and the fields that show them.
SHOWN_AS = {"seq": "seq", "event_type": "type", "payload": "text", "ts": "occurred_at"}


def event_fields(
    draft: Draft, *, fallback: datetime, frame_id: str, run_id: str | None
) -> dict[str, Any]:
    """Values for a NewEvent, except for ids; `fallback` stands in for a missing time.

    `frame_id` and `run_id` are the ids that its frame and session here have in the source.
    """
    row = draft.row
    payload = draft.text("payload")
    data = draft.check_json(payload)
    at = draft.time("ts")
    if at is None:
        draft.note("no_time")
        at = fallback
    fields: dict[str, Any] = {
        "type": draft.text("event_type"),
        "occurred_at": at,
        "payload": payload,
        "seq": draft.number("seq", 0),
        "tool": tool_of(data),
        "is_error": is_error(row.get("event_type"), data),
        "source_id": draft.identity("event_id"),
    }
    rebuilt = {
        "event_id": fields["source_id"],
        "run_id": run_id,
        "frame_id": frame_id,
        "seq": fields["seq"],
        "event_type": fields["type"],
        "payload": payload,
        "ts": milliseconds(at),
    }
    raw = leftover(row, rebuilt)
    return fields | {"source": js({"raw": raw}) if raw else None}


def with_origin(events: Any) -> Any:
    """With what event_row() needs of frame and session, and no more.

    A frame's documents can be megabytes, and would be read again for each of its events.
    """
    names = [field.name for field in Event._meta.concrete_fields]
    return events.select_related("frame", "session").only(
        *names, "frame__source_id", "session__source_id"
    )


def give_origin(events: Sequence[Event]) -> Sequence[Event]:
    """The same for events that come from no such query: two at most."""
    bare = [event for event in events if not Event.frame.is_cached(event)]  # type: ignore[attr-defined]
    if bare:
        frames = Frame.unscoped.only("source_id").in_bulk({e.frame_id for e in bare})
        wanted = {e.session_id for e in bare if e.session_id}
        sessions = AgentSession.unscoped.only("source_id").in_bulk(wanted)
        for event in bare:
            event.frame = frames[event.frame_id]
            event.session = sessions.get(event.session_id) if event.session_id else None
    return events


def moved_cold(
    workspace_id: uuid.UUID, of: Mapping[str, Any], source_ids: Collection[str]
) -> dict[str, Event]:
    """The events of these frames, `of` picks them, that have these source ids and are in cold storage."""
    if not source_ids:
        return {}
    frames = Frame.unscoped.filter(workspace=workspace_id, cold_count__gt=0, **of)
    rows = reading.of_frames(workspace_id, list(frames.values_list("pk", flat=True)))
    found = [as_event(row, workspace_id) for row in rows if row["source_id"] in source_ids]
    return {event.source_id or "": event for event in give_origin(found)}


def event_row(event: Event) -> Row:
    """The source row of an imported event (its frame and session should be at hand)."""
    rebuilt: Row = {
        "event_id": event.source_id,
        "run_id": event.session.source_id if event.session else None,
        "frame_id": event.frame.source_id,
        "seq": event.seq,
        "event_type": event.type,
        "payload": event.text,
        "ts": milliseconds(event.occurred_at),
    }
    return with_leftover(rebuilt, event.source)


def hidden(event: Event, row: Row) -> list[str]:
    """Columns of `row` whose value here is kept beside and whose shown one was altered."""

    def fields() -> dict[str, Any]:
        # An event without a time was given its frame's, which may have changed since.
        at = event.occurred_at
        told = event_fields(Draft(row, event.created_at), fallback=at, frame_id="", run_id=None)
        return told | {"text": told["payload"]}

    return altered(event, fields, SHOWN_AS)


def tool_of(data: Any) -> str:
    """The tool a payload speaks of, or an empty string."""
    name = data.get("tool_name") if isinstance(data, dict) else None
    return name[:200] if isinstance(name, str) and name.isprintable() else ""


def is_error(kind: Any, data: Any) -> bool:
    """Whether an event tells of a failure: by its type, or by a result that says so."""
    if kind == "error":
        return True
    if not isinstance(data, dict):
        return False
    result = data.get("result")
    said = isinstance(result, dict) and result.get("isError") is True
    return data.get("success") is False or said
