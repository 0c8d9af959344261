"""What would have been accepted: for errors that a model can mend by itself."""

from __future__ import annotations

from django.db.models import Q

from frames.models import Frame, Project
from frames.reach import frames_of, sessions_of
from workspaces.actor import Actor
from workspaces.models import Membership

MOST = 50


def projects_to_choose(actor: Actor) -> list[str]:
    projects = Project.objects.in_workspace(actor.workspace)
    if actor.project_id is not None:
        projects = projects.filter(pk=actor.project_id)
    return list(projects.order_by("slug").values_list("slug", flat=True)[:MOST])


def sessions_to_choose(actor: Actor) -> list[str]:
    """The latest sessions of whoever asks."""
    sessions = sessions_of(actor).filter(user=actor.user).order_by("-last_seen_at")
    return [source_id or str(pk) for pk, source_id in sessions.values_list("pk", "source_id")[:5]]


def open_frames(actor: Actor, project: Project | None, *, limit: int = 5) -> list[Frame]:
    """Frames on top of a stack that whoever asks left open, the latest first."""
    frames = frames_of(actor).filter(owner=actor.user).active().select_related("project", "owner")
    if project is not None:
        frames = frames.filter(project=project)
    working_below = Frame.objects.in_workspace(actor.workspace).active().exclude(parent=None)
    tops = frames.exclude(pk__in=working_below.values("parent"))
    return list(tops.order_by("-started_at", "-id")[:limit])


def frames_to_choose(actor: Actor, project: Project | None) -> list[dict[str, str]]:
    return [
        {"id": str(frame.pk), "name": frame.name[:100]} for frame in open_frames(actor, project)
    ]


def members_to_choose(actor: Actor) -> list[str]:
    """Addresses of those who can take a frame over."""
    members = Membership.objects.in_workspace(actor.workspace).filter(user__is_active=True)
    working = members.filter(~Q(role=Membership.Role.VIEWER)).exclude(user=actor.user)
    return list(working.order_by("user__email").values_list("user__email", flat=True)[:MOST])
