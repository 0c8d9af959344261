"""One thing that a search found, whole."""

from __future__ import annotations

from uuid import UUID

from django.db.models.functions import Left

from frames.models import Project
from search.backends import HEAD, Filters
from search.filtering import filtered, seen_now
from search.models import Document
from search.searching import within
from workspaces.actor import Actor


def fetch_document(
    actor: Actor, object_id: UUID, *, project: Project | None = None
) -> Document | None:
    """The document of this object, if the actor may see it."""
    filters = within(actor, Filters(projects=[project.pk] if project else None))
    if project is not None and filters.projects != [project.pk]:
        return None
    rows = seen_now(filtered(actor.workspace, filters), actor.user).filter(object_id=object_id)
    rows = rows.annotate(head=Left("text", HEAD))  # type: ignore[no-redef]
    found: Document | None = rows.select_related("project", "frame").defer("terms").first()
    return found
