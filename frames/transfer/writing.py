"""Writing a local store: SQLite rows exactly as they are to be read, whatever their types."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import closing, suppress
from pathlib import Path

from frames.transfer.local_schema import FULL_TEXT, INDEXES, KNOWN, TABLES, Generation, Tables
from frames.transfer.source import quote
from frames.transfer.values import BadText, Row


class Writer:
    """A store in the making, at a path where nothing is yet.

    A declared type would change some values (the text "3" in an INTEGER column) and NOT NULL
    refuse others. A store that held such values was declared otherwise, so the first one of a
    column makes the table anew without that column's type.
    """

    def __init__(self, path: Path, generation: Generation) -> None:
        self.path = path
        self.connection = sqlite3.connect(path, isolation_level=None)
        self.connection.execute("PRAGMA journal_mode=OFF")
        self.connection.execute("PRAGMA synchronous=OFF")
        self.connection.execute("PRAGMA legacy_alter_table=ON")  # references stay with the name
        self.connection.execute("BEGIN")
        self.tables: Tables = {}
        self.counts: dict[str, int] = {}
        self._statements: dict[tuple[str, ...], str] = {}
        self.usual = TABLES[generation]
        for table in ("frames", "events", "anchors", "contexts"):
            self._create(table, dict(self.usual[table]))

    def close(self) -> None:
        self.connection.close()

    def add(self, table: str, rows: Iterable[Row]) -> None:
        for row in rows:
            self._fit(table, row)
            self._insert(table, row)
            self.counts[table] = self.counts.get(table, 0) + 1

    def add_if_free(self, table: str, row: Row) -> bool:
        """Add a row unless its key is taken."""
        try:
            self.add(table, [row])
        except sqlite3.IntegrityError:
            return False
        return True

    def finish(self, *, full_text: bool) -> None:
        """The tables no row asked for, indexes, and the file as one that is whole."""
        for table in self.usual.keys() - self.tables.keys():
            self._create(table, dict(self.usual[table]))
        for name, place in INDEXES.items():
            self.connection.execute(f"CREATE INDEX {name} ON {place}")
        self.connection.execute("COMMIT")
        if full_text:
            self.connection.executescript(FULL_TEXT)
        self.close()
        # In the mode the tools leave a file in, so that opening it changes nothing.
        with closing(sqlite3.connect(self.path)) as connection:
            connection.execute("PRAGMA journal_mode=DELETE")

    def abandon(self) -> None:
        with suppress(sqlite3.Error):
            self.close()
        self.path.unlink(missing_ok=True)

    def _create(self, table: str, columns: dict[str, str]) -> None:
        self.tables[table] = columns
        declared = ", ".join(f"{quote(name)} {kind}".strip() for name, kind in columns.items())
        self.connection.execute(f"CREATE TABLE {quote(table)} ({declared})")

    def _fit(self, table: str, row: Row) -> None:
        """Make the table one that holds this row as it is."""
        columns, known = self.tables.get(table), self.usual.get(table) or KNOWN.get(table, {})
        if columns is None:
            # With the columns it had: a tool adds those that it lacks.
            usual = {name: kind for name, kind in known.items() if name in row}
            columns = usual | {name: "" for name in row if name not in usual}
            self._create(table, columns)
        for name in row.keys() - columns.keys():
            columns[name] = KNOWN.get(table, {}).get(name, "")
            self.connection.execute(
                f"ALTER TABLE {quote(table)} ADD COLUMN {quote(name)} {columns[name]}"
            )
        odd = [name for name, value in row.items() if not survives(columns[name], value)]
        odd += [name for name in columns.keys() - row.keys() if _is_needed(columns[name])]
        if odd:
            self._relax(table, odd)

    def _relax(self, table: str, names: list[str]) -> None:
        columns = self.tables[table]
        for name in names:
            key = " PRIMARY KEY" if "PRIMARY KEY" in columns[name] else ""
            columns[name] = key.strip()
        old = quote(f"{table} before")
        self.connection.execute(f"ALTER TABLE {quote(table)} RENAME TO {old}")
        self._create(table, columns)
        picked = ", ".join(map(quote, columns))
        self.connection.execute(
            f"INSERT INTO {quote(table)} ({picked}) SELECT {picked} FROM {old} ORDER BY rowid"
        )
        self.connection.execute(f"DROP TABLE {old}")

    def _insert(self, table: str, row: Row) -> None:
        if not row:
            self.connection.execute(f"INSERT INTO {quote(table)} DEFAULT VALUES")
            return
        odd = [name for name, value in row.items() if isinstance(value, BadText)]
        if odd:
            marks = ", ".join("CAST(? AS TEXT)" if name in odd else "?" for name in row)
            values = [bytes(v) if isinstance(v, BadText) else v for v in row.values()]
            sql = f"INSERT INTO {quote(table)} ({', '.join(map(quote, row))}) VALUES ({marks})"
            self.connection.execute(sql, values)
            return
        key = (table, *row)
        sql = self._statements.get(key, "")
        if not sql:
            marks = ", ".join("?" * len(row))
            sql = f"INSERT INTO {quote(table)} ({', '.join(map(quote, row))}) VALUES ({marks})"
            self._statements[key] = sql
        self.connection.execute(sql, list(row.values()))


def survives(declared: str, value: object) -> bool:
    """Whether a column so declared gives this value back as it is."""
    kind = declared.partition(" ")[0]
    if value is None:
        return "NOT NULL" not in declared and not (kind == "INTEGER" and "PRIMARY" in declared)
    if kind == "TEXT":
        return isinstance(value, str | bytes)
    if kind == "INTEGER":
        if "PRIMARY" in declared:
            return isinstance(value, int)
        return isinstance(value, int | bytes) or not _like_a_number(value)
    if kind == "REAL":
        return isinstance(value, float | bytes) or not _like_a_number(value)
    return True


def _is_needed(declared: str) -> bool:
    return "NOT NULL" in declared and "DEFAULT" not in declared


def _like_a_number(value: object) -> bool:
    if isinstance(value, float):
        return value.is_integer()
    if isinstance(value, str):
        try:
            float(value)
        except ValueError:
            return False
    return True
