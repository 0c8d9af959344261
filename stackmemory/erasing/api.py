"""Erasing, for programs: look at what would go, then say that you mean it."""

from __future__ import annotations

from typing import Any, Literal

from django.http import HttpRequest
from ninja import Path, Router
from pydantic import Field

from frames.models import AgentSession, Frame
from frames.reach import find_frame, find_session
from stackmemory.erasing import doing
from stackmemory.lib.contract import In, Out, Ref, actor_of
from stackmemory.lib.operations import permits

router = Router(tags=["Erasure"])


class Sure(In):
    confirm: Literal["erase"] = Field(description="The word “erase”: there is no way back.")


class ErasureOut(Out):
    frames: int = Field(description="This one, and those it called.")
    open: int = Field(description="Of them, how many are still open.")
    events: int
    anchors: int
    pinned: int = Field(description="Of the anchors, how many are pinned: they go as well.")
    tasks: int
    stay: int = Field(
        description="Frames below that are not yours to erase: they move up and stay."
    )
    quoted: int | None = Field(
        description="Contexts that quote something of it; that is taken out. null where there are too"
        " many contexts to look through while you wait."
    )
    state: str = Field(
        description="preview; erased; or erasing, where there is so much that a worker does it."
    )


@router.get("/frames/{frame}/erasure", response=ErasureOut, summary="Preview erasing a frame")
@permits("write")
def get_frame_erasure(request: HttpRequest, frame: Path[Ref]) -> Any:
    """What would go with it: all that happened in it, and the frames it called. For admins; of a
    private frame for its owner alone."""
    actor = actor_of(request)
    return _preview(actor, find_frame(actor, frame, field="id"))


@router.post("/frames/{frame}/erasure", response=ErasureOut, summary="Erase a frame")
@permits("write", needs_room=False)
def post_frame_erasure(request: HttpRequest, frame: Path[Ref], body: Sure) -> Any:
    """For good. It is not taken again, however it is sent: a later attempt gives 410. 409 while the
    project is under legal hold."""
    actor = actor_of(request)
    return _erase(request, find_frame(actor, frame, field="id"))


@router.get("/sessions/{session}/erasure", response=ErasureOut, summary="Preview erasing a session")
@permits("write")
def get_session_erasure(request: HttpRequest, session: Path[Ref]) -> Any:
    """What would go with a run: its frames with all they called, and what its agent was given."""
    actor = actor_of(request)
    return _preview(actor, find_session(actor, session, field="id"))


@router.post("/sessions/{session}/erasure", response=ErasureOut, summary="Erase a session")
@permits("write", needs_room=False)
def post_session_erasure(request: HttpRequest, session: Path[Ref], body: Sure) -> Any:
    """For good; what the run goes on to send is not kept, either."""
    actor = actor_of(request)
    return _erase(request, find_session(actor, session, field="id"))


def _preview(actor: Any, thing: Frame | AgentSession) -> ErasureOut:
    return _out(doing.told(doing.find(actor, thing)), "preview")


def _erase(request: HttpRequest, thing: Frame | AgentSession) -> ErasureOut:
    told = doing.erase_thing(actor_of(request), thing, request)
    return _out(told, "erasing" if told.by_worker else "erased")


def _out(told: doing.Told, state: str) -> ErasureOut:
    goes = told.goes
    return ErasureOut(
        frames=goes.frames, open=goes.open, events=goes.events, anchors=goes.anchors,
        pinned=goes.pinned, tasks=goes.tasks, stay=goes.moved, quoted=told.quoting, state=state,
    )  # fmt: skip
