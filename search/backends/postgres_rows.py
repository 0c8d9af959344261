"""What PostgreSQL reads of candidates and of what stands beside them.

Row by row through the keys, whatever the planner thinks of it: it cannot know how few rows are asked
for, and would go through all documents or frames of a large workspace.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import numpy as np
from django.db import connection

from search.backends.asked import HEAD, Filters, Light, Measured
from search.ranking import NEIGHBOURS, REACH

if TYPE_CHECKING:
    from workspaces.models import Workspace

COLUMNS = (
    "d.id, d.object_id, d.frame_id, d.place, extract(epoch FROM d.at)::float8, d.length, d.kind,"
    " d.type, d.is_open, d.score, d.pinned, d.superseded, d.project_id, d.owner_id,"
    " nullif(d.aliases, '[]')"
)
# A document may lag behind its frame by a job: never one of a frame that is somebody else's now.
SEEN = (
    "(d.frame_id IS NULL OR (SELECT f.visibility = 'team' OR f.owner_id = %s"
    " FROM frames_frame f WHERE f.id = d.frame_id))"
)
# How often a word stands in a document, as its cover density with every position weighing one.
TIMES = "ts_rank_cd('{1,1,1,1}', d.terms, %s::tsquery)"
# Of more words than this it is quicker to look through all that a document has.
FEW = 12
HELD = (
    "(SELECT json_object_agg(t.lexeme, coalesce(cardinality(t.positions), 1))"
    " FROM unnest(d.terms) t WHERE t.lexeme = ANY(%s))"
)
ALIKE = (
    "(SELECT -(e.vector <#> %s::halfvec) FROM search_embedding e"
    " WHERE e.document_id = d.id AND e.model = %s)"
)


def measured(
    workspace: Workspace, filters: Filters, ids: Sequence[UUID], words: list[str],
    vector: np.ndarray | None, model: str, closely: Sequence[str] | None,
) -> list[Measured]:  # fmt: skip
    """The documents as far as ranking goes by them; with text those that hold all words of `closely`.

    Without those that are gone or that the person of the filters may not see by now.
    """
    if not ids:
        return []
    few = len(words) <= FEW
    held = f"ARRAY[{', '.join([TIMES] * len(words))}]" if few else HELD
    parameters: list[Any] = [quoted(word) for word in words] if few else [words]
    if vector is not None:
        parameters += [as_text(vector), model]
    text = "NULL"
    if closely is not None:
        text = f"d.title || E'\\n' || left(d.text, {HEAD})"
    if closely:
        text = f"CASE WHEN d.terms @@ %s::tsquery THEN {text} END"
        parameters.append(" & ".join(map(quoted, closely)))
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {COLUMNS}, {held}, {ALIKE if vector is not None else 'NULL'}, {text}"
            " FROM unnest(%s::uuid[]) AS wanted (id), LATERAL (SELECT * FROM search_document s"
            " WHERE s.id = wanted.id AND s.workspace_id = %s OFFSET 0) d"
            f" WHERE {SEEN}",
            [*parameters, list(ids), workspace.pk, filters.person],
        )
        found = cursor.fetchall()
    return [
        Measured(
            _light(row),
            {w: int(n) for w, n in zip(words, held, strict=True) if n} if few else _json(held) or {},
            likeness, text,
        )
        for *row, held, likeness, text in found
    ]  # fmt: skip


def beside(workspace: Workspace, filters: Filters, best: Sequence[Light]) -> list[Light]:
    """What stands next and next but one to each of these in its frame, of what passes the filters.

    The frames are those of documents that may be seen, so they are not asked about again.
    """
    condition, parameters = conditions(filters)
    row = "(d.place, d.at, d.id)"
    one = (
        f"(SELECT * FROM search_document d WHERE d.workspace_id = %s AND d.frame_id = this.frame_id"
        f" AND d.place BETWEEN {{first}} AND {{last}}"
        f" AND {row} {{sign}} (this.place, this.at, this.id){condition}"
        f" ORDER BY d.place {{way}}, d.at {{way}}, d.id {{way}} LIMIT {len(NEIGHBOURS)})"
    )
    before = one.format(first=f"this.place - {REACH}", last="this.place", sign="<", way="DESC")
    after = one.format(first="this.place", last=f"this.place + {REACH}", sign=">", way="ASC")
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {COLUMNS} FROM unnest(%s::uuid[]) AS wanted (id),"
            " LATERAL (SELECT s.id, s.frame_id, s.place, s.at FROM search_document s"
            " WHERE s.id = wanted.id AND s.workspace_id = %s OFFSET 0) this,"
            f" LATERAL ({before} UNION ALL {after}) d",
            [[each.pk for each in best], workspace.pk, *(workspace.pk, *parameters) * 2],
        )  # fmt: skip
        found = cursor.fetchall()
    return list({row[0]: _light(row) for row in found}.values())


def _light(row: Sequence[Any]) -> Light:
    at = datetime.fromtimestamp(row[4], UTC)
    return Light._make((*row[:4], at, *row[5:14], _json(row[14]) or []))


def _json(value: Any) -> Any:
    """Django's connections give JSON as text, others as what it says."""
    return json.loads(value) if isinstance(value, str) else value


def conditions(filters: Filters) -> tuple[str, list[Any]]:
    """The filters as SQL on a document `d`, with their parameters."""
    sql = " AND (d.private_to_id IS NULL OR d.private_to_id = %s)"
    parameters: list[Any] = [filters.person]
    clauses: tuple[tuple[str, Any], ...] = (
        ("d.project_id = ANY(%s)", filters.projects),
        ("d.kind = ANY(%s)", None if filters.either else filters.kinds),
        ("lower(d.type) = ANY(%s)", None if filters.either else filters.types),
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
    if filters.either:
        sql += " AND (d.kind = ANY(%s) OR lower(d.type) = ANY(%s))"
        parameters += [filters.kinds or [], filters.types or []]
    if filters.people is not None or filters.names is not None:
        sql += " AND (d.owner_id = ANY(%s) OR lower(d.who) = ANY(%s))"
        parameters += [filters.people or [], filters.names or []]
    return sql, parameters


def as_text(vector: np.ndarray) -> str:
    return "[" + ",".join(f"{x:.6g}" for x in vector.tolist()) + "]"


def quoted(word: str) -> str:
    """A lexeme in tsquery's input syntax."""
    return "'" + word.replace("\\", "\\\\").replace("'", "''") + "'"
