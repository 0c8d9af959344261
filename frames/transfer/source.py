"""Reading a snapshot of a local store: which tables it has and their rows, as they are."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

from frames.transfer.errors import BadStore
from frames.transfer.values import Row, text_or_bad

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
    """An open snapshot. Only ordinary tables are read, never a view or a virtual table."""

    def __init__(self, path: Path, name: str = "") -> None:
        self.name = name or path.name
        self.connection = sqlite3.connect(path)
        # The schema is a stranger's: nothing of it may run, nothing may be written.
        self.connection.execute("PRAGMA trusted_schema=OFF")
        self.connection.execute("PRAGMA query_only=ON")
        self.connection.execute("PRAGMA cell_size_check=ON")
        self.connection.text_factory = text_or_bad
        self.tables: dict[str, list[str]] = {}
        # Columns of a primary key that means something beyond this file; empty for a mere number.
        self.keys: dict[str, list[str]] = {}
        self.virtual: list[str] = []
        self.without_rowid: set[str] = set()
        self._read_schema()
        self._index_events()

    def close(self) -> None:
        self.connection.close()

    def _read_schema(self) -> None:
        query = "SELECT name, type, wr FROM pragma_table_list WHERE schema = 'main'"
        for name, kind, without_rowid in self.connection.execute(query).fetchall():
            if kind == "virtual":
                self.virtual.append(name)
            elif kind in ("table", "shadow") and name != "sqlite_schema":
                self._read_table(name, without_rowid=bool(without_rowid))

    def _read_table(self, name: str, *, without_rowid: bool) -> None:
        columns = self.connection.execute(
            "SELECT name, pk, type FROM pragma_table_xinfo(?) WHERE hidden IN (0, 2, 3)", [name]
        ).fetchall()
        self.tables[name] = [column for column, _, _ in columns]
        key = sorted((place, column, kind) for column, place, kind in columns if place)
        number = len(key) == 1 and key[0][2].upper() == "INTEGER" and not without_rowid
        self.keys[name] = [] if number else [column for _, column, _ in key]
        if without_rowid:
            self.without_rowid.add(name)

    def _index_events(self) -> None:
        """Digests are compared with a frame's events; stores have no index for that."""
        if {"frame_id", "event_id"} <= set(self.tables.get("events", [])):
            self.connection.execute("PRAGMA query_only=OFF")
            self.connection.execute("CREATE INDEX IF NOT EXISTS main.sm_events ON events(frame_id)")
            self.connection.commit()
            self.connection.execute("PRAGMA query_only=ON")

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
        value = self.connection.execute("SELECT max(version) FROM schema_version").fetchone()[0]
        return value if isinstance(value, int) else 0

    def has(self, table: str) -> bool:
        return table in self.tables

    def count(self, table: str) -> int:
        if table not in self.tables:
            return 0
        return int(self.connection.execute(f"SELECT count(*) FROM {quote(table)}").fetchone()[0])

    def rows(self, table: str, *, after: int = 0) -> Iterator[tuple[int, Row]]:
        """(position, row) in the order of insertion, from the one after position `after` on.

        The position is the rowid, or for a table without one the number of the row by its key.
        """
        if table not in self.tables:
            return
        columns = self.tables[table]
        picks = ", ".join(quote(column) for column in columns)
        if table in self.without_rowid:
            order = ", ".join(quote(column) for column in self.keys[table])
            sql = f"SELECT {picks} FROM {quote(table)} ORDER BY {order} LIMIT -1 OFFSET ?"
            cursor = self.connection.execute(sql, [after])
            for number, values in enumerate(cursor, start=after + 1):
                yield number, dict(zip(columns, values, strict=True))
            return
        sql = (
            f"SELECT {self.rowid(table)}, {picks} FROM {quote(table)}"
            f" WHERE {self.rowid(table)} > ? ORDER BY {self.rowid(table)}"
        )
        first = after if after else -(2**63)
        for rowid, *values in self.connection.execute(sql, [first]):
            yield rowid, dict(zip(columns, values, strict=True))

    def row(self, table: str, rowid: int) -> Row:
        columns = self.tables[table]
        picks = ", ".join(quote(column) for column in columns)
        sql = f"SELECT {picks} FROM {quote(table)} WHERE {self.rowid(table)} = ?"
        values = self.connection.execute(sql, [rowid]).fetchone()
        return dict(zip(columns, values, strict=True))

    def sizes(self, table: str, rowids: list[int]) -> dict[int, int]:
        """About how many characters each of these rows holds."""
        total = " + ".join(f"coalesce(length({quote(c)}), 0)" for c in self.tables[table])
        marks = ", ".join("?" * len(rowids))
        rowid = self.rowid(table)
        sql = f"SELECT {rowid}, {total} FROM {quote(table)} WHERE {rowid} IN ({marks})"
        return dict(self.connection.execute(sql, rowids).fetchall())

    def rowid(self, table: str) -> str:
        """A name of the rowid that no column of the table hides."""
        taken = {column.lower() for column in self.tables[table]}
        return next(name for name in ("_rowid_", "oid", "rowid") if name not in taken)

    def events_of(self, frame_id: object) -> dict[str, Row]:
        """The events of one frame by their id."""
        if "events" not in self.tables:
            return {}
        columns = self.tables["events"]
        picks = ", ".join(quote(column) for column in columns)
        sql = f"SELECT {picks} FROM events WHERE frame_id = ?"
        rows = (
            dict(zip(columns, values, strict=True))
            for values in self.connection.execute(sql, [frame_id])
        )
        return {row["event_id"]: row for row in rows if isinstance(row["event_id"], str)}


def quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
