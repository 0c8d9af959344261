"""Candidates on PostgreSQL: GIN over tsvector, inside functions that row-level security allows."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from uuid import UUID

import numpy as np
from django.db import connection
from django.db.models import FloatField, QuerySet, TextField
from django.db.models.expressions import RawSQL

from search.models import Document

if TYPE_CHECKING:
    from search.backends import Filters
    from workspaces.models import Workspace


def word_counts(
    workspace: Workspace, words: list[str], projects: list[UUID] | None, most: int
) -> tuple[dict[str, int], int]:
    """In how many documents of the projects each word stands, counted up to `most`; and of how many."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT word, documents FROM search_word_counts(%s, %s::uuid[], %s) UNION ALL"
            " SELECT NULL, count(*) FROM search_document WHERE workspace_id = %s"
            " AND (%s::uuid[] IS NULL OR project_id = ANY(%s))",
            [words, projects, most, workspace.pk, projects, projects],
        )
        counts = dict(cursor.fetchall())
    return counts, counts.pop(None)


def by_text(
    workspace: Workspace, weights: dict[str, float], filters: Filters, most: int
) -> list[UUID]:
    """The documents that hold the weightiest words."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM search_candidates(%s, %s, %s, %s::uuid[], %s, %s, %s, %s, %s::uuid[],"
            " %s, %s, %s, %s, %s, %s)",
            [
                list(weights), list(weights.values()), filters.person, filters.projects,
                filters.kinds, filters.types, filters.since, filters.until, filters.people,
                filters.names, filters.is_open, filters.least, filters.most, filters.files, most,
            ],
        )  # fmt: skip
        return [id_ for (id_,) in cursor.fetchall()]


def by_vector(
    workspace: Workspace, vector: np.ndarray, model: str, filters: Filters, most: int
) -> list[tuple[UUID, float]]:
    """The documents whose vectors are nearest and how near, compared exactly in the workspace."""
    where, parameters = conditions(filters)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT d.id, -(e.vector <#> %s::halfvec) FROM search_embedding e"
            " JOIN search_document d ON d.id = e.document_id"
            f" WHERE e.workspace_id = %s AND e.model = %s{where}"
            # + 0 keeps the planner from an approximate index that loses recall under filters
            " ORDER BY (e.vector <#> %s::halfvec) + 0 LIMIT %s",
            [_text(vector), workspace.pk, model, *parameters, _text(vector), most],
        )
        return cursor.fetchall()


def measured(
    rows: QuerySet[Any], words: list[str], vector: np.ndarray | None, model: str
) -> tuple[dict[UUID, Document], dict[UUID, dict[str, int]], dict[UUID, float]]:
    """The documents, how often each word stands in each, and how like the vector they are."""
    held = RawSQL(
        "(SELECT json_object_agg(t.lexeme, coalesce(cardinality(t.positions), 1))::text"
        ' FROM unnest("search_document"."terms") t WHERE t.lexeme = ANY(%s))',
        [words],
        output_field=TextField(),
    )
    rows = rows.annotate(held=held)
    if vector is not None:
        alike = RawSQL(
            "(SELECT -(e.vector <#> %s::halfvec) FROM search_embedding e"
            ' WHERE e.document_id = "search_document"."id" AND e.model = %s)',
            [_text(vector), model],
            output_field=FloatField(),
        )
        rows = rows.annotate(alike=alike)
    documents = {row.pk: row for row in rows}
    counts = {id_: json.loads(row.held or "{}") for id_, row in documents.items()}
    near = {id_: row.alike for id_, row in documents.items() if getattr(row, "alike", None)}
    return documents, counts, near


def conditions(filters: Filters) -> tuple[str, list[Any]]:
    """The filters as SQL on a document `d`, with their parameters."""
    sql = " AND (d.private_to_id IS NULL OR d.private_to_id = %s)"
    parameters: list[Any] = [filters.person]
    clauses: tuple[tuple[str, Any], ...] = (
        ("d.project_id = ANY(%s)", filters.projects),
        ("d.kind = ANY(%s)", filters.kinds),
        ("lower(d.type) = ANY(%s)", filters.types),
        ("d.at >= %s", filters.since),
        ("d.at < %s", filters.until),
        ("d.is_open = %s", filters.is_open),
        ("d.score >= %s", filters.least),
        ("d.score <= %s", filters.most),
        ("d.text ~* ANY(%s)", filters.files),
    )
    for clause, value in clauses:
        if value is not None:
            sql += f" AND {clause}"
            parameters.append(value)
    if filters.people is not None or filters.names is not None:
        sql += " AND (d.owner_id = ANY(%s) OR lower(d.who) = ANY(%s))"
        parameters += [filters.people or [], filters.names or []]
    return sql, parameters


def _text(vector: np.ndarray) -> str:
    return "[" + ",".join(f"{x:.6g}" for x in vector.tolist()) + "]"
