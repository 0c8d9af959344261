"""Tasks: what is to be done, and what was."""

from __future__ import annotations

from urllib.parse import urlsplit

from django.db.models import Count, F
from django.db.models.functions import Left
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from frames.models import Task
from frames.views.listing import chosen_project, page_of, text_param
from workspaces.access import requires
from workspaces.request import WorkspaceRequest

ORDER = ("-opened_at", "-id")
STATUSES = 12


@require_safe
@requires("read")
def tasks(request: WorkspaceRequest) -> HttpResponse:
    workspace, user = request.workspace, request.user
    projects, project = chosen_project(request)
    text = text_param(request, "q")
    within = Task.objects.in_workspace(workspace).visible_to(user)
    if project:
        within = within.filter(project=project)
    if text:
        within = within.filter(title__icontains=text)
    counts = dict(within.order_by().values_list("status").annotate(n=Count("id")))
    chosen = text_param(request, "status")
    found = within.filter(status=chosen) if chosen else within
    found = (
        found.select_related("project")
        .defer("description", "source")
        .annotate(about=Left("description", 600), frame_name=Left(F("frame__name"), 400))
    )
    page = page_of(request, found, order=ORDER)
    for task in page.items:
        task.links = external_links(task.external)
        task.labels = words(task.tags)
        task.waits_for = words(task.depends_on)
    return render(
        request,
        "frames/tasks.html",
        {
            "page": page,
            "projects": projects,
            "project": project,
            "text": text,
            "chosen": chosen,
            "statuses": _statuses(counts, chosen),
            "total": sum(counts.values()),
            "filtered": bool(project or text or chosen),
        },
    )


def _statuses(counts: dict[str, int], chosen: str) -> list[tuple[str, int]]:
    known = [value for value in Task.Status.values if value in counts]
    others = sorted(set(counts) - set(known), key=lambda value: -counts[value])[:STATUSES]
    if chosen and chosen not in known + others:
        others.append(chosen)
    return [(value, counts.get(value, 0)) for value in known + others]


def words(value: object, limit: int = 8) -> list[str]:
    """The texts of a list that a file may have filled with anything."""
    items = value if isinstance(value, list) else []
    return [item[:60] for item in items if isinstance(item, str) and item][:limit]


def external_links(external: object) -> list[tuple[str, str]]:
    """(label, url) of the trackers a task is known to; the url is empty unless it is a web page."""
    if not isinstance(external, dict):
        return []
    links = []
    for tracker, ref in list(external.items())[:4]:
        if not isinstance(ref, dict):
            continue
        label = str(ref.get("id") or ref.get("issue") or tracker)[:40]
        url = ref.get("url")
        links.append((label, url if isinstance(url, str) and is_web(url) else ""))
    return links


def is_web(url: str) -> bool:
    try:
        return urlsplit(url).scheme in ("http", "https")
    except ValueError:
        return False
