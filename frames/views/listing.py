"""What the list pages share: their project filter and their cursor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib import messages
from django.db.models import QuerySet

from frames.models import Project
from stackmemory.lib.keyset import Page, paginate
from workspaces.request import WorkspaceRequest

TEXT_LIMIT = 200


def text_param(request: WorkspaceRequest, name: str) -> str:
    """A text of the query string, bounded, without the NUL that PostgreSQL refuses."""
    return request.GET.get(name, "").replace("\x00", "").strip()[:TEXT_LIMIT]


def chosen_project(request: WorkspaceRequest) -> tuple[list[Project], Project | None]:
    """The workspace's projects by name, and the one ?project=slug asks for. One query."""
    projects = list(request.workspace.projects.order_by("name"))
    slug = text_param(request, "project")
    return projects, next((project for project in projects if project.slug == slug), None)


def page_of(
    request: WorkspaceRequest, queryset: QuerySet[Any], *, order: Sequence[str], size: int = 50
) -> Page:
    """The page ?cursor= asks for; a cursor of some other list says so and gives the first."""
    page = paginate(queryset, order=order, cursor=request.GET.get("cursor", ""), size=size)
    if page.lost:
        messages.warning(request, "That page could not be found again; here is the first one.")
    return page
