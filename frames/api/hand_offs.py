"""Hand-offs: one person asks another to take a frame over."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any, Literal

from django.http import HttpRequest
from ninja import Path, Query, Router
from pydantic import Field

from frames.api.frames import FrameBrief, frame_brief
from frames.handing_off import answer, find_hand_off, hand_off, hand_offs_of, withdraw
from frames.models import HandOff
from frames.reach import find_frame
from stackmemory.lib.contract import In, Listed, Out, Paging, Ref, actor_of, page
from stackmemory.lib.operations import permits

router = Router(tags=["Hand-offs"])


class NewHandOff(In):
    to: str = Field(max_length=254, description="E-mail address of a member who may write.")
    message: str = Field("", max_length=10_000, description="What they need to know.")


class AnswerIn(In):
    message: str = Field("", max_length=10_000)


class HandOffFilter(Paging):
    box: Literal["", "in", "out"] = Field(
        "", description="in: handed to whoever made this key; out: handed by them."
    )
    state: Literal["", "pending", "accepted", "declined", "withdrawn"] = Field(
        "", description="Only in this state."
    )


class HandOffOut(Out):
    id: str
    frame: FrameBrief
    by: str | None = Field(description="E-mail address of who handed it off.")
    to: str = Field(description="E-mail address of whom it was handed to.")
    message: str
    state: str
    answer: str
    created_at: datetime
    answered_at: datetime | None


@router.post(
    "/frames/{frame}/hand-off",
    response={201: HandOffOut},
    summary="Hand a frame off",
    operation_id="hand_off_frame",
)
@permits("write")
def post_hand_off(request: HttpRequest, frame: Path[Ref], body: NewHandOff) -> Any:
    """Ask a member to take a frame over. It becomes theirs when they accept."""
    actor = actor_of(request)
    found = find_frame(actor, frame, lock=True)
    made = hand_off(actor=actor, frame=found, to=body.to, message=body.message)
    return 201, hand_off_out(actor, made)


@router.get("/hand-offs", response=Listed[HandOffOut], summary="List hand-offs")
@permits("read")
def list_hand_offs(request: HttpRequest, filters: Query[HandOffFilter]) -> Any:
    """The newest first."""
    actor = actor_of(request)
    found = hand_offs_of(actor)
    if filters.box:
        person = {"in": "to_user", "out": "from_user"}[filters.box]
        found = found.filter(**{person: actor.user}) if actor.user else found.none()
    if filters.state:
        found = found.filter(state=filters.state)
    return page(filters, found, ("-created_at", "-id"), lambda row: hand_off_out(actor, row))


@router.post("/hand-offs/{hand_off_id}/accept", response=HandOffOut, summary="Accept a hand-off")
@permits("write")
def post_accept(
    request: HttpRequest, hand_off_id: Path[uuid.UUID], body: AnswerIn | None = None
) -> Any:
    """The frame becomes yours. Only whom it was handed to can; 409 once it is answered."""
    return _answered(request, hand_off_id, True, body)


@router.post("/hand-offs/{hand_off_id}/decline", response=HandOffOut, summary="Decline a hand-off")
@permits("write")
def post_decline(
    request: HttpRequest, hand_off_id: Path[uuid.UUID], body: AnswerIn | None = None
) -> Any:
    """The frame stays whose it was."""
    return _answered(request, hand_off_id, False, body)


@router.post(
    "/hand-offs/{hand_off_id}/withdraw",
    response=HandOffOut,
    summary="Take a hand-off back",
    operation_id="withdraw_hand_off",
)
@permits("write")
def post_withdraw(request: HttpRequest, hand_off_id: Path[uuid.UUID]) -> Any:
    """Only who handed it off can, until it is answered."""
    actor = actor_of(request)
    found = find_hand_off(actor, str(hand_off_id))
    return hand_off_out(actor, withdraw(actor=actor, hand_off=found))


def _answered(
    request: HttpRequest, hand_off_id: uuid.UUID, accept: bool, body: AnswerIn | None
) -> HandOffOut:
    actor = actor_of(request)
    found = find_hand_off(actor, str(hand_off_id))
    words = body.message if body else ""
    return hand_off_out(actor, answer(actor=actor, hand_off=found, accept=accept, words=words))


def hand_off_out(actor: Any, found: HandOff) -> HandOffOut:
    return HandOffOut(
        id=str(found.pk),
        frame=frame_brief(actor, found.frame),
        by=found.from_user.email if found.from_user else None,
        to=found.to_user.email,
        message=found.message,
        state=found.state,
        answer=found.answer,
        created_at=found.created_at,
        answered_at=found.answered_at,
    )
