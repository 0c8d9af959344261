"""A batch of events: from the bytes of a request to an answer for each event.

Not by way of the typed bodies that other operations have: one bad event must not spoil the rest, and
of every hundred microseconds an event may cost, most belong to the database.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import msgspec
from django.http import HttpResponse

from frames.accepting import UNPARSED, Answer, EventIn, rejected
from frames.appending import MOST_BYTES, MOST_EVENTS, append_batch
from stackmemory.lib.refusal import Refusal
from workspaces.actor import Actor

FIELDS = frozenset(("frame", "type", "payload", "source_id", "occurred_at", "seq"))


class TooManyEvents(Refusal):
    status = 413

    def __init__(self, number: int) -> None:
        super().__init__(
            "too_large",
            f"A batch holds at most {MOST_EVENTS:,} events; this one has {number:,}."
            " Send it in several parts.",
            field="events",
        )


class _Event(msgspec.Struct, forbid_unknown_fields=True):
    frame: str
    type: str
    payload: msgspec.Raw = msgspec.Raw(b"{}")
    source_id: str | None = None
    occurred_at: datetime | None = None
    seq: int | None = None


class _Batch(msgspec.Struct, forbid_unknown_fields=True):
    events: list[msgspec.Raw]


_batch = msgspec.json.Decoder(_Batch)
_one = msgspec.json.Decoder(_Event)


def answer_batch(actor: Actor, body: bytes) -> HttpResponse:
    """Append the events of a request's body and answer for each."""
    read = _read(body)
    events = [event for event in read if isinstance(event, EventIn)]
    stored = iter(append_batch(actor=actor, events=events))
    answers = [each if isinstance(each, Answer) else next(stored) for each in read]
    counts = {"created": 0, "duplicate": 0, "rejected": 0}
    for answer in answers:
        counts[answer.outcome] += 1
    told = {**counts, "results": [_told(answer) for answer in answers]}
    return HttpResponse(msgspec.json.encode(told), content_type="application/json")


def _read(body: bytes) -> list[EventIn | Answer]:
    """Each event, or what is wrong with its form. Payloads are not even parsed, but kept."""
    try:
        items = _batch.decode(body).events
    except (msgspec.DecodeError, RecursionError):
        # Not a batch; or one with half characters, which a stricter parser refuses.
        return [_from_value(item) for item in _items(body)]
    if len(items) > MOST_EVENTS:
        raise TooManyEvents(len(items))
    return [_from_text(item) for item in items]


def _from_text(item: msgspec.Raw) -> EventIn | Answer:
    try:
        event = _one.decode(item)
        text = bytes(event.payload).decode()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _from_bytes(bytes(item))
    return EventIn(
        event.frame, event.type, UNPARSED, event.source_id, event.occurred_at, event.seq, None, text
    )


def _from_bytes(item: bytes) -> EventIn | Answer:
    try:
        return _from_value(json.loads(item))
    except (ValueError, RecursionError):
        return rejected("invalid", "It is not UTF-8, or nested too deeply.", "payload")


def _items(body: bytes) -> list[Any]:
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        raise Refusal("invalid", "The body is not JSON that can be read.", field="body") from None
    items = data.get("events") if isinstance(data, dict) else None
    if not isinstance(items, list):
        raise Refusal("invalid", 'Send {"events": [ … ]}.', field="events")
    if unknown := set(data) - {"events"}:
        raise Refusal("invalid", f"There is no field “{min(unknown)}” here.", field=min(unknown))
    if len(items) > MOST_EVENTS:
        raise TooManyEvents(len(items))
    return items


def _from_value(item: Any) -> EventIn | Answer:
    if not isinstance(item, dict):
        return rejected("invalid", "An event is an object.")
    if not FIELDS.issuperset(item):
        unknown = min(set(item) - FIELDS)
        known = ", ".join(sorted(FIELDS))
        return rejected("invalid", f"There is no such field. Fields are {known}.", unknown)
    at = item.get("occurred_at")
    if at is not None:
        at = _moment(at)
        if at is None:
            message = "Give the time with its zone, as 2026-01-31T12:00:00Z."
            return rejected("invalid", message, "occurred_at")
    return EventIn(
        frame=item.get("frame", ""),
        type=item.get("type", ""),
        payload=item.get("payload", {}),
        source_id=item.get("source_id"),
        occurred_at=at,
        seq=item.get("seq"),
    )


def _moment(text: Any) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None


def _told(answer: Answer) -> dict[str, Any]:
    if answer.outcome == "rejected":
        error = {"code": answer.code, "message": answer.message}
        if answer.field:
            error["field"] = answer.field
        return {"outcome": "rejected", "error": error}
    told: dict[str, Any] = {"outcome": answer.outcome, "id": answer.id}
    if answer.redacted:
        told["redacted"] = answer.redacted
    return told


_OUTCOME = {
    "type": "object",
    "required": ["outcome"],
    "properties": {
        "outcome": {"enum": ["created", "duplicate", "rejected"]},
        "id": {"type": "string", "format": "uuid", "description": "Not where it was rejected."},
        "redacted": {"type": "integer", "description": "Secrets taken out; absent where none."},
        "error": {"$ref": "#/components/schemas/Problem"},
    },
}
# The library makes this of the types elsewhere; here the types are not used.
BATCH: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "title": "Batch",
                    "required": ["events"],
                    "additionalProperties": False,
                    "properties": {
                        "events": {
                            "type": "array",
                            "maxItems": MOST_EVENTS,
                            "items": {"$ref": "#/components/schemas/NewEvent"},
                            "description": f"At most {MOST_EVENTS:,}; the body at most"
                            f" {MOST_BYTES >> 20} MB, decompressed.",
                        }
                    },
                }
            }
        },
    },
    "responses": {
        200: {
            "description": "An outcome for each event, in the order they were sent",
            "content": {
                "application/json": {
                    "schema": {
                        "type": "object",
                        "title": "Outcomes",
                        "required": ["created", "duplicate", "rejected", "results"],
                        "properties": {
                            "created": {"type": "integer"},
                            "duplicate": {"type": "integer"},
                            "rejected": {"type": "integer"},
                            "results": {"type": "array", "items": _OUTCOME},
                        },
                    }
                }
            },
        }
    },
}
