"""Candidates on PostgreSQL: GIN over tsvector, inside functions that row-level security allows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

import numpy as np
from django.db import connection

from search.backends.asked import Filters, Where
from search.backends.postgres_rows import as_text, beside, conditions, measured, quoted
from stackmemory.lib.along import carry_out

if TYPE_CHECKING:
    from workspaces.models import Workspace

__all__ = [
    "HAS_NEAR_INDEXES", "beside", "by_text", "by_vector", "measured", "near_index", "word_counts",
]  # fmt: skip
HAS_NEAR_INDEXES = True
# How far an index is walked: nearly half of what it gives may be of kinds nobody asked for, so some
# more than are wanted. And that it is, for the planner cannot know how few are looked at.
FEW, FAR, NOT_FAR = 30, 200, 100
WALK = (
    "SELECT set_config('hnsw.ef_search', %s, true),"
    " set_config('hnsw.iterative_scan', 'relaxed_order', true),"
    " set_config('hnsw.max_scan_tuples', '6000', true), set_config('enable_sort', 'off', true)"
)
WALKED = "SELECT set_config('enable_sort', 'on', true)"


def word_counts(
    workspace: Workspace, words: list[str], projects: list[UUID] | None, most: int, *,
    with_total: bool = True,
) -> tuple[dict[str, int], int]:  # fmt: skip
    """In how many documents of the projects each word stands, counted up to `most`; and of how many."""
    sql = "SELECT word, documents FROM search_word_counts(%s, %s::uuid[], %s)"
    parameters: list[Any] = [words, projects, most]
    if with_total:
        sql += " UNION ALL SELECT NULL, count(*) FROM search_document WHERE workspace_id = %s"
        parameters.append(workspace.pk)
        if projects is not None:
            sql += " AND project_id = ANY(%s)"
            parameters.append(projects)
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        counts = dict(cursor.fetchall())
    return counts, counts.pop(None, 0)


def by_text(
    workspace: Workspace, weights: dict[str, float], filters: Filters, most: int
) -> list[UUID]:
    """The documents that hold the weightiest words."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM search_candidates(%s::tsquery, %s, %s, %s, %s::uuid[], %s, %s, %s, %s,"
            " %s, %s::uuid[], %s, %s, %s, %s, %s, %s)",
            [
                " | ".join(map(quoted, weights)), list(weights), list(weights.values()),
                filters.person, filters.projects, filters.kinds, filters.types,
                filters.either, filters.since, filters.until, filters.people,
                filters.names, filters.is_open, filters.least, filters.most, filters.files, most,
            ],
        )  # fmt: skip
        return [id_ for (id_,) in cursor.fetchall()]


def by_vector(
    workspace: Workspace, vector: np.ndarray, where: Where, filters: Filters, most: int
) -> list[tuple[UUID, float]]:
    """The documents whose vectors are nearest and how near.

    Compared exactly in small workspaces. In large ones an approximate index is walked for as long
    as it takes to find enough that pass the filters; where few pass, those few are compared exactly.
    """
    if where.bucket is not None:
        found = _walked(workspace, vector, where, filters, most)
        if len(found) == most:
            return found
    elif filters == Filters(person=filters.person):
        nearest = _nearest(workspace, vector, where, filters, most)
        if nearest is not None:
            return nearest
    with connection.cursor() as cursor:
        condition, parameters = conditions(filters)
        cursor.execute(
            "SELECT d.id, -(e.vector <#> %s::halfvec) FROM search_embedding e"
            " JOIN search_document d ON d.id = e.document_id"
            f" WHERE e.workspace_id = %s AND e.model = %s{condition}"
            # + 0 keeps the planner from an approximate index, which filters make forgetful
            " ORDER BY (e.vector <#> %s::halfvec) + 0 LIMIT %s",
            [as_text(vector), workspace.pk, where.model, *parameters, as_text(vector), most],
        )
        return cursor.fetchall()


def _walked(
    workspace: Workspace, vector: np.ndarray, where: Where, filters: Filters, most: int
) -> list[tuple[UUID, float]]:
    """By the bucket's HNSW index. What is in the index is said by literals, as its predicate is."""
    condition, parameters = conditions(filters)
    size, text = int(where.dimension), as_text(vector)
    with connection.cursor() as cursor:
        carry_out(WALK, [str(NOT_FAR if most <= FEW else FAR)])
        cursor.execute(
            f"SELECT e.document_id, -(e.vector::halfvec({size}) <#> %s::halfvec({size})) AS near"
            # one by one, in the index's order: joined, all that passes would be gone through for each
            " FROM search_embedding e, LATERAL (SELECT FROM search_document d"
            f" WHERE d.id = e.document_id AND d.workspace_id = %s{condition} OFFSET 0) passing"
            f" WHERE e.bucket = {int(where.bucket or 0)} AND e.model = %s AND e.dimension = {size}"
            " AND e.workspace_id = %s"
            f" ORDER BY e.vector::halfvec({size}) <#> %s::halfvec({size}) LIMIT %s",
            [
                text,
                workspace.pk,
                *parameters,
                where.model,
                workspace.pk,
                text,
                most,
            ],
        )
        found = cursor.fetchall()
        carry_out(WALKED, [])
    return sorted(found, key=lambda row: (-row[1], row[0]))


def _nearest(
    workspace: Workspace, vector: np.ndarray, where: Where, filters: Filters, most: int
) -> list[tuple[UUID, float]] | None:
    """Exactly, reading documents of the nearest alone; None where too few of those may be seen."""
    condition, parameters = conditions(filters)
    with connection.cursor() as cursor:
        cursor.execute(
            "WITH nearest AS MATERIALIZED (SELECT e.document_id, e.vector <#> %s::halfvec AS away"
            " FROM search_embedding e WHERE e.workspace_id = %s AND e.model = %s"
            " ORDER BY (e.vector <#> %s::halfvec) + 0 LIMIT %s)"
            " SELECT d.id, -n.away, (SELECT count(*) FROM nearest) FROM nearest n"
            f" JOIN search_document d ON d.id = n.document_id WHERE true{condition}"
            " ORDER BY n.away, d.id LIMIT %s",
            [
                as_text(vector), workspace.pk, where.model, as_text(vector), 2 * most,
                *parameters, most,
            ],
        )  # fmt: skip
        rows = cursor.fetchall()
    if len(rows) < most and (not rows or rows[0][2] == 2 * most):
        return None
    return [(id_, near) for id_, near, _ in rows]


def near_index(model: str, dimension: int, bucket: int) -> bool:
    """Make the bucket's index where it is missing; whether there is one."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT search_near_index(%s, %s, %s)", [model, dimension, bucket])
        return bool(cursor.fetchone()[0])
