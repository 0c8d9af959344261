"""A project: where does the work stand? Its call stack as a tree."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.http import require_safe

from frames import stack, tree
from frames.frame_filter import SPANS, FrameFilter, facets
from frames.models import Frame, Project
from frames.views.listing import page_of, text_param
from stackmemory.lib.keyset import Page
from workspaces.access import may, requires
from workspaces.request import WorkspaceRequest

ROOTS, MATCHES, CHILDREN = 30, 50, 50


@require_safe
@requires("read")
def project(request: WorkspaceRequest, project_slug: str) -> HttpResponse:
    workspace, user = request.workspace, request.user
    found = get_object_or_404(workspace.projects.all(), slug=project_slug)
    asked = FrameFilter.from_query(request.GET)
    paths = tree.active_paths(
        stack.ancestors_and_self(workspace, stack.working_now(found, user))
        .visible_to(user)
        .select_related("owner")
        .only(*stack.ROW_FIELDS)
    )
    lit = {frame.pk for path in paths for frame in path}
    page, tops = _matching(request, found, asked, lit) if asked else _standing(request, found, lit)
    return render(
        request,
        "frames/project.html",
        {
            "project": found,
            "asked": asked,
            "facets": facets(found.frames.visible_to(user)),
            "spans": {value: label for value, (label, _) in SPANS.items()},
            "paths": [] if asked or text_param(request, "cursor") else paths,
            "page": page,
            "rows": tree.rows(tops),
            "may_import": may(request.membership.role, "import"),
        },
    )


def _standing(
    request: WorkspaceRequest, project: Project, lit: set[uuid.UUID]
) -> tuple[Page, list[tree.Node]]:
    """A page of roots with what lies below them, the latest work first."""
    workspace, user = request.workspace, request.user
    entries = stack.with_tree_sizes(stack.rows_for(stack.entry_points(project, user), user), user)
    page = page_of(request, entries, order=stack.NEWEST_FIRST, size=ROOTS)
    below = stack.descendants(workspace, user, _affordable(page.items))
    return page, tree.grow(page.items, below, lit=lit)


def _affordable(entries: Sequence[Any]) -> list[Frame]:
    """The entries whose trees fit on the page, from the top; the others open on demand."""
    chosen, room = [], stack.DESCENDANTS
    for entry in entries:
        if room > 0 and entry.tree_size > 1:
            chosen.append(entry)
            # A giant must not push out everything after it: only its last children are shown.
            room -= min(entry.tree_size - 1, stack.DESCENDANTS // 2)
    return chosen


def _matching(
    request: WorkspaceRequest, project: Project, asked: FrameFilter, lit: set[uuid.UUID]
) -> tuple[Page, list[tree.Node]]:
    """A page of the frames asked for, each with the frames above it."""
    workspace, user = request.workspace, request.user
    frames = asked.apply(project.frames.visible_to(user), now=timezone.now())
    page = page_of(request, frames.only(*stack.NAME_FIELDS), order=stack.NEWEST_FIRST, size=MATCHES)
    matches = {frame.pk for frame in page.items}
    above = stack.rows_for(stack.ancestors_and_self(workspace, matches), user)
    return page, tree.found(list(above), matches, lit=lit)


@require_safe
@requires("read")
def children(request: WorkspaceRequest, frame_id: uuid.UUID) -> HttpResponse:
    """The frames that one called, the last ones first; with ?part, rows to put into a tree."""
    workspace, user = request.workspace, request.user
    frame = get_object_or_404(
        workspace.frames.visible_to(user).select_related("project"), pk=frame_id
    )
    called = stack.rows_for(workspace.frames.filter(parent=frame), user)
    page = page_of(request, called, order=stack.NEWEST_FIRST, size=CHILDREN)
    rows = tree.rows(tree.grow(page.items[::-1], []))
    context = {"frame": frame, "project": frame.project, "page": page, "rows": rows}
    if "part" in request.GET:
        return render(request, "frames/_tree_part.html", context)
    path = stack.ancestors_and_self(workspace, [frame.pk]).visible_to(user)
    context["path"] = list(path.only(*stack.NAME_FIELDS))
    return render(request, "frames/frame_children.html", context)
