"""Candidates on SQLite: FTS5 over the same terms, vectors compared in numpy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

import numpy as np
from django.db import connection
from django.db.models import BinaryField, ExpressionWrapper, Q, Value
from django.db.models.expressions import RawSQL
from django.db.models.functions import Left

from search.backends.asked import HEAD, Filters, Light, Measured, Where
from search.beside import closest, spans
from search.filtering import NOTHING, filtered, seen_by
from search.models import Document

if TYPE_CHECKING:
    from workspaces.models import Workspace

HAS_NEAR_INDEXES = False


def word_counts(
    workspace: Workspace, words: list[str], projects: list[UUID] | None, most: int, *,
    with_total: bool = True,
) -> tuple[dict[str, int], int]:  # fmt: skip
    """In how many documents of the projects each word stands, counted up to `most`; and of how many."""
    where = "d.workspace_id = %s"
    parameters: list[Any] = [workspace.pk.hex]
    if projects is not None:
        where += f" AND d.project_id IN ({_marks(projects)})"
        parameters += [project.hex for project in projects]
    one = (
        " UNION ALL SELECT count(*) FROM (SELECT 1 FROM search_document_fts f"
        " JOIN search_document d ON d.rowid = f.rowid"
        f" WHERE search_document_fts MATCH %s AND {where} LIMIT %s)"
    )
    given = [each for word in words for each in (_quoted(word), *parameters, most)]
    total = f"SELECT count(*) FROM search_document d WHERE {where}" if with_total else "SELECT 0"
    with connection.cursor() as cursor:
        cursor.execute(total + one * len(words), [*(parameters if with_total else ()), *given])
        total, *counts = (n for (n,) in cursor.fetchall())
    return dict(zip(words, counts, strict=True)), total


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
    workspace: Workspace, vector: np.ndarray, where: Where, filters: Filters, most: int
) -> list[tuple[UUID, float]]:
    """The documents whose vectors are nearest and how near, compared exactly."""
    condition, parameters = _where(workspace, filters)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT d.id, e.vector FROM search_embedding e"
            " JOIN search_document d ON d.id = e.document_id"
            f" WHERE e.workspace_id = %s AND e.model = %s AND {condition}",
            [workspace.pk.hex, where.model, *parameters],
        )
        found = cursor.fetchall()
    near = _near([row for _, row in found], vector)
    best = np.argsort(-near, kind="stable")[:most]
    return [(UUID(found[n][0]), float(near[n])) for n in best]


def near_index(model: str, dimension: int, bucket: int) -> bool:
    """SQLite has none: vectors are compared exactly."""
    return False


def measured(
    workspace: Workspace, filters: Filters, ids: Sequence[UUID], words: list[str],
    vector: np.ndarray | None, model: str, closely: Sequence[str] | None,
) -> list[Measured]:  # fmt: skip
    """The documents as far as ranking goes by them; with text those that hold all words of `closely`.

    Without those that are gone or that the person of the filters may not see by now.
    """
    if not ids:
        return []
    rows = seen_by(Document.objects.in_workspace(workspace).filter(pk__in=ids), filters.person)
    stands = (
        '(SELECT e.vector FROM search_embedding e WHERE e.document_id = "search_document"."id"'
        " AND e.model = %s)"
    )
    like = RawSQL(stands, [model]) if vector is not None else Value(None)
    rows = rows.annotate(
        like=ExpressionWrapper(like, output_field=BinaryField()), beginning=Left("text", HEAD)
    )
    found = []
    fields = (*Light._fields, "terms", "title", "beginning", "like")
    for *light, terms, title, beginning, stored in rows.values_list(*fields):
        near = vector is not None and stored is not None
        read = closely is not None and all(word in terms for word in closely)
        found.append(
            Measured(
                Light._make(light),
                {word: terms[word] for word in words if word in terms},
                float(_near([stored], vector)[0]) if near else None,  # type: ignore[arg-type]
                f"{title}\n{beginning}" if read else None,
            )
        )
    return found


def beside(workspace: Workspace, filters: Filters, best: Sequence[Light]) -> list[Light]:
    """What stands next and next but one to each of these in its frame, of what passes the filters."""
    near = NOTHING
    for frame, first, last in spans(best):
        near |= Q(frame_id=frame, place__range=(first, last))
    rows = seen_by(filtered(workspace, filters).filter(near), filters.person)
    return closest([Light(*row) for row in rows.values_list(*Light._fields)], best)


def _near(vectors: list[bytes], vector: np.ndarray) -> np.ndarray:
    if not vectors:
        return np.zeros(0, dtype=np.float32)
    return np.frombuffer(b"".join(vectors), dtype=np.float32).reshape(len(vectors), -1) @ vector


def _where(workspace: Workspace, filters: Filters) -> tuple[str, list[Any]]:
    sql = ["d.workspace_id = %s"]
    parameters: list[Any] = [workspace.pk.hex]
    person = filters.person.hex if filters.person else None
    sql.append("(d.private_to_id IS NULL OR d.private_to_id = %s)")
    parameters.append(person)
    columns: tuple[tuple[str, list[str] | None], ...] = (
        (
            "d.project_id",
            [p.hex for p in filters.projects] if filters.projects is not None else None,
        ),
        ("d.kind", None if filters.either else filters.kinds),
        ("lower(d.type)", None if filters.either else filters.types),
    )
    for column, values in columns:
        if values is not None:
            sql.append(f"{column} IN ({_marks(values)})")
            parameters += values
    if filters.either:
        kinds, types = filters.kinds or [], filters.types or []
        sql.append(f"(d.kind IN ({_marks(kinds)}) OR lower(d.type) IN ({_marks(types)}))")
        parameters += [*kinds, *types]
    if filters.people is not None or filters.names is not None:
        people = [each.hex for each in filters.people or ()]
        names = filters.names or []
        sql.append(f"(d.owner_id IN ({_marks(people)}) OR lower(d.who) IN ({_marks(names)}))")
        parameters += [*people, *names]
    if filters.files is not None:
        sql.append("(" + " OR ".join("d.text REGEXP %s" for _ in filters.files) + ")")
        parameters += [f"(?i){pattern}" for pattern in filters.files]
    adapt = connection.ops.adapt_datetimefield_value
    bounds: tuple[tuple[str, Any], ...] = (
        ("d.at >= %s", filters.since and adapt(filters.since)),
        ("d.at < %s", filters.until and adapt(filters.until)),
        ("d.is_open = %s", filters.is_open),
        ("d.score >= %s", filters.least),
        ("d.score <= %s", filters.most),
    )
    for clause, value in bounds:
        if value is not None:
            sql.append(clause)
            parameters.append(value)
    return " AND ".join(sql), parameters


def _marks(values: Sequence[object]) -> str:
    return ", ".join(["%s"] * len(values))


def _quoted(word: str) -> str:
    return '"' + word.replace('"', '""') + '"'
