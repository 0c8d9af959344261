"""Many rows in one statement, skipping those whose key is there already, on both engines."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from django.db import connection, models
from django.utils import timezone

from stackmemory.lib.along import carry_out
from stackmemory.lib.postgresql.cursors import BindingCursor
from stackmemory.lib.uuid7 import uuid7

# SQLite takes 32,766 parameters a statement.
LOOKUP_CHUNK = 10_000
# Up to so many rows and characters PostgreSQL gets them in one statement, beyond that by COPY.
AT_ONCE = 2_000
AT_ONCE_CHARACTERS = 4 << 20
BLOCK = 1 << 18
# Rows that are put into words together.
TOGETHER = 200


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
        number, ids = _insert_postgres(model, columns, rows, ("id",))
        return {row[0] for row in rows} if number == len(rows) else set(ids or ())
    return _insert_sqlite(model, columns, rows)


def insert_missing(
    model: type[models.Model],
    fields: Sequence[str],
    rows: Sequence[Sequence[Any]],
    unique: Sequence[str],
) -> int:
    """As insert_new(), where a row is there if one of the same `unique` fields is; how many were new."""
    if not rows:
        return 0
    columns = [model._meta.get_field(name) for name in fields]
    if connection.vendor == "postgresql":
        return _insert_postgres(model, columns, rows, unique)[0]
    with connection.cursor() as cursor:
        cursor.executemany(
            _sqlite_insert(model, columns) + " ON CONFLICT DO NOTHING",
            [[_sqlite_value(value) for value in row] for row in rows],
        )
        return int(cursor.rowcount)


def insert_all(
    model: type[models.Model],
    fields: Sequence[str],
    rows: Sequence[Sequence[Any]] | Sequence[bytes],
) -> None:
    """As insert_new(), of rows none of which is there; IntegrityError where one is.

    Not looking takes PostgreSQL a quarter less time. `rows` may be what encoded() made of them.
    """
    columns: list[Any] = [model._meta.get_field(name) for name in fields]
    if connection.vendor != "postgresql":
        with connection.cursor() as cursor:
            cursor.executemany(
                _sqlite_insert(model, columns),
                [[_sqlite_value(value) for value in row] for row in rows],
            )
        return
    names = ", ".join(connection.ops.quote_name(c.column) for c in columns)
    table = connection.ops.quote_name(model._meta.db_table)
    with connection.cursor() as cursor:
        _stage(cursor, columns, rows)
        cursor.execute(f"INSERT INTO {table} ({names}) SELECT * FROM staged_rows")
        cursor.execute("DROP TABLE staged_rows")


def encoded(rows: Sequence[Sequence[Any]]) -> Sequence[Sequence[Any]] | Sequence[bytes]:
    """Rows as insert_all() sends them: for a thread that has the time. Asks no database."""
    return list(_copy_blocks(rows)) if connection.vendor == "postgresql" else rows


def _insert_postgres(
    model: type[models.Model],
    columns: list[Any],
    rows: Sequence[Sequence[Any]],
    unique: Sequence[str],
) -> tuple[int, list[uuid.UUID] | None]:
    """How many rows were new, and the ids of those where not all were."""
    names = ", ".join(connection.ops.quote_name(c.column) for c in columns)
    insert = f"INSERT INTO {connection.ops.quote_name(model._meta.db_table)} ({names})"
    target = ", ".join(_column(model, name) for name in unique)
    if len(rows) <= AT_ONCE and _characters(rows) < AT_ONCE_CHARACTERS:
        return _insert_at_once(insert, target, columns, rows)
    with connection.cursor() as cursor:
        _stage(cursor, columns, rows)
        cursor.execute(_answering(f"{insert} SELECT * FROM staged_rows", target), [len(rows)])
        number, ids = cursor.fetchone()
        cursor.execute("DROP TABLE staged_rows")
        return number, ids


def _stage(
    cursor: Any, columns: list[Any], rows: Sequence[Sequence[Any]] | Sequence[bytes]
) -> None:
    """COPY is quickest for much, but is refused for a table with row-level security and cannot skip
    rows; so into a table of the transaction's own, and from there."""
    types = ", ".join(f"{connection.ops.quote_name(c.column)} {_cast(c)}" for c in columns)
    cursor.execute(f"CREATE TEMP TABLE staged_rows ({types}) ON COMMIT DROP")
    with cursor.copy("COPY staged_rows FROM STDIN") as copy:
        for block in rows if isinstance(rows[0], bytes) else _copy_blocks(rows):  # type: ignore[arg-type]
            copy.write(block)


def _insert_at_once(
    insert: str, target: str, columns: list[Any], rows: Sequence[Sequence[Any]]
) -> tuple[int, list[uuid.UUID] | None]:
    """Each column as one array; one that says the same of every row, once."""
    picks: list[str] = []
    arrays: list[tuple[str, str]] = []
    once: list[Any] = []
    for column, values in zip(columns, zip(*rows, strict=True), strict=True):
        cast, first = _cast(column), values[0]
        if picks and all(value is first for value in values):
            picks.append(f"%s::{cast}")
            once.append(first)
        else:
            picks.append(f"v{len(arrays)}")
            arrays.append((f"%s::{cast}[]", _as_array(values)))
    marks = ", ".join(mark for mark, _ in arrays)
    names = ", ".join(f"v{n}" for n in range(len(arrays)))
    rows_of = f"SELECT {', '.join(picks)} FROM unnest({marks}) AS rows({names})"
    with _binding_cursor() as cursor:
        texts = [text for _, text in arrays]
        cursor.execute(_answering(f"{insert} {rows_of}", target), [*once, *texts, len(rows)])
        number, ids = cursor.fetchone()
        return number, ids


@contextmanager
def _binding_cursor() -> Iterator[Any]:
    """A cursor whose values go beside the statement, neither quoted nor parsed with it."""
    from_driver: Any = BindingCursor(connection.connection)  # type: ignore[call-arg]
    make = connection.make_debug_cursor if connection.queries_logged else connection.make_cursor
    with make(from_driver) as cursor:
        yield cursor


def _answering(insert: str, target: str) -> str:
    return (
        f"WITH new AS ({insert} ON CONFLICT ({target}) DO NOTHING RETURNING id)"
        " SELECT count(*), CASE WHEN count(*) < %s THEN array_agg(id) END FROM new"
    )


def _as_array(values: Sequence[Any]) -> str:
    """An array in PostgreSQL's own words."""
    return "{" + ",".join([IN_ARRAY[type(value)](value) for value in values]) + "}"


def _quoted(text: str) -> str:
    if "\\" in text:
        text = text.replace("\\", "\\\\")
    if '"' in text:
        text = text.replace('"', '\\"')
    return f'"{text}"'


IN_ARRAY: dict[type, Callable[[Any], str]] = {
    str: _quoted,
    uuid.UUID: lambda value: f"{value.int:032x}",
    datetime: datetime.isoformat,
    bool: {True: "t", False: "f"}.__getitem__,
    int: str,
    float: repr,
    type(None): lambda _: "NULL",
}


def _characters(rows: Sequence[Sequence[Any]]) -> int:
    """About: a column whose first value is a text is one of texts."""
    texts = [place for place, value in enumerate(rows[0]) if isinstance(value, str)]
    return sum(len(row[place] or "") for row in rows for place in texts)


def _copy_blocks(rows: Sequence[Sequence[Any]]) -> Iterator[bytes]:
    """Rows in COPY's text format, in blocks: a batch may hold values of many megabytes."""
    for start in range(0, len(rows), TOGETHER):
        columns = [_encoded(values) for values in zip(*rows[start : start + TOGETHER], strict=True)]
        block = "\n".join(["\t".join(line) for line in zip(*columns, strict=True)]) + "\n"
        for at in range(0, len(block), BLOCK):
            yield block[at : at + BLOCK].encode()


def _encoded(values: Sequence[Any]) -> list[str]:
    """Each value for COPY; what stands in one row after the other is put into words once."""
    texts = []
    last, text = None, "\\N"
    for value in values:
        if value is not last:
            last, text = value, COPY_AS[type(value)](value)
        texts.append(text)
    return texts


def _escaped(text: str) -> str:
    if "\\" in text:
        text = text.replace("\\", "\\\\")
    for raw, escaped in (("\n", "\\n"), ("\t", "\\t"), ("\r", "\\r")):
        if raw in text:
            text = text.replace(raw, escaped)
    return text


COPY_AS: dict[type, Callable[[Any], str]] = IN_ARRAY | {
    str: _escaped,
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
    with connection.cursor() as cursor:
        cursor.executemany(
            _sqlite_insert(model, columns),
            [[_sqlite_value(value) for value in row] for row in fresh],
        )
    return {row[0] for row in fresh}


def _sqlite_insert(model: type[models.Model], columns: list[Any]) -> str:
    table = connection.ops.quote_name(model._meta.db_table)
    names = ", ".join(connection.ops.quote_name(c.column) for c in columns)
    return f"INSERT INTO {table} ({names}) VALUES ({', '.join(['%s'] * len(columns))})"


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
    for start in range(0, len(values), 1000):
        part = values[start : start + 1000]
        marks = ", ".join([f"({', '.join(['%s'] * len(fields))})"] * len(part))
        carry_out(
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
    if postgres:
        kinds = [_cast(model._meta.get_field(name)) for name in (*how, "id")]
        marks = f"({', '.join(f'%s::{kind}' for kind in kinds)})"
        names = ", ".join(f"v{n}" for n in range(1, len(kinds) + 1))
        carry_out(
            f"UPDATE {table} SET {', '.join(settings)} FROM"
            f" (VALUES {', '.join([marks] * len(values))}) AS v({names})"
            f" WHERE {table}.id = v.v{len(kinds)}",
            [value for row in values for value in row],
        )
        return
    with connection.cursor() as cursor:
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
