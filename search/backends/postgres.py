"""Candidates on PostgreSQL: GIN over tsvector, inside functions that row-level security allows."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

import numpy as np
from django.db import connection

if TYPE_CHECKING:
    from search.backends import Filters
    from workspaces.models import Workspace

COUNT_UP_TO = 20_000


def word_counts(workspace: Workspace, words: list[str], filters: Filters) -> dict[str, int]:
    """In how many documents of the searched projects each word stands."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT word, documents FROM search_word_counts(%s, %s::uuid[], %s)",
            [words, filters.projects, COUNT_UP_TO],
        )
        return dict(cursor.fetchall())


def by_text(
    workspace: Workspace, weights: dict[str, float], filters: Filters, most: int
) -> list[UUID]:
    """The documents that hold the weightiest words."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM search_candidates(%s, %s, %s, %s::uuid[], %s, %s, %s, %s, %s)",
            [
                list(weights), list(weights.values()), filters.person, filters.projects,
                filters.kinds, filters.types, filters.since, filters.until, most,
            ],
        )  # fmt: skip
        return [id_ for (id_,) in cursor.fetchall()]


def by_vector(
    workspace: Workspace, vector: np.ndarray, model: str, filters: Filters, most: int
) -> list[UUID]:
    """The documents whose vectors are nearest, compared exactly within the workspace."""
    where, parameters = conditions(filters)
    text = "[" + ",".join(f"{x:.6g}" for x in vector.tolist()) + "]"
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT d.id FROM search_embedding e JOIN search_document d ON d.id = e.document_id"
            f" WHERE e.workspace_id = %s AND e.model = %s{where}"
            # + 0 keeps the planner from an approximate index that loses recall under filters
            " ORDER BY (e.vector <=> %s::halfvec) + 0 LIMIT %s",
            [workspace.pk, model, *parameters, text, most],
        )
        return [id_ for (id_,) in cursor.fetchall()]


def conditions(filters: Filters) -> tuple[str, list[object]]:
    """The filters as SQL on a document `d`, with their parameters."""
    sql, parameters = " AND (d.private_to_id IS NULL OR d.private_to_id = %s)", [filters.person]
    for clause, value in (
        ("d.project_id = ANY(%s)", filters.projects),
        ("d.kind = ANY(%s)", filters.kinds),
        ("lower(d.type) = ANY(%s)", filters.types),
        ("d.at >= %s", filters.since),
        ("d.at < %s", filters.until),
    ):
        if value is not None:
            sql += f" AND {clause}"
            parameters.append(value)
    return sql, parameters
