"""events ↔ Event."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from frames.models import Event
from frames.transfer.draft import Draft, leftover, with_leftover
from frames.transfer.values import BadText, Row, js, milliseconds


def event_fields(draft: Draft, *, fallback: datetime, run_id: str | None) -> dict[str, Any]:
    """Values for a NewEvent, except for ids; `fallback` stands in for a missing time.

    `run_id` is the run of the event's frame, which most of its events share.
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
    frame_id = row.get("frame_id")
    rebuilt = {
        "event_id": fields["source_id"],
        "run_id": run_id,
        "frame_id": frame_id if not isinstance(frame_id, BadText) else None,
        "seq": fields["seq"],
        "event_type": fields["type"],
        "payload": payload,
        "ts": milliseconds(at),
    }
    raw = leftover(row, rebuilt)
    return fields | {"source": js({"raw": raw}) if raw else None}


def event_row(event: Event, *, frame_id: str | None, run_id: str | None) -> Row:
    """The source row of an imported event; the ids are those its frame has in the source."""
    rebuilt: Row = {
        "event_id": event.source_id,
        "run_id": run_id,
        "frame_id": frame_id,
        "seq": event.seq,
        "event_type": event.type,
        "payload": event.payload,
        "ts": milliseconds(event.occurred_at),
    }
    return with_leftover(rebuilt, event.source)


def tool_of(data: Any) -> str:
    """The tool a payload speaks of, or an empty string."""
    name = data.get("tool_name") if isinstance(data, dict) else None
    return name[:200].replace("\x00", "") if isinstance(name, str) and name.isprintable() else ""


def is_error(kind: Any, data: Any) -> bool:
    """Whether an event tells of a failure: by its type, or by a result that says so."""
    if kind == "error":
        return True
    if not isinstance(data, dict):
        return False
    result = data.get("result")
    said = isinstance(result, dict) and result.get("isError") is True
    return data.get("success") is False or said
