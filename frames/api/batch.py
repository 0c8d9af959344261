"""A batch of events: from the bytes of a request to an answer for each event.

Not by way of the typed bodies that other operations have: one bad event must not spoil the rest, and
of every hundred microseconds an event may cost, most belong to the database.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from django.http import HttpResponse

from frames.appending import MOST_BYTES, MOST_EVENTS, Answer, EventIn, append_batch
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


def answer_batch(actor: Actor, body: bytes) -> HttpResponse:
    """Append the events of a request's body and answer for each."""
    read = [_event(item) for item in _items(body)]
    events = [event for event in read if isinstance(event, EventIn)]
    stored = iter(append_batch(actor=actor, events=events))
    answers = [each if isinstance(each, Answer) else next(stored) for each in read]
    counts = {"created": 0, "duplicate": 0, "rejected": 0}
    for answer in answers:
        counts[answer.outcome] += 1
    told = {**counts, "results": [_told(answer) for answer in answers]}
    text = json.dumps(told, separators=(",", ":"))
    return HttpResponse(text, content_type="application/json")


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


def _event(item: Any) -> EventIn | Answer:
    """An event as the verb takes it; what is wrong with its form is answered for here."""
    if not isinstance(item, dict):
        return Answer("rejected", code="invalid", message="An event is an object.")
    if not FIELDS.issuperset(item):
        unknown = min(set(item) - FIELDS)
        message = f"There is no field “{unknown}”. Fields are {', '.join(sorted(FIELDS))}."
        return Answer("rejected", code="invalid", message=message, field=unknown)
    at = item.get("occurred_at")
    if at is not None:
        at = _moment(at)
        if at is None:
            return Answer(
                "rejected", code="invalid", field="occurred_at",
                message="Give the time with its zone, as 2026-01-31T12:00:00Z.",
            )  # fmt: skip
    return EventIn(
        frame=item.get("frame", ""), type=item.get("type", ""), payload=item.get("payload", {}),
        source_id=item.get("source_id"), occurred_at=at, seq=item.get("seq"),
    )  # fmt: skip


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
    told: dict[str, Any] = {"outcome": answer.outcome, "id": str(answer.id)}
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
