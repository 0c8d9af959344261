"""Reading a snapshot of a local store: which tables it has and their rows, as they are."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

from frames.transfer.errors import BadStore
from frames.transfer.values import BadText, Row, identity_of, text_or_bad, whole

# Without these columns a table of that name is somebody else's.
REQUIRED = {
    "frames": {"frame_id", "run_id", "project_id", "parent_frame_id", "type", "name", "state",
               "created_at", "closed_at"},
    "events": {"event_id", "run_id", "frame_id", "seq", "event_type", "payload", "ts"},
    "anchors": {"anchor_id", "frame_id", "type", "text"},
    "contexts": {"id", "type", "content"},
    "traces": {"id", "type", "summary"},
    "tool_calls": {"id", "trace_id", "tool"},
    "task_cache": {"id", "title", "status"},
}  # fmt: skip
NEWEST_SCHEMA = 2


class Source:
    """An open snapshot. Only ordinary tables are read, never a view or a virtual table.

    The snapshot is ours to write to: a table without a rowid gets a copy that has one, and events
    an index when first looked for by frame.
    """

    def __init__(self, path: Path, name: str = "") -> None:
        self.name = name or path.name
        self.fingerprint = ""
        # Events are read by a thread of their own, one thread at a time.
        self.connection = sqlite3.connect(path, check_same_thread=False)
        # The schema is a stranger's: nothing of it may run.
        self.connection.execute("PRAGMA trusted_schema=OFF")
        self.connection.execute("PRAGMA cell_size_check=ON")
        self.connection.execute("PRAGMA synchronous=OFF")
        self.connection.text_factory = text_or_bad
        self.tables: dict[str, list[str]] = {}
        # Columns of a primary key that means something beyond this file; empty for a mere number.
        self.keys: dict[str, list[str]] = {}
        self.virtual: list[str] = []
        # Where the rows of a table are read from, and by which name of the rowid.
        self._places: dict[str, tuple[str, str]] = {}
        # (table, column) that cannot hold an id twice.
        self._unique: set[tuple[str, str]] = set()
        self._events_indexed = False
        self._numbers = count()
        self._read_schema()

    def close(self) -> None:
        self.connection.close()

    def _read_schema(self) -> None:
        query = "SELECT name, type, wr FROM pragma_table_list WHERE schema = 'main'"
        for name, kind, without_rowid in self.connection.execute(query).fetchall():
            if isinstance(name, BadText):
                raise BadStore(f"{self.name} has a table whose name is no text ({name!r}).")
            if kind == "virtual":
                self.virtual.append(name)
            elif kind in ("table", "shadow") and name != "sqlite_schema":
                self._read_table(name, without_rowid=bool(without_rowid))

    def _read_table(self, name: str, *, without_rowid: bool) -> None:
        columns = self.connection.execute(
            "SELECT name, pk, type, hidden FROM pragma_table_xinfo(?) WHERE hidden IN (0, 2, 3)",
            [name],
        ).fetchall()
        self.tables[name] = [
            column
            for column, _, _, hidden in columns
            if not hidden or self._can_compute(name, column)
        ]
        key = sorted((place, column, kind) for column, place, kind, _ in columns if place)
        number = len(key) == 1 and key[0][2].upper() == "INTEGER" and not without_rowid
        self.keys[name] = [] if number else [column for _, column, _ in key]
        if len(key) == 1 and any(word in key[0][2].upper() for word in ("TEXT", "CHAR")):
            self._unique.add((name, key[0][1]))
        taken = {column.lower() for column, *_ in columns}
        rowid = next((alias for alias in ("_rowid_", "oid", "rowid") if alias not in taken), None)
        if without_rowid or rowid is None:
            self._copy(name)
        else:
            self._places[name] = (quote(name), rowid)

    def _can_compute(self, table: str, column: str) -> bool:
        """Whether a generated column works here; one that calls unsafe functions does not."""
        try:
            self.connection.execute(f"SELECT {quote(column)} FROM {quote(table)}").fetchone()
        except sqlite3.OperationalError:
            return False
        return True

    def _copy(self, table: str) -> None:
        """Read the table from a copy in which every row has a number."""
        copy, number = quote(f"stackmemory copy {next(self._numbers)}"), quote("stackmemory row")
        order = ", ".join(quote(column) for column in self.keys[table]) or "1"
        self.connection.execute(
            f"CREATE TEMP TABLE {copy} AS SELECT row_number() OVER (ORDER BY {order}) AS {number},"
            f" {self._picks(table)} FROM {quote(table)}"
        )
        self._places[table] = (f"temp.{copy}", number)

    def check_schema(self, *, companions: bool) -> None:
        """Refuse what is no StackMemory store, is newer than we know, or holds nothing."""
        known = [name for name in REQUIRED if name in self.tables]
        if not known and not companions:
            what = ", ".join(sorted(self.tables)[:5]) or "no tables at all"
            raise BadStore(
                f"{self.name} is an SQLite database, but no StackMemory store (it has {what});"
                " give the context.db of a .stackmemory folder."
            )
        for name in known:
            lacking = REQUIRED[name] - set(self.tables[name])
            if lacking:
                raise BadStore(
                    f"{self.name} has a table “{name}” without the column"
                    f" “{sorted(lacking)[0]}”: it was not made by a StackMemory this import knows."
                )
        version = self.schema_version()
        if version > NEWEST_SCHEMA:
            raise BadStore(
                f"{self.name} was written by a newer StackMemory (schema {version}; this import"
                f" knows up to {NEWEST_SCHEMA}); upgrade this server first."
            )

    def schema_version(self) -> int:
        """The highest version that schema_version holds; 0 where there is none."""
        if "version" not in self.tables.get("schema_version", []):
            return 0
        rows = self.connection.execute("SELECT version FROM schema_version LIMIT 1000")
        return max((whole(value) or 0 for (value,) in rows), default=0)

    def has(self, table: str) -> bool:
        return table in self.tables

    def count(self, table: str) -> int:
        if table not in self.tables:
            return 0
        return int(self.connection.execute(f"SELECT count(*) FROM {quote(table)}").fetchone()[0])

    def rows(self, table: str, *, after: int | None = None) -> Iterator[tuple[int, Row]]:
        """(position, row) in the order of insertion, from the one after position `after` on.

        The position is the rowid, or for a table without one the number of the row by its key.
        """
        if table not in self.tables:
            return
        columns = self.tables[table]
        place, rowid = self._places[table]
        sql = f"SELECT {rowid}, {self._picks(table)} FROM {place}"
        if after is None:
            cursor = self.connection.execute(f"{sql} ORDER BY {rowid}")
        else:
            cursor = self.connection.execute(f"{sql} WHERE {rowid} > ? ORDER BY {rowid}", [after])
        for position, *values in cursor:
            yield position, dict(zip(columns, values, strict=True))

    def row(self, table: str, position: int) -> Row:
        place, rowid = self._places[table]
        sql = f"SELECT {self._picks(table)} FROM {place} WHERE {rowid} = ?"
        values = self.connection.execute(sql, [position]).fetchone()
        return dict(zip(self.tables[table], values, strict=True))

    def columns(self, table: str, columns: tuple[str, ...]) -> Iterator[tuple[Any, ...]]:
        """(position, values of these columns) of every row."""
        if table in self.tables:
            place, rowid = self._places[table]
            picks = ", ".join(quote(column) for column in columns)
            yield from self.connection.execute(
                f"SELECT {rowid}, {picks} FROM {place} ORDER BY {rowid}"
            )

    def sizes(self, table: str, positions: list[int]) -> dict[int, int]:
        """About how many characters each of these rows holds."""
        place, rowid = self._places[table]
        total = " + ".join(f"coalesce(length({quote(c)}), 0)" for c in self.tables[table])
        marks = ", ".join("?" * len(positions))
        sql = f"SELECT {rowid}, {total} FROM {place} WHERE {rowid} IN ({marks})"
        return dict(self.connection.execute(sql, positions).fetchall())

    def twins(self, table: str, column: str) -> dict[int, int]:
        """Rows whose id an earlier row of the table has too: their position → that row's.

        Only a table whose id is no key can hold such.
        """
        if column not in self.tables.get(table, []) or (table, column) in self._unique:
            return {}
        place, rowid = self._places[table]
        # As text: what SQLite tells apart by type alone has one name here.
        sql = (
            f"SELECT {rowid}, {quote(column)} FROM {place} WHERE CAST({quote(column)} AS TEXT) IN"
            f" (SELECT CAST({quote(column)} AS TEXT) FROM {place} GROUP BY 1 HAVING count(*) > 1)"
            f" ORDER BY {rowid}"
        )
        first: dict[str, int] = {}
        twins = {}
        for position, value in self.connection.execute(sql):
            name = identity_of(value)
            if name is not None and first.setdefault(name, position) != position:
                twins[position] = first[name]
        return twins

    def repeated_seqs(self) -> set[int]:
        """Positions of events whose number another event of their frame had before."""
        if "events" not in self.tables:
            return set()
        place, rowid = self._places["events"]
        sql = (
            f"SELECT p FROM (SELECT {rowid} AS p, row_number() OVER"
            f" (PARTITION BY frame_id, seq ORDER BY {rowid}) AS n FROM {place}) WHERE n > 1"
        )
        return {position for (position,) in self.connection.execute(sql)}

    def events_of(self, frame_id: object) -> dict[str, Row]:
        """The events of one frame by their id; of several with one id the first."""
        if "events" not in self.tables:
            return {}
        place, rowid = self._places["events"]
        if not self._events_indexed:
            schema, _, table = place.rpartition(".")
            name = f"{schema or 'main'}.{quote('stackmemory import events')}"
            self.connection.execute(f"CREATE INDEX {name} ON {table}(frame_id)")
            self._events_indexed = True
        columns = self.tables["events"]
        sql = f"SELECT {self._picks('events')} FROM {place} WHERE frame_id = ? ORDER BY {rowid}"
        found: dict[str, Row] = {}
        for values in self.connection.execute(sql, [frame_id]):
            row = dict(zip(columns, values, strict=True))
            if isinstance(row["event_id"], str) and identity_of(row["event_id"]) == row["event_id"]:
                found.setdefault(row["event_id"], row)
        return found

    def counter(self) -> Callable[[str], int]:
        """A function that says how often it was asked about a text; millions take no memory."""
        table = quote(f"stackmemory count {next(self._numbers)}")
        self.connection.execute(f"CREATE TEMP TABLE {table} (text PRIMARY KEY, n) WITHOUT ROWID")
        sql = f"INSERT INTO temp.{table} VALUES (?, 1) ON CONFLICT DO UPDATE SET n = n + 1 RETURNING n"
        return lambda text: int(self.connection.execute(sql, [text]).fetchone()[0])

    def _picks(self, table: str) -> str:
        return ", ".join(quote(column) for column in self.tables[table])


def quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
