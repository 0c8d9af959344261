"""Sessions: the runs of agents, newest first."""

from __future__ import annotations

from django.db.models import Count, Sum
from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from frames import overview
from frames.models import AgentSession, Frame
from frames.views.listing import chosen_project, page_of, text_param
from workspaces.access import requires
from workspaces.models import User, Workspace
from workspaces.request import WorkspaceRequest

ORDER = ("-last_seen_at", "-id")
PEOPLE = 200


@require_safe
@requires("read")
def sessions(request: WorkspaceRequest) -> HttpResponse:
    workspace, user = request.workspace, request.user
    projects, project = chosen_project(request)
    people = list(User.objects.filter(memberships__workspace=workspace).order_by("name")[:PEOPLE])
    by = next((p for p in people if str(p.id) == text_param(request, "by")), None)
    text = text_param(request, "q")
    found = AgentSession.objects.in_workspace(workspace).select_related("user", "project")
    if project:
        found = found.filter(project=project)
    if by:
        found = found.filter(user=by)
    if text:
        found = found.filter(branch__icontains=text)
    found = found.annotate(about=overview.session_topic(workspace, user))
    page = page_of(request, found, order=ORDER)
    _attach_figures(page.items, workspace, user)
    return render(
        request,
        "frames/sessions.html",
        {
            "page": page,
            "projects": projects,
            "project": project,
            "people": people,
            "by": by,
            "text": text,
            "filtered": bool(project or by or text),
        },
    )


def _attach_figures(sessions: list[AgentSession], workspace: Workspace, user: User) -> None:
    """Count the frames, events and errors of the sessions on this page. One query."""
    rows = (
        Frame.objects.in_workspace(workspace)
        .visible_to(user)
        .filter(session__in=[s.id for s in sessions])
        .order_by()
        .values("session")
        .annotate(frames=Count("id"), events=Sum("event_count"), errors=Sum("error_count"))
    )
    figures = {row["session"]: row for row in rows}
    now = timezone.now()
    for session in sessions:
        session.figures = figures.get(session.id, {"frames": 0, "events": 0, "errors": 0})  # type: ignore[attr-defined]
        session.live = overview.is_live(session, now)  # type: ignore[attr-defined]
