"""How whoever acts reaches things: by our id or their own, within what they may see."""

from __future__ import annotations

from uuid import UUID

from django.db.models import Q

from frames.models import AgentSession, Anchor, Frame, Project, Task
from frames.models.frame import FrameQuerySet
from stackmemory.lib.refusal import NotFound
from workspaces.actor import Actor


def frames_of(actor: Actor) -> FrameQuerySet:
    """Frames the actor may see: of its project if it has one; private ones only if its own."""
    frames = Frame.objects.in_workspace(actor.workspace)
    if actor.project_id is not None:
        frames = frames.filter(project_id=actor.project_id)
    mine = Q(owner=actor.user) if actor.user else Q(pk__in=())
    return frames.filter(Q(visibility=Frame.Visibility.TEAM) | mine)


def find_frame(actor: Actor, ref: str, *, field: str = "frame", lock: bool = False) -> Frame:
    """The frame of this id, ours or the client's. Raises NotFound."""
    frames = frames_of(actor).select_related("project", "session", "owner")
    if lock:
        frames = frames.select_for_update(of=("self",))
    frame = frames.filter(by_ref(ref)).first()
    if frame is None:
        raise NotFound("frame", field=field)
    return frame


def find_project(actor: Actor, slug: str | None, *, field: str = "project") -> Project:
    """The project of this slug or id, or the actor's own where none is named. Raises NotFound."""
    projects = Project.objects.in_workspace(actor.workspace)
    if actor.project_id is not None:
        projects = projects.filter(pk=actor.project_id)
    if slug:
        id_ = uuid_or_none(slug)
        projects = projects.filter(Q(slug=slug) | Q(pk=id_) if id_ else Q(slug=slug))
    found = list(projects[:2])
    if len(found) != 1:
        raise NotFound("project" if slug else "single project to go by (name one)", field=field)
    return found[0]


def find_session(actor: Actor, ref: str, *, field: str = "session") -> AgentSession:
    sessions = AgentSession.objects.in_workspace(actor.workspace).select_related("project")
    if actor.project_id is not None:
        sessions = sessions.filter(project_id=actor.project_id)
    session = sessions.filter(by_ref(ref)).order_by("-last_seen_at").first()
    if session is None:
        raise NotFound("session", field=field)
    return session


def find_anchor(actor: Actor, ref: str, *, field: str = "anchor") -> Anchor:
    anchors = Anchor.objects.in_workspace(actor.workspace).select_related("frame", "project")
    if actor.project_id is not None:
        anchors = anchors.filter(project_id=actor.project_id)
    seen = Q(frame=None) | Q(frame__visibility=Frame.Visibility.TEAM)
    if actor.user:
        seen |= Q(frame__owner=actor.user)
    anchor = anchors.filter(by_ref(ref) & seen).first()
    if anchor is None:
        raise NotFound("anchor", field=field)
    return anchor


def find_task(actor: Actor, ref: str, *, field: str = "task") -> Task:
    tasks = Task.objects.in_workspace(actor.workspace).select_related("project", "frame")
    if actor.project_id is not None:
        tasks = tasks.filter(project_id=actor.project_id)
    task = tasks.filter(by_ref(ref)).first()
    if task is None:
        raise NotFound("task", field=field)
    return task


def by_ref(ref: str) -> Q:
    """A row by our id or by the client's own (`source_id`)."""
    id_ = uuid_or_none(ref)
    return Q(pk=id_) | Q(source_id=ref) if id_ else Q(source_id=ref)


def uuid_or_none(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
