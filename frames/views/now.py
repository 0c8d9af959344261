"""Now: is anything going on, and how quickly are we answered?"""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from frames import now as figures
from frames import overview
from workspaces.access import requires
from workspaces.request import WorkspaceRequest

SESSIONS = 8


@require_safe
@requires("read")
def now(request: WorkspaceRequest) -> HttpResponse:
    workspace, user, at = request.workspace, request.user, timezone.now()
    sessions = list(overview.latest_sessions(workspace, user, limit=SESSIONS))
    context = {
        "now": figures.figures(workspace, user, now=at),
        "width": figures.WIDTH,
        "height": figures.HEIGHT,
        "bar_width": figures.WIDTH / figures.MINUTES - 2,
        "live": [session for session in sessions if overview.is_live(session, at)],
        "days": figures.days(workspace, now=at),
    }
    return render(request, "frames/now.html", context)
