"""Anchors: what must not be forgotten."""

from __future__ import annotations

from django.db.models import Count, F
from django.db.models.functions import Left
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from frames.models import Anchor
from frames.views.listing import chosen_project, page_of, text_param
from workspaces.access import requires
from workspaces.request import WorkspaceRequest

ORDER = ("-pinned", "-noted_at", "-id")
TYPES = 12
# A text may be a megabyte long; a row of the list shows this much of it at most.
WORDS = 4000


@require_safe
@requires("read")
def anchors(request: WorkspaceRequest) -> HttpResponse:
    workspace, user = request.workspace, request.user
    projects, project = chosen_project(request)
    text, show = text_param(request, "q"), text_param(request, "show")
    within = Anchor.objects.in_workspace(workspace).visible_to(user)
    if project:
        within = within.filter(project=project)
    if text:
        within = within.filter(text__icontains=text)
    if show == "standing":
        within = within.standing()
    # Unknown types are types too, so the choice is made of what there is.
    counts = dict(within.order_by().values_list("type").annotate(n=Count("id")))
    chosen = text_param(request, "type")
    found = within.filter(type=chosen) if chosen else within
    found = (
        found.select_related("project")
        .defer("text", "metadata", "source")
        .annotate(words=Left("text", WORDS), frame_name=Left(F("frame__name"), 400))
    )
    page = page_of(request, found, order=ORDER)
    _attach_successors(page.items, Anchor.objects.in_workspace(workspace).visible_to(user))
    return render(
        request,
        "frames/anchors.html",
        {
            "page": page,
            "projects": projects,
            "project": project,
            "text": text,
            "show": show,
            "chosen": chosen,
            "types": _types(counts, chosen),
            "total": sum(counts.values()),
            "filtered": bool(project or text or show or chosen),
        },
    )


def _types(counts: dict[str, int], chosen: str) -> list[tuple[str, int]]:
    """The known types in their order, then others by number; always the chosen one."""
    known = [value for value in Anchor.Type.values if value in counts]
    others = sorted(set(counts) - set(known), key=lambda value: -counts[value])[:TYPES]
    if chosen and chosen not in known + others:
        others.append(chosen)
    return [(value, counts.get(value, 0)) for value in known + others]


def _attach_successors(anchors: list[Anchor], visible: object) -> None:
    """Give each superseded anchor the words of what replaced it, if the reader may see that. One query."""
    wanted = {a.superseded_by_id for a in anchors if a.superseded_by_id}
    rows = visible.filter(id__in=wanted).values_list("id", Left("text", 200)) if wanted else ()  # type: ignore[attr-defined]
    found = dict(rows)
    for anchor in anchors:
        anchor.successor = found.get(anchor.superseded_by_id)  # type: ignore[arg-type,attr-defined]
