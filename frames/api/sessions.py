"""Sessions: one run of one agent client, and its stack of open frames."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from ninja import Path, Query, Router
from pydantic import Field

from frames.api.frames import FrameBrief, frame_brief
from frames.calls import active_stack, end_session, open_session
from frames.models import AgentSession
from frames.reach import find_project, find_session, sessions_of
from stackmemory.lib.contract import (
    In,
    Line,
    Listed,
    Moment,
    Out,
    Paging,
    Ref,
    SourceId,
    Wanted,
    absolute,
    actor_of,
    page,
)
from stackmemory.lib.operations import permits

router = Router(tags=["Sessions"])


class NewSession(In):
    project: Line = Field("", description="Slug or id; may be left out where there is just one.")
    source_id: SourceId | None = None
    client: Line = Field("", description="The program, for example claude-code.")
    branch: Line = ""
    host: Line = ""
    started_at: Moment | None = None


class SessionFilter(Paging):
    project: Wanted = Field("", description="Only of this project (slug or id).")
    active: bool | None = Field(None, description="true: only those that have not ended.")


class SessionOut(Out):
    id: str
    source_id: str | None
    project: str
    client: str
    branch: str
    host: str
    user: str | None = Field(description="E-mail address of the person whose run it is.")
    started_at: datetime
    last_seen_at: datetime
    ended_at: datetime | None
    url: str = Field(description="Its page, for people.")


class Stack(Out):
    frames: list[FrameBrief] = Field(description="From the root to the one being worked in.")


@router.post("/sessions", response={201: SessionOut, 200: SessionOut}, summary="Open a session")
@permits("write")
def post_session(request: HttpRequest, body: NewSession) -> Any:
    """201 with a new session; 200 with the one of this `source_id`, which then goes on."""
    actor = actor_of(request)
    given = body.model_dump(include={"source_id", "client", "branch", "host"})
    session, made = open_session(
        actor=actor, project=find_project(actor, body.project), at=body.started_at, **given
    )
    return 201 if made else 200, session_out(actor, session)


@router.get("/sessions", response=Listed[SessionOut], summary="List sessions")
@permits("read")
def list_sessions(request: HttpRequest, filters: Query[SessionFilter]) -> Any:
    """The one last seen first."""
    actor = actor_of(request)
    sessions = sessions_of(actor).select_related("project", "user")
    if filters.project:
        sessions = sessions.filter(project=find_project(actor, filters.project))
    if filters.active is not None:
        sessions = sessions.filter(ended_at__isnull=filters.active)
    order = ("-last_seen_at", "-id")
    return page(filters, sessions, order, lambda row: session_out(actor, row))


@router.get("/sessions/{session}", response=SessionOut, summary="Get a session")
@permits("read")
def get_session(request: HttpRequest, session: Path[Ref]) -> Any:
    actor = actor_of(request)
    return session_out(actor, find_session(actor, session))


@router.post("/sessions/{session}/end", response=SessionOut, summary="End a session")
@permits("write")
def post_end(request: HttpRequest, session: Path[Ref]) -> Any:
    """The run is over. Its open frames stay open: a later run may go on with them."""
    actor = actor_of(request)
    found = find_session(actor, session)
    end_session(found)
    return session_out(actor, found)


@router.get("/sessions/{session}/stack", response=Stack, summary="Get the active stack")
@permits("read")
def get_stack(request: HttpRequest, session: Path[Ref]) -> Any:
    """The open frames of a session, from the root to the one being worked in."""
    actor = actor_of(request)
    frames = active_stack(actor, find_session(actor, session))
    return Stack(frames=[frame_brief(actor, frame) for frame in frames])


def session_out(actor: Any, session: AgentSession) -> SessionOut:
    return SessionOut(
        id=str(session.pk),
        source_id=session.source_id,
        project=session.project.slug,
        client=session.client,
        branch=session.branch,
        host=session.host,
        user=session.user.email if session.user else None,
        started_at=session.started_at,
        last_seen_at=session.last_seen_at,
        ended_at=session.ended_at,
        url=absolute(reverse("frames:session", args=[actor.workspace.slug, session.pk])),
    )
