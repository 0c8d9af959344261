"""The tool that appends what happened."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Annotated, Any

from msgspec import Meta, Struct

from frames.appending import Answer, EventIn, append_batch
from frames.models import Frame
from stackmemory.lib.refusal import Refusal
from stackmemory.mcp.call import Call
from stackmemory.mcp.params import FRAME, IN_PROJECT, IN_SESSION, SOURCE_ID
from stackmemory.mcp.shapes import Shape, one_line, shorter
from stackmemory.mcp.tool import Given, tool

# More belongs to POST /api/v1/events/batch: a model does not write that much in one call.
MOST = 200


class NewEvent(Struct, kw_only=True, forbid_unknown_fields=True):
    type: Annotated[
        str,
        Meta(
            description="user_message, assistant_message, tool_call, tool_result, observation,"
            " artifact, error, or a word of your own.",
            min_length=1,
            max_length=100,
        ),
    ]
    payload: Annotated[
        Any,
        Meta(
            description="What happened: text or JSON, e.g. {“text”: “Tests pass”}, or for tools"
            " {“tool_name”: “Bash”, “tool_use_id”: “t1”, “tool_input”: {…}}."
        ),
    ] = {}
    source_id: SOURCE_ID = ""
    occurred_at: Annotated[
        datetime | None,
        Meta(description="When, with its zone, e.g. “2026-01-31T12:00:00Z”. Left out: now."),
    ] = None
    frame: Annotated[
        str, Meta(description="Its frame, if not that of the call.", max_length=500)
    ] = ""


class AppendEvents(Given, kw_only=True):
    events: Annotated[list[NewEvent], Meta(min_length=1, max_length=MOST)]
    frame: FRAME = ""
    session: IN_SESSION = ""
    project: IN_PROJECT = ""


class Outcome(Shape, kw_only=True):
    outcome: str
    id: str | None = None
    redactions: int = 0
    code: str = ""
    message: str = ""
    field: str = ""


class Appended(Shape, kw_only=True):
    created: int
    duplicate: int
    rejected: int
    # One for each event, in their order.
    outcomes: list[Outcome]


@tool(title="Append events")
def append_events(call: Call, given: AppendEvents) -> tuple[Appended, str]:
    """Note what happened: messages, tool calls and results, observations, errors.

    Each event is answered for by itself; what cannot be stored does not keep the others out.
    Secrets are taken out before anything is stored."""
    frame: Frame | None = None
    if not all(event.frame for event in given.events):
        frame = call.frame(given.frame, project=given.project, session=given.session)
    default = str(frame.pk) if frame else ""
    events = [
        EventIn(
            frame=event.frame or default,
            type=event.type,
            payload=event.payload,
            source_id=event.source_id or None,
            occurred_at=event.occurred_at,
        )
        for event in given.events
    ]
    answers = append_batch(actor=call.actor, events=events)
    counts = Counter(answer.outcome for answer in answers)
    if counts["rejected"] == len(answers):
        first = answers[0]
        raise Refusal(first.code, f"Nothing was stored. {first.message}", field=_place(0, first))
    words = ", ".join(
        f"{counts[name]} {name}" for name in ("created", "duplicate", "rejected") if counts[name]
    )
    words = f"{words}." + (
        f" In frame {frame.pk} “{shorter(one_line(frame.name), 80)}”." if frame else ""
    )
    if redacted := sum(answer.redacted for answer in answers):
        words += f" {redacted} secrets were taken out."
    for number, answer in enumerate(answers):
        if answer.outcome == "rejected":
            words += f"\n{_place(number, answer)}: {answer.message}"
    return Appended(
        created=counts["created"],
        duplicate=counts["duplicate"],
        rejected=counts["rejected"],
        outcomes=[_outcome(answer) for answer in answers],
    ), words


def _outcome(answer: Answer) -> Outcome:
    return Outcome(
        outcome=answer.outcome,
        id=str(answer.id) if answer.id else None,
        redactions=answer.redacted,
        code=answer.code,
        message=answer.message,
        field=answer.field,
    )


def _place(number: int, answer: Answer) -> str:
    return f"events[{number}].{answer.field}"
