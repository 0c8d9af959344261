"""Candidates on SQLite: FTS5 over the same terms, vectors compared in numpy."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

import numpy as np
from django.db import connection
from django.db.models import Q, QuerySet

from search.models import Document, Embedding

if TYPE_CHECKING:
    from search.backends import Filters
    from workspaces.models import Workspace


def word_counts(workspace: Workspace, words: list[str], filters: Filters) -> dict[str, int]:
    """In how many documents of the searched projects each word stands."""
    where, parameters = _where(workspace, filters._replace(kinds=None, types=None, since=None,
                                                           until=None))  # fmt: skip
    sql = (
        "SELECT count(*) FROM search_document_fts f JOIN search_document d ON d.rowid = f.rowid"
        f" WHERE search_document_fts MATCH %s AND {where}"
    )
    counts = {}
    with connection.cursor() as cursor:
        for word in words:
            cursor.execute(sql, [_quoted(word), *parameters])
            counts[word] = cursor.fetchone()[0]
    return counts


def by_text(
    workspace: Workspace, weights: dict[str, float], filters: Filters, most: int
) -> list[UUID]:
    """The documents that hold the weightiest words, by FTS5's own BM25."""
    where, parameters = _where(workspace, filters)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT d.id FROM search_document_fts f JOIN search_document d ON d.rowid = f.rowid"
            f" WHERE search_document_fts MATCH %s AND {where}"
            " ORDER BY bm25(search_document_fts), d.id LIMIT %s",
            [" OR ".join(map(_quoted, weights)), *parameters, most],
        )
        return [UUID(id_) for (id_,) in cursor.fetchall()]


def by_vector(
    workspace: Workspace, vector: np.ndarray, model: str, filters: Filters, most: int
) -> list[UUID]:
    """The documents whose vectors are nearest, compared exactly."""
    rows = Embedding.objects.in_workspace(workspace).filter(model=model)
    rows = rows.filter(document__in=filtered(workspace, filters)).values_list("document", "vector")
    found = list(rows)
    if not found:
        return []
    near = np.stack([row for _, row in found]) @ vector
    best = np.argsort(-near, kind="stable")[:most]
    return [found[n][0] for n in best]


def filtered(workspace: Workspace, filters: Filters) -> QuerySet[Document]:
    """The documents that pass the filters."""
    documents = Document.objects.in_workspace(workspace)
    seen = Q(private_to=None)
    documents = documents.filter(seen | Q(private_to=filters.person) if filters.person else seen)
    for lookup, value in (
        ("project__in", filters.projects),
        ("kind__in", filters.kinds),
        ("at__gte", filters.since),
        ("at__lt", filters.until),
    ):
        if value is not None:
            documents = documents.filter(**{lookup: value})
    if filters.types is not None:
        types = Q(pk__in=())
        for name in filters.types:
            types |= Q(type__iexact=name)
        documents = documents.filter(types)
    return documents


def _where(workspace: Workspace, filters: Filters) -> tuple[str, list[object]]:
    sql, parameters = ["d.workspace_id = %s"], [workspace.pk.hex]
    person = filters.person.hex if filters.person else None
    sql.append("(d.private_to_id IS NULL OR d.private_to_id = %s)")
    parameters.append(person)
    for column, values in (
        ("d.project_id", filters.projects and [p.hex for p in filters.projects]),
        ("d.kind", filters.kinds),
        ("lower(d.type)", filters.types),
    ):
        if values is not None:
            sql.append(f"{column} IN ({', '.join(['%s'] * len(values))})")
            parameters += values
    adapt = connection.ops.adapt_datetimefield_value
    for clause, at in (("d.at >= %s", filters.since), ("d.at < %s", filters.until)):
        if at is not None:
            sql.append(clause)
            parameters.append(adapt(at))
    return " AND ".join(sql), parameters


def _quoted(word: str) -> str:
    return '"' + word.replace('"', '""') + '"'
