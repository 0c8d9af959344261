"""Many rows put down beside their table first, to be looked through before one of them is in it.

On PostgreSQL they go into tables of the transaction's own by COPY in binary, which takes a third of
the time that its text does: nothing is escaped, nothing is parsed. SQLite has such tables as well.
Values are spelled as archives spell them: ids and moments as text, of one spelling each.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import repeat
from typing import Any, NamedTuple

import numpy as np
from django.db import connection, models
from django.db.models.functions import Cast

from stackmemory.lib.jsontext import OrderedJSONField

# Rows and bytes of one table: what is moved with one statement.
ROWS_AT_ONCE, BYTES_AT_ONCE = 32_000, 32 << 20
# A statement for each megabyte would be as many waits for a busy machine to turn to the other side.
SENT_AT_ONCE = 8 << 20
MANY = 1 << 64
NULL = b"\xff\xff\xff\xff"
# Around the rows of a COPY in binary.
HEAD, TAIL = b"PGCOPY\n\xff\r\n\0" + bytes(8), b"\xff\xff"
SINCE = int(np.datetime64("2000-01-01", "us").astype(np.int64))
WHOLE = {"smallint": struct.Struct(">ih"), "integer": struct.Struct(">ii")}
EIGHT, REAL = struct.Struct(">iq"), struct.Struct(">id")
LENGTH = struct.Struct(">i").pack
# Values that are not null as PostgreSQL's binary COPY has them.
Pack = Callable[[Sequence[Any]], list[bytes]]


class Encoded(NamedTuple):
    """Rows as they are sent, and a sum over them in which their order does not count."""

    number: int
    octets: int
    rows: Any
    sum: int


@contextmanager
def room_for_much() -> Iterator[None]:
    """Around the transaction that stages: SQLite's tables of its own are in memory otherwise."""
    if connection.vendor == "postgresql" or connection.in_atomic_block:
        yield
        return
    with connection.cursor() as cursor:
        before = cursor.execute("PRAGMA temp_store").fetchone()[0]
        cursor.execute("PRAGMA temp_store = FILE")
        try:
            yield
        finally:
            cursor.execute(f"PRAGMA temp_store = {before}")


class Staging:
    """Rows of a model beside its table, in the transaction they were put there in.

    `name` is its own among those of a transaction. `constant` holds the last values of every row.
    """

    def __init__(
        self,
        name: str,
        model: type[models.Model],
        fields: Sequence[str],
        constant: Sequence[Any] = (),
    ) -> None:
        self.name, self.model, self.fields = name, model, fields
        self.rows = self.sum = 0
        self._columns: list[Any] = [model._meta.get_field(each) for each in fields]
        self._constant = constant
        self._waiting: list[Encoded] = []
        self._tables: list[str] = []
        self._room = (0, 0)

    def encoded(self, columns: Sequence[Sequence[Any]]) -> Encoded:
        """Rows from the values of each field in turn. Asks no database: for any thread."""
        number = len(columns[0])
        own, rest = self._columns[: len(columns)], self._columns[len(columns) :]
        constant = list(zip(rest, self._constant, strict=True))
        if connection.vendor != "postgresql":
            given = [
                _sqlite_values(column, each) for column, each in zip(own, columns, strict=True)
            ]
            given += [_sqlite_values(column, [value]) * number for column, value in constant]
            found: Any = list(zip(*given, strict=True))
            octets = sum(len(value) for row in found for value in row if isinstance(value, str))
            return Encoded(number, octets, found, sum(map(hash, found)) % MANY)
        packed: list[Iterable[bytes]] = [repeat(struct.pack(">h", len(self._columns)), number)]
        packed += [_packed(column, each) for column, each in zip(own, columns, strict=True)]
        packed += [repeat(_packed(column, [value])[0], number) for column, value in constant]
        rows = list(map(b"".join, zip(*packed, strict=True)))
        data = b"".join(rows)
        return Encoded(number, len(data), data, sum(map(hash, rows)) % MANY)

    def add(self, found: Encoded) -> None:
        """Put rows down, now or with the next. DataError where a value is none of its kind."""
        self._waiting.append(found)
        self.rows += found.number
        self.sum = (self.sum + found.sum) % MANY
        if sum(each.octets for each in self._waiting) >= SENT_AT_ONCE:
            self.flush()

    def flush(self) -> None:
        """Put down what waits, as add() does."""
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        with connection.cursor() as cursor:
            table = self._table(
                cursor, sum(each.number for each in waiting), sum(each.octets for each in waiting)
            )
            if connection.vendor == "postgresql":
                with cursor.copy(f"COPY {table} FROM STDIN (FORMAT binary)") as copy:
                    copy.write(HEAD)
                    for each in waiting:
                        copy.write(each.rows)
                    copy.write(TAIL)
                return
            marks = ", ".join(["%s"] * len(self._columns))
            for each in waiting:
                cursor.executemany(f"INSERT INTO {table} VALUES ({marks})", each.rows)

    def move(self) -> Iterator[int]:
        """Insert them; gives how many each statement did. IntegrityError where the table refuses."""
        self.flush()
        q = connection.ops.quote_name
        names = ", ".join(q(column.column) for column in self._columns)
        while self._tables:
            table = self._tables.pop(0)
            with connection.cursor() as cursor, _references_by_index(cursor):
                cursor.execute(
                    f"INSERT INTO {q(self.model._meta.db_table)} ({names}) SELECT * FROM {table}"
                )
                number = cursor.rowcount
                cursor.execute(f"DROP TABLE {table}")
            yield number

    def take(self) -> Iterator[list[tuple[Any, ...]]]:
        """The rows again, some at a time, with values that lib/bulk.py writes; they are not kept."""
        self.flush()
        while self._tables:
            table = self._tables.pop(0)
            names = ", ".join(
                f"CAST({c.column} AS text)" if isinstance(c, OrderedJSONField) else c.column
                for c in self._columns
            )
            with connection.cursor() as cursor:
                cursor.execute(f"SELECT {names} FROM {table}")
                rows = cursor.fetchall()
                cursor.execute(f"DROP TABLE {table}")
            yield rows

    def sum_of(self, query: Any) -> tuple[int, int]:
        """How many rows a query of the model finds, and what `sum` is of them as they are stored."""
        picked = [_as_stored(column) for column in self._columns]
        sql, parameters = query.order_by().values_list(*picked).query.sql_with_params()
        number = total = 0
        with connection.cursor() as cursor:
            for row in _stored(cursor, sql, parameters):
                number += 1
                total += hash(row)
        return number, total % MANY

    def _table(self, cursor: Any, number: int, size: int) -> str:
        """Where so many go: with those before, or into another one if that has enough."""
        rows, octets = self._room
        if not self._tables or rows < number or octets < size:
            table = f"staged_{self.name}_{len(self._tables)}"
            postgres = connection.vendor == "postgresql"
            columns = ", ".join(
                f"{c.column} {c.db_type(connection)}" if postgres else c.column
                for c in self._columns
            )
            end = " ON COMMIT DROP" if postgres else ""
            cursor.execute(f"CREATE TEMP TABLE {table} ({columns}){end}")
            self._tables.append(table)
            rows, octets = ROWS_AT_ONCE, BYTES_AT_ONCE
        self._room = (rows - number, octets - size)
        return self._tables[-1]


@contextmanager
def _references_by_index(cursor: Any) -> Iterator[None]:
    """A table of a few pages PostgreSQL would read whole for every row that names one of its own: a
    fifth of the time that 200,000 events of 100 sessions take."""
    if connection.vendor == "postgresql":
        cursor.execute("SET LOCAL enable_seqscan TO off")
    yield
    if connection.vendor == "postgresql":
        cursor.execute("SET LOCAL enable_seqscan TO DEFAULT")


def _as_stored(column: Any) -> Any:
    """SQLite's moments are texts, which its driver parses unless they are said to be."""
    moment = connection.vendor != "postgresql" and isinstance(column, models.DateTimeField)
    return Cast(column.name, models.TextField()) if moment else column.name


def _stored(cursor: Any, sql: str, parameters: Sequence[Any]) -> Iterator[Any]:
    if connection.vendor != "postgresql":
        cursor.execute(sql, parameters)
        yield from cursor
        return
    with cursor.copy(f"COPY ({sql}) TO STDOUT (FORMAT binary)", parameters) as copy:
        for number, each in enumerate(copy):
            row = bytes(each[len(HEAD) :]) if number == 0 else each
            if row and row != TAIL:
                yield row


def _packed(column: Any, values: Sequence[Any]) -> list[bytes]:
    """One column of rows, each value with its length before it."""
    pack = _pack(column)
    # -0.0 is 0.0 where they are looked up.
    if not isinstance(column, models.FloatField) and len(set(values[:64])) <= 32:
        different = [value for value in dict.fromkeys(values) if value is not None]
        words = dict(zip(different, pack(different), strict=True)) | {None: NULL}
        return [words[value] for value in values]
    if None not in values:
        return pack(values)
    given = iter(pack([value for value in values if value is not None]))
    return [NULL if value is None else next(given) for value in values]


def _pack(column: Any) -> Pack:
    if column.is_relation or isinstance(column, models.UUIDField):
        return _ids
    if isinstance(column, models.DateTimeField):
        return _moments
    if isinstance(column, models.BooleanField):
        return lambda values: [LENGTH(1) + bytes([value]) for value in values]
    if isinstance(column, models.FloatField):
        return lambda values: [REAL.pack(8, value) for value in values]
    if isinstance(column, models.IntegerField):
        whole = WHOLE.get(str(column.db_type(connection)), EIGHT)
        size = whole.size - 4
        return lambda values: [whole.pack(size, value) for value in values]
    if isinstance(column, OrderedJSONField | models.CharField | models.TextField):
        return _texts
    raise TypeError(f"It is not known how a {type(column).__name__} is sent.")


def _ids(values: Sequence[Any]) -> list[bytes]:
    raw = bytes.fromhex("".join(map(str, values)).replace("-", ""))
    return [b"\0\0\0\x10" + raw[at : at + 16] for at in range(0, len(raw), 16)]


def _moments(values: Sequence[str]) -> list[bytes]:
    since = np.array([value[:-1] for value in values], "M8[us]").astype(np.int64) - SINCE
    raw = since.astype(">i8").tobytes()
    return [b"\0\0\0\x08" + raw[at : at + 8] for at in range(0, len(raw), 8)]


def _texts(values: Sequence[str]) -> list[bytes]:
    return [LENGTH(len(text)) + text for text in map(str.encode, values)]


def _sqlite_values(column: Any, values: Sequence[Any]) -> list[Any]:
    if column.is_relation or isinstance(column, models.UUIDField):
        return [value and str(value).replace("-", "") for value in values]
    if isinstance(column, models.DateTimeField):
        return [value and _sqlite_moment(value) for value in values]
    return list(values)


def _sqlite_moment(text: str) -> str:
    """As Django writes it there: without a fraction of zero."""
    fraction = "" if text[20:26] == "000000" else text[19:26]
    return f"{text[:10]} {text[11:19]}{fraction}"
