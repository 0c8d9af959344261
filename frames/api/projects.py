"""Projects: one for each repository."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from ninja import Path, Query, Router
from pydantic import Field

from frames.models import Project
from frames.projecting import change_project, counts_of, create_project
from frames.reach import find_project
from stackmemory.lib.contract import (
    In,
    Line,
    Listed,
    Out,
    Paging,
    Ref,
    Word,
    absolute,
    actor_of,
    page,
)
from stackmemory.lib.operations import permits

router = Router(tags=["Projects"])


class NewProject(In):
    name: Word
    slug: str = Field("", max_length=50, description="For addresses; made of the name without.")
    repo_url: Line = ""
    aliases: list[Line] = Field(
        [], max_length=100, description="Other names it goes by, such as ids in local stores."
    )


class ProjectChange(In):
    name: Word | None = None
    repo_url: Line | None = None
    aliases: list[Line] | None = Field(None, max_length=100)


class ProjectOut(Out):
    id: str
    slug: str
    name: str
    repo_url: str
    aliases: list[str]
    created_at: datetime
    url: str = Field(description="Its page, for people.")


class Counts(Out):
    sessions: int
    frames: int
    open_frames: int
    events: int
    anchors: int
    open_tasks: int
    last_seen_at: datetime | None


class CountedProject(ProjectOut):
    counts: Counts


@router.get("/projects", response=Listed[ProjectOut], summary="List projects")
@permits("read")
def list_projects(request: HttpRequest, paging: Query[Paging]) -> Any:
    """By slug. A key tied to a project sees that one."""
    actor = actor_of(request)
    projects = Project.objects.in_workspace(actor.workspace)
    if actor.project_id is not None:
        projects = projects.filter(pk=actor.project_id)
    return page(paging, projects, ("slug", "id"), lambda row: project_out(actor, row))


@router.post("/projects", response={201: ProjectOut, 200: ProjectOut}, summary="Make a project")
@permits("write")
def make_project(request: HttpRequest, body: NewProject) -> Any:
    """201 with the project; 200 with the one that has this slug already, unchanged."""
    actor = actor_of(request)
    project, made = create_project(
        actor=actor, name=body.name, slug=body.slug, repo_url=body.repo_url,
        aliases=body.aliases, request=request,
    )  # fmt: skip
    return 201 if made else 200, project_out(actor, project)


@router.get("/projects/{project}", response=CountedProject, summary="Get a project")
@permits("read")
def get_project(request: HttpRequest, project: Path[Ref]) -> Any:
    """By slug or id, with how much there is of it."""
    actor = actor_of(request)
    found = find_project(actor, project)
    counts = Counts(**counts_of(actor, found))
    return CountedProject(**project_out(actor, found).model_dump(), counts=counts)


@router.patch("/projects/{project}", response=ProjectOut, summary="Change a project")
@permits("write")
def patch_project(request: HttpRequest, project: Path[Ref], body: ProjectChange) -> Any:
    """Only the fields given are changed. Its slug stays, since addresses are made of it."""
    actor = actor_of(request)
    changed = change_project(
        actor=actor, project=find_project(actor, project), **body.model_dump(exclude_unset=True)
    )
    return project_out(actor, changed)


def project_out(actor: Any, project: Project) -> ProjectOut:
    return ProjectOut(
        id=str(project.pk),
        slug=project.slug,
        name=project.name,
        repo_url=project.repo_url,
        aliases=[str(alias) for alias in project.aliases],
        created_at=project.created_at,
        url=absolute(reverse("frames:project", args=[actor.workspace.slug, project.slug])),
    )
