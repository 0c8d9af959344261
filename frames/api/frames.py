"""Frames: units of work on the call stack."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from ninja import Path, Query, Router
from pydantic import Field

from frames.calls import close_frame, promote_frame, reopen_frame, start_frame
from frames.models import Frame
from frames.reach import find_frame, find_project, find_session, frames_of
from stackmemory.lib.contract import (
    In,
    JsonObject,
    Line,
    Listed,
    Moment,
    Out,
    Paging,
    Ref,
    SourceId,
    Wanted,
    Word,
    absolute,
    actor_of,
    page,
)
from stackmemory.lib.operations import permits

router = Router(tags=["Frames"])
# What a list leaves out, and so need not fetch.
LARGE = ("inputs", "outputs", "digest", "metadata", "source")


class NewFrame(In):
    name: str = Field(min_length=1, max_length=2000)
    type: Word = Field("task", description="task, subtask, debug, review … any word of yours.")
    project: Line = Field(
        "", description="Slug or id; may be left out with a session, or where there is just one."
    )
    session: Ref | None = Field(None, description="The run it belongs to.")
    parent: Ref | None = Field(
        None,
        description="The frame it is a part of. Without, it goes on top of the session’s stack.",
    )
    inputs: JsonObject = Field({}, description="What it starts from.")
    constraints: list[Line] = Field([], max_length=100, description="What it has to keep to.")
    visibility: Literal["team", "private"] = "team"
    source_id: SourceId | None = None
    started_at: Moment | None = None


class Closing(In):
    result: str | None = Field(
        default=None, max_length=100_000, description="What came of it, in words."
    )
    outputs: JsonObject | None = Field(default=None, description="What came of it, for programs.")
    closed_at: Moment | None = None


class FrameFilter(Paging):
    project: Wanted = Field("", description="Only of this project (slug or id).")
    session: Wanted = Field("", description="Only of this session.")
    parent: Wanted = Field("", description="Only parts of this frame.")
    state: Wanted = Field("", description="active or closed, or another state a store brought.")
    type: Wanted = Field("", description="Only of this type.")


class FrameBrief(Out):
    id: str
    source_id: str | None
    project: str
    session: str | None
    parent: str | None
    root: str
    depth: int
    type: str
    name: str
    state: str
    visibility: str
    owner: str | None = Field(description="E-mail address.")
    digest_text: str = Field(description="What came of it, in a few lines; empty while it is open.")
    started_at: datetime
    closed_at: datetime | None
    event_count: int
    error_count: int
    anchor_count: int
    child_count: int
    last_event_at: datetime | None
    url: str = Field(description="Its page, for people.")


class FrameOut(FrameBrief):
    inputs: Any
    outputs: Any
    digest: Any = Field(description="What came of it, for programs.")
    metadata: Any


class Closed(FrameOut):
    also_closed: list[str] = Field(description="Ids of frames below it that were open, too.")


class Promoted(FrameOut):
    promoted: int = Field(description="How many frames the team sees now: it and those below.")


@router.post("/frames", response={201: FrameOut, 200: FrameOut}, summary="Start a frame")
@permits("write")
def post_frame(request: HttpRequest, body: NewFrame) -> Any:
    """201 with a new frame; 200 with the one this `source_id` became before."""
    actor = actor_of(request)
    session = find_session(actor, body.session) if body.session else None
    parent = find_frame(actor, body.parent, field="parent") if body.parent else None
    given = session or parent
    project = given.project if given and not body.project else find_project(actor, body.project)
    frame, made = start_frame(
        actor=actor, project=project, session=session, parent=parent, name=body.name,
        type=body.type, inputs=body.inputs, constraints=body.constraints,
        visibility=body.visibility, source_id=body.source_id, started_at=body.started_at,
    )  # fmt: skip
    return 201 if made else 200, frame_out(actor, frame)


@router.get("/frames", response=Listed[FrameBrief], summary="List frames")
@permits("read")
def list_frames(request: HttpRequest, filters: Query[FrameFilter]) -> Any:
    """Newest first. Private frames are in it only for the person whose they are."""
    actor = actor_of(request)
    frames = _filtered(actor, filters).select_related("project", "owner").defer(*LARGE)
    return page(filters, frames, ("-started_at", "-id"), lambda row: frame_brief(actor, row))


@router.get("/frames/{frame}", response=FrameOut, summary="Get a frame")
@permits("read")
def get_frame(request: HttpRequest, frame: Path[Ref]) -> Any:
    actor = actor_of(request)
    return frame_out(actor, find_frame(actor, frame))


@router.post("/frames/{frame}/close", response=Closed, summary="Close a frame")
@permits("write")
def post_close(request: HttpRequest, frame: Path[Ref], body: Closing | None = None) -> Any:
    """Its digest is made, and what is still open below it is closed first. Closing it again
    changes nothing."""
    actor = actor_of(request)
    found = find_frame(actor, frame, lock=True)
    closed = close_frame(actor=actor, frame=found, **(body or Closing()).model_dump())
    return Closed(
        **_fields(actor, found), also_closed=[str(each.pk) for each in closed if each != found]
    )


@router.post("/frames/{frame}/reopen", response=FrameOut, summary="Reopen a frame")
@permits("write")
def post_reopen(request: HttpRequest, frame: Path[Ref]) -> Any:
    """Put a closed frame back to work. What it returned stays in its history."""
    actor = actor_of(request)
    found = find_frame(actor, frame, lock=True)
    reopen_frame(actor=actor, frame=found)
    return frame_out(actor, found)


@router.post(
    "/frames/{frame}/promote",
    response=Promoted,
    summary="Show a private frame to the team",
    operation_id="promote_frame",
)
@permits("write")
def post_promote(request: HttpRequest, frame: Path[Ref]) -> Any:
    """Also shows the private frames below it. Only their owner can."""
    actor = actor_of(request)
    found = find_frame(actor, frame, lock=True)
    promoted = promote_frame(actor=actor, frame=found)
    return Promoted(**_fields(actor, found), promoted=promoted)


def _filtered(actor: Any, filters: FrameFilter) -> QuerySet[Frame]:
    frames = frames_of(actor)
    if filters.project:
        frames = frames.filter(project=find_project(actor, filters.project))
    if filters.session:
        frames = frames.filter(session=find_session(actor, filters.session))
    if filters.parent:
        frames = frames.filter(parent=find_frame(actor, filters.parent, field="parent"))
    if filters.state == Frame.ACTIVE:
        frames = frames.active()
    elif filters.state == Frame.CLOSED:
        frames = frames.filter(Q(closed_at__isnull=False) | Q(state=Frame.CLOSED))
    elif filters.state:
        frames = frames.filter(state=filters.state)
    if filters.type:
        frames = frames.filter(type=filters.type)
    return frames


def frame_brief(actor: Any, frame: Frame) -> FrameBrief:
    return FrameBrief(**_brief(actor, frame))


def frame_out(actor: Any, frame: Frame) -> FrameOut:
    return FrameOut(**_fields(actor, frame))


def _fields(actor: Any, frame: Frame) -> dict[str, Any]:
    large = {name: getattr(frame, name) for name in ("inputs", "outputs", "digest", "metadata")}
    return _brief(actor, frame) | large


def _brief(actor: Any, frame: Frame) -> dict[str, Any]:
    return {
        "id": str(frame.pk),
        "source_id": frame.source_id,
        "project": frame.project.slug,
        "session": str(frame.session_id) if frame.session_id else None,
        "parent": str(frame.parent_id) if frame.parent_id else None,
        "root": str(frame.root_id),
        "depth": frame.depth,
        "type": frame.type,
        "name": frame.name,
        "state": frame.state,
        "visibility": frame.visibility,
        "owner": frame.owner.email if frame.owner else None,
        "digest_text": frame.digest_text,
        "started_at": frame.started_at,
        "closed_at": frame.closed_at,
        "event_count": frame.event_count,
        "error_count": frame.error_count,
        "anchor_count": frame.anchor_count,
        "child_count": frame.child_count,
        "last_event_at": frame.last_event_at,
        "url": absolute(reverse("frames:frame", args=[actor.workspace.slug, frame.pk])),
    }
