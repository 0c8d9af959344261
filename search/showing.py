"""A document as hits show it: with the names of what it belongs to, without its words and vectors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from django.db.models.functions import Left

from frames.models import Project
from search.backends import HEAD
from search.filtering import seen_now
from search.models import Document
from workspaces.actor import Actor
from workspaces.models import User

FIELDS = (
    "pk", "object_id", "kind", "type", "title", "who", "at", "place", "is_open", "score", "pinned",
    "superseded", "aliases", "project_id", "frame_id", "owner_id",
)  # fmt: skip
RELATED = ("frame__name", "owner__name", "owner__email")


class Named(NamedTuple):
    pk: UUID
    name: str


@dataclass(slots=True)
class Shown:
    """`head` is the beginning of the text; `text` is all of it, where that was asked for."""

    pk: UUID
    object_id: UUID
    kind: str
    type: str
    title: str
    who: str
    at: datetime
    place: int | None
    is_open: bool | None
    score: float | None
    pinned: bool
    superseded: bool
    aliases: list[str]
    project_id: UUID
    frame_id: UUID | None
    owner_id: UUID | None
    head: str
    project: Project
    frame: Named | None
    owner: User | None
    text: str = ""


def shown(actor: Actor, ids: Iterable[UUID], projects: Mapping[UUID, Project]) -> dict[UUID, Shown]:
    """The documents of these ids, without those that are gone by now, or of a frame that is somebody
    else's private one. `projects` are those that have been read already."""
    rows = seen_now(
        Document.objects.in_workspace(actor.workspace).filter(pk__in=list(ids)), actor.user
    )
    found = list(rows.values_list(*FIELDS, Left("text", HEAD), *RELATED))
    of_project = FIELDS.index("project_id")
    if missing := {row[of_project] for row in found} - projects.keys():
        more = Project.objects.in_workspace(actor.workspace).only("workspace_id", "slug", "name")
        projects = {**projects, **more.in_bulk(list(missing))}
    owners: dict[UUID, User] = {}
    kept = {}
    for *plain, head, frame_name, name, email in found:
        project_id, frame_id, owner_id = plain[of_project:]
        if project_id not in projects:
            continue
        if owner_id and owner_id not in owners:
            owners[owner_id] = User(pk=owner_id, name=name, email=email)
        frame = Named(frame_id, frame_name) if frame_id else None
        related = (projects[project_id], frame, owners.get(owner_id) if owner_id else None)
        values = zip(Shown.__slots__, (*plain, head, *related), strict=False)
        kept[plain[0]] = Shown(**dict(values))
    return kept
