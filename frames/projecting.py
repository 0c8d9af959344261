"""Projects' verbs: make one, change what it is called."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Max, Sum
from django.http import HttpRequest
from django.utils.text import slugify

from frames.calls import keep_revision
from frames.incoming import plain
from frames.models import Activity, Project
from frames.reach import anchors_of, frames_of, sessions_of, tasks_of
from frames.tasking import OPEN
from stackmemory.lib.refusal import Forbidden, Refusal
from workspaces import audit, news
from workspaces.actor import Actor
from workspaces.models.workspace import slug_validator


def create_project(
    *,
    actor: Actor,
    name: str,
    slug: str = "",
    repo_url: str = "",
    aliases: Sequence[str] = (),
    request: HttpRequest | None = None,
) -> tuple[Project, bool]:
    """(project, whether it was made); one with this slug is given as it is. Raises Refusal.

    Without `slug` it is made of the name.
    """
    actor.require("write")
    if actor.project_id is not None:
        raise Forbidden("forbidden", "This key is tied to a project and can make no other.")
    name = plain(name.strip())
    if not name:
        raise Refusal("invalid", "A project needs a name.", field="name")
    slug = slug or slugify(name)[:50].strip("-")
    _check_slug(slug)
    projects = Project.objects.in_workspace(actor.workspace)
    if known := projects.filter(slug=slug).first():
        return known, False
    project = Project(
        workspace=actor.workspace, slug=slug, name=name[:200], repo_url=plain(repo_url)[:500],
        aliases=_clean(aliases),
    )  # fmt: skip
    try:
        with transaction.atomic():
            project.save(force_insert=True)
    except IntegrityError:
        return projects.get(slug=slug), False  # a rival request made it first
    audit.record(
        workspace=actor.workspace, action="project.created", actor=actor.user, key=actor.key,
        target=project, after={"slug": slug, "name": project.name}, request=request,
    )  # fmt: skip
    news.tell(actor.workspace.pk, "project", "made", [project.pk], project=project.pk)
    return project, True


def change_project(
    *,
    actor: Actor,
    project: Project,
    name: str | None = None,
    repo_url: str | None = None,
    aliases: Sequence[str] | None = None,
) -> Project:
    """Call a project otherwise; its slug, which addresses are made of, stays."""
    actor.require("write")
    new: dict[str, Any] = {
        "name": plain(name.strip())[:200] if name is not None else None,
        "repo_url": plain(repo_url)[:500] if repo_url is not None else None,
        "aliases": _clean(aliases) if aliases is not None else None,
    }
    if new["name"] == "":
        raise Refusal("invalid", "A project needs a name.", field="name")
    changed = {n: v for n, v in new.items() if v is not None and getattr(project, n) != v}
    if changed:
        keep_revision(actor, project, tuple(changed))
        for field, value in changed.items():
            setattr(project, field, value)
        project.save(update_fields=list(changed))
    return project


def counts_of(actor: Actor, project: Project) -> dict[str, Any]:
    """What the actor sees of a project, in numbers; seven queries. Events are all of the project's."""
    frames = frames_of(actor).filter(project=project)
    activity = Activity.objects.in_workspace(actor.workspace).filter(project=project)
    sessions = sessions_of(actor).filter(project=project)
    return {
        "sessions": sessions.count(),
        "frames": frames.count(),
        "open_frames": frames.active().count(),
        "events": activity.aggregate(n=Sum("events"))["n"] or 0,
        "anchors": anchors_of(actor).filter(project=project).count(),
        "open_tasks": tasks_of(actor).filter(project=project, status__in=OPEN).count(),
        "last_seen_at": sessions.aggregate(at=Max("last_seen_at"))["at"],
    }


def _check_slug(slug: str) -> None:
    try:
        slug_validator(slug)
    except ValidationError as error:
        raise Refusal("invalid", str(error.messages[0]), field="slug") from None


def _clean(aliases: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(plain(alias.strip())[:500] for alias in aliases if alias.strip()))
