"""The documents that pass the filters, as a queryset: for lists, neighbours and last checks."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from uuid import UUID

from django.db.models import Q, QuerySet

from frames.models import Frame
from search.models import Document

if TYPE_CHECKING:
    from search.backends.asked import Filters
    from workspaces.models import User, Workspace

NOTHING = Q(pk__in=())
# Understood alike by Python, which SQLite asks, and by PostgreSQL.
WILD = {"*": "[^ \\t\\n\\r\"'<>|]*", "?": ".", "-": "-", "/": "/", " ": " "}


def filtered(workspace: Workspace, filters: Filters) -> QuerySet[Document]:
    documents = Document.objects.in_workspace(workspace)
    seen = Q(private_to=None)
    documents = documents.filter(seen | Q(private_to=filters.person) if filters.person else seen)
    for lookup, value in (
        ("project__in", filters.projects),
        ("kind__in", None if filters.either else filters.kinds),
        ("at__gte", filters.since),
        ("at__lt", filters.until),
        ("is_open", filters.is_open),
        ("score__gte", filters.least),
        ("score__lte", filters.most),
    ):
        if value is not None:
            documents = documents.filter(**{lookup: value})
    types = None if filters.either else filters.types
    if filters.either:
        kinds = Q(kind__in=filters.kinds or ())
        documents = documents.filter(kinds | _any("type__iexact", filters.types or ()))
    for lookup, values in (("type__iexact", types), ("text__iregex", filters.files)):
        if values is not None:
            documents = documents.filter(_any(lookup, values))
    if filters.people is not None or filters.names is not None:
        theirs = Q(owner__in=filters.people or ())
        documents = documents.filter(theirs | _any("who__iexact", filters.names or ()))
    return documents


def seen_now(documents: QuerySet[Document], user: User | None) -> QuerySet[Document]:
    """Without those of a frame that is somebody else's private one at this moment.

    A document may lag behind its frame by a job; what is shown may not.
    """
    return seen_by(documents, user.pk if user else None)


def seen_by(documents: QuerySet[Document], person: UUID | None) -> QuerySet[Document]:
    mine = Q(frame__owner=person) if person else NOTHING
    return documents.filter(Q(frame=None) | Q(frame__visibility=Frame.Visibility.TEAM) | mine)


def file_pattern(glob: str) -> str:
    """A file's name or pattern (`*.py`, `src/*.ts`, `webhook.py`) as an expression over a text."""
    inside = "".join(WILD.get(letter) or re.escape(letter) for letter in glob)
    return rf"(^|[^A-Za-z0-9_]){inside}($|[^A-Za-z0-9_])"


def _any(lookup: str, values: object) -> Q:
    found = NOTHING
    for value in values:  # type: ignore[attr-defined]
        found |= Q(**{lookup: value})
    return found
