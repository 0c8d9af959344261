"""Many rows in one statement, skipping those whose key is there already, on both engines."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import connection, models

# SQLite takes 32,766 parameters a statement.
LOOKUP_CHUNK = 10_000


def insert_new(
    model: type[models.Model], fields: Sequence[str], rows: Sequence[Sequence[Any]]
) -> set[uuid.UUID]:
    """Insert `rows` (values in the order of `fields`, the first being the key `id`).

    Returns the ids that were inserted; a row whose id exists is left as it is. Values are plain:
    UUID, str, int, float, bool, datetime, None; a JSON column takes its text.
    """
    if not rows:
        return set()
    columns = [model._meta.get_field(name) for name in fields]
    if connection.vendor == "postgresql":
        return _insert_postgres(model, columns, rows)
    return _insert_sqlite(model, columns, rows)


def _insert_postgres(
    model: type[models.Model], columns: list[Any], rows: Sequence[Sequence[Any]]
) -> set[uuid.UUID]:
    # One statement, one parse, one plan. COPY would be quicker, but not into a table with
    # row-level security. Arrays, not objects: the names would be most of the bytes.
    table = connection.ops.quote_name(model._meta.db_table)
    names = ", ".join(connection.ops.quote_name(c.column) for c in columns)
    picks = ", ".join(f"(r ->> {n})::{_cast(column)}" for n, column in enumerate(columns))
    sql = (
        f"INSERT INTO {table} ({names}) SELECT {picks} FROM json_array_elements(%s::json) AS r"
        " ON CONFLICT (id) DO NOTHING RETURNING id"
    )
    text = json.dumps(rows, default=_plain, ensure_ascii=False, separators=(",", ":"))
    with connection.cursor() as cursor:
        cursor.execute(sql, [text])
        return {row[0] for row in cursor.fetchall()}


def _insert_sqlite(
    model: type[models.Model], columns: list[Any], rows: Sequence[Sequence[Any]]
) -> set[uuid.UUID]:
    # SQLite has one writer at a time and transactions begin IMMEDIATE, so looking first is safe.
    there = present(model, [row[0] for row in rows])
    fresh, seen = [], set(there)
    for row in rows:
        if row[0] not in seen:
            seen.add(row[0])
            fresh.append(row)
    table = connection.ops.quote_name(model._meta.db_table)
    names = ", ".join(connection.ops.quote_name(c.column) for c in columns)
    marks = ", ".join(["%s"] * len(columns))
    with connection.cursor() as cursor:
        cursor.executemany(
            f"INSERT INTO {table} ({names}) VALUES ({marks})",
            [[_sqlite_value(value) for value in row] for row in fresh],
        )
    return {row[0] for row in fresh}


def present(model: type[models.Model], ids: Sequence[uuid.UUID]) -> set[uuid.UUID]:
    """Those of `ids` that are in the table."""
    found: set[uuid.UUID] = set()
    for start in range(0, len(ids), LOOKUP_CHUNK):
        chunk = ids[start : start + LOOKUP_CHUNK]
        query = model._base_manager.filter(pk__in=chunk)
        found.update(query.values_list("pk", flat=True))
    return found


def _cast(column: Any) -> str:
    kind = column.db_type(connection)
    return "text" if kind.startswith("varchar") else str(kind)


def _plain(value: Any) -> str:
    if isinstance(value, uuid.UUID):
        return str(value)
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} is not a plain value")


def _sqlite_value(value: Any) -> Any:
    if isinstance(value, uuid.UUID):
        return value.hex
    if isinstance(value, datetime):
        return connection.ops.adapt_datetimefield_value(value)
    return value
