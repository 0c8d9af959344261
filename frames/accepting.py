"""An event as a client sends it, and whether it can be stored."""

from __future__ import annotations

import json
import uuid
from collections.abc import Container
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import msgspec

from frames.incoming import LONGEST_ID

LONGEST_TYPE = 100
# A sane moment: neither before there were such tools nor in the future by more than a day's skew.
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
SKEW = timedelta(days=1)

UNPARSED = object()

Outcome = Literal["created", "duplicate", "rejected"]


@dataclass(slots=True)
class EventIn:
    """An event as a client sends it. `frame` is our id or the client's own (`source_id`).

    `arrived_at` is when it happened as far as is known where that is no part of its identity.
    A caller that has the payload as JSON text gives UNPARSED and the `text`, which is kept word
    for word.
    """

    frame: str
    type: str
    payload: Any = field(default_factory=dict)
    source_id: str | None = None
    occurred_at: datetime | None = None
    seq: int | None = None
    arrived_at: datetime | None = None
    text: str | None = None


@dataclass(slots=True)
class Answer:
    outcome: Outcome
    id: uuid.UUID | None = None
    redacted: int = 0
    code: str = ""
    message: str = ""
    field: str = ""


def check(event: EventIn, frames: Container[str], now: datetime) -> Answer | None:
    """Why an event cannot be stored; None if it can. Its `text` is made here."""
    if not isinstance(event.frame, str) or event.frame not in frames:
        return rejected("not_found", "There is no frame with this id here.", "frame")
    if not isinstance(event.type, str) or not 0 < len(event.type) <= LONGEST_TYPE:
        return rejected("invalid", f"A type of 1 to {LONGEST_TYPE} characters is needed.", "type")
    if event.source_id is not None and not (
        isinstance(event.source_id, str) and 0 < len(event.source_id) <= LONGEST_ID
    ):
        message = f"A text of 1 to {LONGEST_ID} characters is needed."
        return rejected("invalid", message, "source_id")
    if event.seq is not None and not (type(event.seq) is int and -(2**63) <= event.seq < 2**63):
        return rejected("invalid", "A 64-bit integer is needed.", "seq")
    if event.occurred_at is not None and (problem := _untimely(event.occurred_at, now)):
        return rejected("invalid", problem, "occurred_at")
    if event.text is None:
        try:
            event.text = _as_text(event.payload)
        except RecursionError:
            return rejected("invalid", "It is nested too deeply.", "payload")
    return None


def told(event: EventIn) -> Any:
    """The payload as a value, as far as it may tell which tool it is of and whether it failed."""
    if event.payload is not UNPARSED:
        return event.payload
    text = event.text or ""
    if not ('"tool_name"' in text or '"success"' in text or '"isError"' in text):
        return None  # then it tells neither a tool nor a failure
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return None


def rejected(code: str, message: str, name: str = "") -> Answer:
    return Answer("rejected", code=code, message=message, field=name)


def _untimely(at: datetime, now: datetime) -> str:
    if at.tzinfo is None:
        return "Give the time with its zone, as 2026-01-31T12:00:00Z."
    if at < EARLIEST:
        return "The time is before the year 2000."
    if at > now + SKEW:
        return "The time is more than a day ahead of the server’s clock."
    return ""


def _as_text(payload: Any) -> str:
    """The payload as it is stored. Half characters stay in their escaped form."""
    text = json.dumps(payload, ensure_ascii=False, separators=(",", ":"))
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(payload, separators=(",", ":"))
    return text
