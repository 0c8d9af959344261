"""How much the workspace stores and is asked."""

from __future__ import annotations

from datetime import UTC

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from frames.usage import figures
from workspaces.access import requires
from workspaces.request import WorkspaceRequest

SPANS = (7, 30, 90)


@require_safe
@requires("read")
def usage(request: WorkspaceRequest) -> HttpResponse:
    asked = request.GET.get("days", "")
    days = int(asked) if asked in map(str, SPANS) else 30
    names = dict(request.workspace.projects.values_list("id", "name"))
    today = timezone.now().astimezone(UTC).date()
    context = {
        "figures": figures(request.workspace, names, today=today, days=days),
        "days": days,
        "spans": SPANS,
    }
    return render(request, "frames/usage.html", context)
