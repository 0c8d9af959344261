"""Events: appended one by one or in batches, read frame by frame."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any, Literal

from django.http import HttpRequest, HttpResponse
from ninja import Path, Query, Router
from pydantic import Field

from frames.accepting import EventIn
from frames.api.batch import BATCH, answer_batch
from frames.appending import MOST_BYTES, append_batch
from frames.cold import reading
from frames.models import Event
from frames.reach import find_frame, frames_of
from frames.timeline import id_range
from stackmemory.lib.contract import (
    In,
    Listed,
    Moment,
    Out,
    Paging,
    Ref,
    SourceId,
    Word,
    actor_of,
    page,
)
from stackmemory.lib.operations import permits
from stackmemory.lib.plainjson import load_strict
from stackmemory.lib.refusal import NotFound, Refusal

router = Router(tags=["Events"])


class NewEvent(In):
    frame: Ref
    type: Word = Field(description="user_message, tool_call, tool_result, error … any word.")
    payload: Any = Field({}, description="What happened, in any JSON. Kept word for word.")
    source_id: SourceId | None = None
    occurred_at: Moment | None = Field(
        None,
        description="When it happened; now, without. Given with a `source_id`, it is part of what"
        " the event is known by: send the same one again.",
    )
    seq: int | None = Field(
        None, ge=-(2**63), lt=2**63, description="Its place among events of one moment."
    )


class EventOut(Out):
    id: str
    frame: str
    session: str | None
    seq: int
    type: str
    payload: Any
    raw: bool = Field(description="The payload is no proper JSON and given as the text it is.")
    tool: str
    is_error: bool
    preview: bool = Field(
        description="`payload` is a large one’s beginning with its long values cut, as lists give"
        " it; the event by itself has all of it."
    )
    octets: int = Field(description="How many bytes the whole payload takes.")
    redactions: int = Field(description="How many secrets were taken out before it was stored.")
    source_id: str | None
    occurred_at: datetime
    created_at: datetime


class TimelinePaging(Paging):
    newest: bool = Field(False, description="The newest first.")


class Appended(Out):
    outcome: Literal["created", "duplicate"]
    id: str
    redacted: int = Field(description="How many secrets were taken out of it.")


@router.post("/events", response={201: Appended, 200: Appended}, summary="Append an event")
@permits("write", needs_room=False, most_bytes=MOST_BYTES)
def post_event(request: HttpRequest, body: NewEvent) -> Any:
    """201 when it is new; 200 when the `source_id` is known, and then nothing was added."""
    actor = actor_of(request)
    (answer,) = append_batch(actor=actor, events=[EventIn(**body.model_dump())])
    if answer.outcome == "rejected":
        if answer.code == "not_found":
            raise NotFound("frame", field=answer.field)
        raise Refusal(answer.code, answer.message, field=answer.field)
    status = 201 if answer.outcome == "created" else 200
    return status, Appended(outcome=answer.outcome, id=str(answer.id), redacted=answer.redacted)


@router.post("/events/batch", response={200: None}, summary="Append a batch", openapi_extra=BATCH)
@permits("write", needs_room=False, once=False, most_bytes=MOST_BYTES)
def post_batch(request: HttpRequest) -> HttpResponse:
    """Up to 5,000 events or 8 MB in one request, gzip welcome. Each is answered for, in order:
    `created`, `duplicate` (its `source_id` is known: nothing was added) or `rejected` with the
    reason, and then the others are stored all the same. Sending a batch again is harmless where
    its events have a `source_id`; it needs no Idempotency-Key."""
    return answer_batch(actor_of(request), request.body)


@router.get("/frames/{frame}/events", response=Listed[EventOut], summary="Get a frame’s timeline")
@permits("read")
def list_events(request: HttpRequest, frame: Path[Ref], paging: Query[TimelinePaging]) -> Any:
    """The oldest first, unless the newest are asked for. Of a large payload a `preview`."""
    actor = actor_of(request)
    found = find_frame(actor, frame)
    events = Event.objects.in_workspace(actor.workspace).filter(frame=found)
    if found.first_event_at and found.last_event_at:
        low, high = id_range(found.first_event_at, found.last_event_at)
        events = events.filter(id__gte=low, id__lt=high)  # so that few months are looked into
    else:
        events = events.none()
    order = ("occurred_at", "seq", "id")
    if paging.newest:
        order = ("-occurred_at", "-seq", "-id")
    return page(
        paging, events, order, lambda event: event_out(event, whole=False), reading.beside(found)
    )


@router.get("/events/{event}", response=EventOut, summary="Get an event")
@permits("read")
def get_event(request: HttpRequest, event: Path[uuid.UUID]) -> Any:
    actor = actor_of(request)
    events = Event.objects.in_workspace(actor.workspace).filter(pk=event)
    found = events.filter(frame__in=frames_of(actor)).first()
    if found is None:
        found = reading.find(actor.workspace.pk, [event]).get(event)
        if found is not None and not frames_of(actor).filter(pk=found.frame_id).exists():
            found = None
    if found is None:
        raise NotFound("event")
    return event_out(found)


def event_out(event: Event, *, whole: bool = True) -> EventOut:
    """As it is given out; `whole` fetches a large payload. Raises blobs.Lost."""
    text = event.text if whole else event.payload
    raw = False
    payload: Any
    try:
        payload = load_strict(text)
    except ValueError:
        payload, raw = text, True
    return EventOut(
        id=str(event.pk),
        frame=str(event.frame_id),
        session=str(event.session_id) if event.session_id else None,
        seq=event.seq,
        type=event.type,
        payload=payload,
        raw=raw,
        preview=not whole and event.stored_digest is not None,
        octets=event.stored_octets or len(event.payload.encode()),
        tool=event.tool,
        is_error=event.is_error,
        redactions=event.redactions,
        source_id=event.source_id,
        occurred_at=event.occurred_at,
        created_at=event.created_at,
    )
