"""Home: what we and our agents have been doing, what was decided, what needs someone."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from frames import overview
from frames.chart import activity_chart
from workspaces.access import may, requires
from workspaces.request import WorkspaceRequest

SESSIONS = DECISIONS = ATTENTION = 6
PROJECTS = 8


@require_safe
@requires("read")
def home(request: WorkspaceRequest) -> HttpResponse:
    workspace, user = request.workspace, request.user
    may_import = may(request.membership.role, "import")
    now = timezone.now()
    projects = overview.project_rows(workspace, user)
    if not projects:
        return render(request, "frames/home_empty.html", {"may_import": may_import})
    sessions = list(overview.latest_sessions(workspace, user, limit=SESSIONS))
    return render(
        request,
        "frames/home.html",
        {
            "projects": projects[:PROJECTS],
            "projects_left": len(projects) - PROJECTS,
            "live": [s for s in sessions if overview.is_live(s, now)],
            "recent": [s for s in sessions if not overview.is_live(s, now)],
            "chart": activity_chart(
                workspace,
                {row.project.id: row.project.name for row in projects},
                zone=timezone.get_current_timezone(),
                now=now,
            ),
            "decisions": overview.latest_decisions(workspace, user, limit=DECISIONS),
            "attention": overview.needs_attention(workspace, user, now, limit=ATTENTION),
            "may_import": may_import,
        },
    )


@require_safe
@requires("read")
def projects(request: WorkspaceRequest) -> HttpResponse:
    workspace, user = request.workspace, request.user
    rows = overview.project_rows(workspace, user)
    return render(
        request,
        "frames/projects.html",
        {"projects": rows, "may_import": may(request.membership.role, "import")},
    )
