"""How whoever acts reaches things: by our id or their own, within what they may see."""

from __future__ import annotations

from uuid import UUID

from django.db.models import Q

from frames.models import AgentSession, Anchor, Frame, Project, Task
from frames.models.anchor import AnchorQuerySet
from frames.models.frame import FrameQuerySet
from frames.models.task import TaskQuerySet
from stackmemory.lib.refusal import NotFound
from workspaces.actor import Actor
from workspaces.models import TenantQuerySet


def frames_of(actor: Actor) -> FrameQuerySet:
    """Frames the actor may see: of its project if it has one; private ones only if its own."""
    frames = Frame.objects.in_workspace(actor.workspace)
    if actor.project_id is not None:
        frames = frames.filter(project_id=actor.project_id)
    mine = Q(owner=actor.user) if actor.user else Q(pk__in=())
    return frames.filter(Q(visibility=Frame.Visibility.TEAM) | mine)


def anchors_of(actor: Actor) -> AnchorQuerySet:
    """Anchors the actor may see: those of frames it may see, and of none."""
    anchors: AnchorQuerySet = Anchor.objects.in_workspace(actor.workspace)
    return anchors.filter(_of_project(actor) & _of_seen_frame(actor))


def tasks_of(actor: Actor) -> TaskQuerySet:
    """Tasks the actor may see: those of frames it may see, and of none."""
    tasks: TaskQuerySet = Task.objects.in_workspace(actor.workspace)
    return tasks.filter(_of_project(actor) & _of_seen_frame(actor))


def sessions_of(actor: Actor) -> TenantQuerySet:
    sessions: TenantQuerySet = AgentSession.objects.in_workspace(actor.workspace)
    return sessions.filter(_of_project(actor))


def _of_project(actor: Actor) -> Q:
    return Q(project_id=actor.project_id) if actor.project_id is not None else Q()


def _of_seen_frame(actor: Actor) -> Q:
    seen = Q(frame=None) | Q(frame__visibility=Frame.Visibility.TEAM)
    return seen | Q(frame__owner=actor.user) if actor.user else seen


def find_frame(actor: Actor, ref: str, *, field: str = "frame", lock: bool = False) -> Frame:
    """The frame of this id, ours or the client's. Raises NotFound."""
    frames = frames_of(actor).select_related("project", "session", "owner")
    if lock:
        frames = frames.select_for_update(of=("self",))
    frame = next(iter(frames.filter(by_ref(ref))[:1]), None)
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
        called = Q(slug=slug) if "\x00" not in slug else Q(pk__in=())
        projects = projects.filter(called | Q(pk=id_) if id_ else called)
    found = list(projects[:2])
    if len(found) != 1:
        raise NotFound("project" if slug else "single project to go by (name one)", field=field)
    return found[0]


def find_session(actor: Actor, ref: str, *, field: str = "session") -> AgentSession:
    sessions = sessions_of(actor).select_related("project")
    session = sessions.filter(by_ref(ref)).order_by("-last_seen_at").first()
    if session is None:
        raise NotFound("session", field=field)
    return session


def find_anchor(actor: Actor, ref: str, *, field: str = "anchor") -> Anchor:
    anchors = anchors_of(actor).select_related("frame", "project")
    anchor = anchors.filter(by_ref(ref)).first()
    if anchor is None:
        raise NotFound("anchor", field=field)
    return anchor


def find_task(actor: Actor, ref: str, *, field: str = "task") -> Task:
    tasks = tasks_of(actor).select_related("project", "frame")
    task = tasks.filter(by_ref(ref)).first()
    if task is None:
        raise NotFound("task", field=field)
    return task


def by_ref(ref: str) -> Q:
    """A row by our id or by the client's own (`source_id`)."""
    if "\x00" in ref or not ref:
        return Q(pk__in=())  # no row is called that, and PostgreSQL refuses to look
    id_ = uuid_or_none(ref)
    return Q(pk=id_) | Q(source_id=ref) if id_ else Q(source_id=ref)


def uuid_or_none(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
