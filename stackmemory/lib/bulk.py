"""Many rows in one statement, skipping those whose key is there already, on both engines."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from django.db import connection, models
from django.utils import timezone

from stackmemory.lib.uuid7 import uuid7

# SQLite takes 32,766 parameters a statement.
LOOKUP_CHUNK = 10_000
# From so many rows on, PostgreSQL gets them by COPY.
STAGED = 200
BLOCK = 1 << 18


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
    names = ", ".join(connection.ops.quote_name(c.column) for c in columns)
    insert = f"INSERT INTO {connection.ops.quote_name(model._meta.db_table)} ({names})"
    with connection.cursor() as cursor:
        if len(rows) < STAGED and _characters(rows) < BLOCK:
            text = json.dumps(rows, default=_plain, ensure_ascii=False, separators=(",", ":"))
            # Arrays, not objects: the names would be most of the bytes.
            picks = ", ".join(f"(r ->> {n})::{_cast(column)}" for n, column in enumerate(columns))
            source = f"SELECT {picks} FROM json_array_elements(%s::json) AS r"
            cursor.execute(f"{insert} {source} ON CONFLICT (id) DO NOTHING RETURNING id", [text])
            return {row[0] for row in cursor.fetchall()}
        # COPY is quickest (1.7 times the above), but is refused for a table with row-level
        # security and cannot skip rows; so into a table of the transaction's own, and from there.
        types = ", ".join(f"{connection.ops.quote_name(c.column)} {_cast(c)}" for c in columns)
        cursor.execute(f"CREATE TEMP TABLE staged_rows ({types}) ON COMMIT DROP")
        with cursor.copy("COPY staged_rows FROM STDIN") as copy:
            for block in _copy_blocks(rows):
                copy.write(block)
        cursor.execute(
            f"{insert} SELECT * FROM staged_rows ON CONFLICT (id) DO NOTHING RETURNING id"
        )
        inserted = {row[0] for row in cursor.fetchall()}
        cursor.execute("DROP TABLE staged_rows")
        return inserted


def _characters(rows: Sequence[Sequence[Any]]) -> int:
    return sum(len(value) for row in rows for value in row if isinstance(value, str))


def _copy_blocks(rows: Sequence[Sequence[Any]]) -> Iterator[bytes]:
    """Rows in COPY's text format, in blocks: a batch may hold values of many megabytes."""
    block: list[str] = []
    size = 0
    for row in rows:
        line = "\t".join([COPY_AS[type(value)](value) for value in row])
        block.append(line)
        size += len(line)
        if size > BLOCK:
            yield ("\n".join(block) + "\n").encode()
            block, size = [], 0
    if block:
        yield ("\n".join(block) + "\n").encode()


def _escaped(text: str) -> str:
    if "\\" in text:
        text = text.replace("\\", "\\\\")
    for raw, escaped in (("\n", "\\n"), ("\t", "\\t"), ("\r", "\\r")):
        if raw in text:
            text = text.replace(raw, escaped)
    return text


COPY_AS: dict[type, Callable[[Any], str]] = {
    str: _escaped,
    # Most rows of a batch share all of theirs but one.
    uuid.UUID: lru_cache(4096)(str),
    datetime: datetime.isoformat,
    bool: {True: "t", False: "f"}.__getitem__,
    int: str,
    float: repr,
    type(None): lambda _: "\\N",
}


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


def add_up(
    model: type[models.Model],
    keys: Sequence[str],
    sums: Sequence[str],
    rows: Mapping[tuple[Any, ...], Sequence[int]],
) -> None:
    """Add numbers to counters: key values → what to add to each of `sums`; missing rows are made.

    `keys` name the fields of a unique constraint. Rows are locked in the order of their keys, so
    that two writers cannot wait for each other.
    """
    fields = ("id", "created_at", *keys, *sums)
    columns = [_column(model, name) for name in fields]
    table = connection.ops.quote_name(model._meta.db_table)
    unique = ", ".join(_column(model, name) for name in keys)
    added = ", ".join(f"{c} = {table}.{c} + excluded.{c}" for c in columns[2 + len(keys) :])
    now = timezone.now()
    values = [(uuid7(), now, *key, *rows[key]) for key in sorted(rows)]
    with connection.cursor() as cursor:
        for start in range(0, len(values), 1000):
            part = values[start : start + 1000]
            marks = ", ".join([f"({', '.join(['%s'] * len(fields))})"] * len(part))
            cursor.execute(
                f"INSERT INTO {table} ({', '.join(columns)}) VALUES {marks}"
                f" ON CONFLICT ({unique}) DO UPDATE SET {added}",
                [_parameter(value) for row in part for value in row],
            )


def fold(
    model: type[models.Model], how: Mapping[str, str], rows: Mapping[uuid.UUID, Sequence[Any]]
) -> None:
    """Bring values into rows that are there: id → one value for each field of `how`.

    `how` says what a field does with its value: "add" it, or keep the "least" or "greatest" of
    both. Rows are locked in the order of their ids.
    """
    if not rows:
        return
    postgres = connection.vendor == "postgresql"
    table, ids = connection.ops.quote_name(model._meta.db_table), sorted(rows)
    if postgres and len(ids) > 1:
        query = model._base_manager.select_for_update(of=("self",)).filter(pk__in=ids)
        list(query.order_by("pk").values_list("pk"))
    values = [[_parameter(v) for v in (*rows[id_], id_)] for id_ in ids]
    # The value is a column of the list on PostgreSQL, and ?, ?2 … on SQLite.
    settings = []
    for number, (name, verb) in enumerate(how.items(), start=1):
        column, value = _column(model, name), f"v.v{number}" if postgres else f"?{number}"
        settings.append(f"{column} = " + FOLDS[verb][postgres].format(column, value))
    with connection.cursor() as cursor:
        if postgres:
            kinds = [_cast(model._meta.get_field(name)) for name in (*how, "id")]
            marks = f"({', '.join(f'%s::{kind}' for kind in kinds)})"
            names = ", ".join(f"v{n}" for n in range(1, len(kinds) + 1))
            cursor.execute(
                f"UPDATE {table} SET {', '.join(settings)} FROM"
                f" (VALUES {', '.join([marks] * len(values))}) AS v({names})"
                f" WHERE {table}.id = v.v{len(kinds)}",
                [value for row in values for value in row],
            )
        else:
            cursor.cursor.executemany(
                f"UPDATE {table} SET {', '.join(settings)} WHERE id = ?{len(how) + 1}", values
            )


# By whether it is PostgreSQL.
FOLDS = {
    "add": {True: "{0} + {1}", False: "{0} + {1}"},
    "least": {True: "least({0}, {1})", False: "min(coalesce({0}, {1}), {1})"},
    "greatest": {True: "greatest({0}, {1})", False: "max(coalesce({0}, {1}), {1})"},
}


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


def _column(model: type[models.Model], name: str) -> str:
    field = model._meta.get_field(name)
    return connection.ops.quote_name(str(getattr(field, "column", name)))


def _parameter(value: Any) -> Any:
    return value if connection.vendor == "postgresql" else _sqlite_value(value)


def _sqlite_value(value: Any) -> Any:
    if isinstance(value, uuid.UUID):
        return value.hex
    if isinstance(value, datetime):
        return connection.ops.adapt_datetimefield_value(value)
    return value
