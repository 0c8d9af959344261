"""What a store has gained since it was last sent: a small store of its own with those rows.

It holds the store's own tables, so that the same import reads it, and besides what changed whatever
an import has to look at together: the frames above a frame, the events of one that changed, every
row equal to one that is kept by its content.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from stackmemory.cli.talk import Problem

SEEN = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT);
CREATE TABLE IF NOT EXISTS seen (name TEXT, digest BLOB, n INT, PRIMARY KEY (name, digest)) WITHOUT ROWID;
"""
# Always sent whole: they say how to read the rest, and are short.
GUIDES = ("schema_version", "project_registry", "sqlite_sequence")
# Tables whose rows go by their own id; rows of others may go by their content.
NAMED = {
    "frames": "frame_id", "events": "event_id", "anchors": "anchor_id", "contexts": "id",
    "traces": "id", "tool_calls": "id", "task_cache": "id",
}  # fmt: skip
TASKS, LOG = "task_cache", "tasks.jsonl"


class Memory:
    """What the server has of a store: a digest of each row, in a file of ours. One process at a time."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.db = sqlite3.connect(path, isolation_level=None, timeout=0.5)
        try:
            self.db.execute("PRAGMA locking_mode=EXCLUSIVE")
            self.db.executescript(f"BEGIN EXCLUSIVE; {SEEN} COMMIT;")
        except sqlite3.OperationalError:
            raise Problem(
                "Another process mirrors this store already; let it, or stop it."
            ) from None
        self.db.execute(
            "CREATE TEMP TABLE now (name, digest, n, PRIMARY KEY (name, digest)) WITHOUT ROWID"
        )
        path.chmod(0o600)

    def close(self) -> None:
        self.db.close()

    def get(self, name: str) -> str:
        row = self.db.execute("SELECT value FROM meta WHERE name = ?", [name]).fetchone()
        return str(row[0]) if row else ""

    def set(self, **values: str) -> None:
        self.db.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", values.items())

    def begin(self) -> None:
        """A new look at the store; one that was broken off counts for nothing."""
        if self.db.in_transaction:
            self.db.execute("ROLLBACK")
        self.db.execute("DELETE FROM temp.now")
        self.db.execute("BEGIN")

    def is_new(self, name: str, digest: bytes) -> tuple[bool, bool]:
        """(whether the server lacks this row, whether the store has another one like it)."""
        [n] = self.db.execute(
            "INSERT INTO temp.now VALUES (?, ?, 1) ON CONFLICT DO UPDATE SET n = n + 1 RETURNING n",
            [name, digest],
        ).fetchone()
        known = self.db.execute(
            "SELECT n FROM seen WHERE name = ? AND digest = ?", [name, digest]
        ).fetchone()
        return n > (known[0] if known else 0), n > 1

    def looked(self) -> None:
        self.db.execute("COMMIT")

    def sent(self, **values: str) -> None:
        """The server has all that was looked at. What the store no longer has is forgotten."""
        self.db.execute("BEGIN")
        self.db.execute("DELETE FROM seen")
        self.db.execute("INSERT INTO seen SELECT * FROM temp.now")
        self.set(**values)
        self.db.execute("COMMIT")

    def forget(self) -> None:
        self.db.execute("DELETE FROM seen")


@dataclass
class Gained:
    """New or changed rows by table: their rowids; None for a table that must be sent whole."""

    rows: dict[str, set[int] | None]
    files: list[str]
    number: int


def look(memory: Memory, snapshot: Path, files: dict[str, Path]) -> Gained:
    """Compare every row, and every other file by its place, with what the server has."""
    found = Gained({}, [], 0)
    memory.begin()
    with opened(snapshot) as db:
        for table in tables(db):
            rowid = rowid_of(db, table)
            news, double = set[int](), set[bytes]()
            for place, digest in _digests(db, table, rowid):
                new, again = memory.is_new(table, digest)
                found.number += new
                if new:
                    news.add(place)
                if new and again and table not in NAMED:
                    double.add(digest)
            if double:
                news |= {p for p, digest in _digests(db, table, rowid) if digest in double}
            if news:
                found.rows[table] = news if rowid else None
    for name, path in files.items():
        with path.open("rb") as file:
            mark = hashlib.file_digest(file, "blake2b").digest()[:16]
        if memory.is_new(f"file {name}", mark)[0]:
            found.files.append(name)
            found.number += 1
    memory.looked()
    return found


def extract(snapshot: Path, gained: Gained, target: Path, *, tasks_changed: bool) -> None:
    """Write the small store. Raises sqlite3.Error where the store is too odd for that: send it whole."""
    target.unlink(missing_ok=True)
    with closing(sqlite3.connect(target, isolation_level=None)) as db:
        db.execute("PRAGMA trusted_schema=OFF")
        db.execute("PRAGMA ignore_check_constraints=ON")
        db.execute("PRAGMA synchronous=OFF")
        db.execute("ATTACH ? AS src", [str(snapshot)])
        db.execute("BEGIN")
        names = tables(db, "src")
        if any(name.startswith("sqlite_stat") for name in gained.rows):
            raise sqlite3.OperationalError("a table that cannot be made")
        names = [name for name in names if not name.startswith("sqlite_stat")]
        # SQLite makes this one itself, and fills it while others are filled: it comes last.
        names.sort(key=lambda name: name == "sqlite_sequence")
        for table in names:
            if table == "sqlite_sequence":
                continue
            [sql] = db.execute(
                "SELECT sql FROM src.sqlite_master WHERE type = 'table' AND name = ?", [table]
            ).fetchone()
            db.execute(sql)
        wanted = _Wanted(db, names, gained)
        if tasks_changed and TASKS in names:
            wanted.whole(TASKS)
        wanted.close()
        for table in names:
            if table == "sqlite_sequence":
                db.execute("DELETE FROM main.sqlite_sequence")
            wanted.copy(table)
        db.execute("COMMIT")


class _Wanted:
    """Which rows go into the small store, as temporary tables of rowids."""

    def __init__(self, db: sqlite3.Connection, names: list[str], gained: Gained) -> None:
        self.db, self.names = db, names
        self.entire = {table for table, rows in gained.rows.items() if rows is None}
        for number, table in enumerate(names):
            db.execute(f"CREATE TEMP TABLE pick_{number} (id INTEGER PRIMARY KEY)")
            rows = gained.rows.get(table)
            self.add(table, "VALUES (?)", [[row] for row in sorted(rows or ())])
        self.entire |= set(GUIDES) & set(names)

    def add(self, table: str, sql: str, values: list[list[int]]) -> None:
        number = self.names.index(table)
        self.db.executemany(f"INSERT OR IGNORE INTO temp.pick_{number} {sql}", values)

    def whole(self, table: str) -> None:
        self.entire.add(table)

    def close(self) -> None:
        """Add what an import looks at together with what is there."""
        if "frames" in self.names:
            self._frames()
        for table, column in NAMED.items():
            if table in self.names and table not in self.entire:
                # Of several rows with one id the first counts, so it comes along.
                picked = f"SELECT CAST({column} AS TEXT) FROM src.{table}{self._where(table)}"
                rowid = rowid_of(self.db, table, "src")
                self.db.execute(
                    f"INSERT OR IGNORE INTO temp.pick_{self.names.index(table)}"
                    f" SELECT {rowid} FROM src.{table} WHERE CAST({column} AS TEXT) IN ({picked})"
                )

    def _frames(self) -> None:
        frames = f"temp.pick_{self.names.index('frames')}"
        if "frames" not in self.entire:
            changed = f"SELECT frame_id FROM src.frames WHERE _rowid_ IN {frames}"
            if "events" in self.names and "events" not in self.entire:
                events = f"temp.pick_{self.names.index('events')}"
                self.db.execute(
                    f"INSERT OR IGNORE INTO {events} SELECT _rowid_ FROM src.events"
                    f" WHERE frame_id IN ({changed})"
                )
            for table in ("events", "anchors", TASKS):
                if table in self.names:
                    self.db.execute(
                        f"INSERT OR IGNORE INTO {frames} SELECT _rowid_ FROM src.frames"
                        f" WHERE frame_id IN (SELECT frame_id FROM src.{table}{self._where(table)})"
                    )
            self.db.execute(
                f"INSERT OR IGNORE INTO {frames} WITH RECURSIVE up(id) AS ("
                f" SELECT parent_frame_id FROM src.frames WHERE _rowid_ IN {frames} UNION"
                f" SELECT parent_frame_id FROM src.frames JOIN up ON frame_id = up.id)"
                f" SELECT _rowid_ FROM src.frames WHERE frame_id IN (SELECT id FROM up)"
            )
            # A store without any rows is none; where only a file changed, one frame stands for it.
            self.db.execute(
                f"INSERT OR IGNORE INTO {frames} SELECT min(_rowid_) FROM src.frames HAVING count(*) > 0"
            )

    def _where(self, table: str) -> str:
        if table in self.entire:
            return ""
        return f" WHERE {rowid_of(self.db, table, 'src')} IN temp.pick_{self.names.index(table)}"

    def copy(self, table: str) -> None:
        columns = ", ".join(
            quote(name)
            for name, hidden in self.db.execute(
                "SELECT name, hidden FROM pragma_table_xinfo(?, 'src')", [table]
            )
            if not hidden
        )
        rowid = rowid_of(self.db, table, "src")
        # Rows keep their numbers, by which those without an id are named.
        number = f"{rowid}, " if rowid else ""
        order = f" ORDER BY {rowid}" if rowid else ""
        self.db.execute(
            f"INSERT INTO main.{quote(table)} ({number}{columns})"
            f" SELECT {number}{columns} FROM src.{quote(table)}{self._where(table)}{order}"
        )


@contextmanager
def opened(snapshot: Path) -> Iterator[sqlite3.Connection]:
    """The snapshot, texts as the bytes they are and told apart from blobs."""
    with closing(sqlite3.connect(snapshot)) as db:
        db.execute("PRAGMA trusted_schema=OFF")
        db.text_factory = lambda raw: (raw,)
        yield db


def tables(db: sqlite3.Connection, schema: str = "main") -> list[str]:
    """Ordinary tables, those behind virtual ones included, as an import reads them."""
    found = db.execute(
        "SELECT name FROM pragma_table_list WHERE schema = ? AND type IN ('table', 'shadow')"
        " AND name NOT IN ('sqlite_schema', 'sqlite_master') ORDER BY name",
        [schema],
    )
    return [_text(name) for (name,) in found]


def rowid_of(db: sqlite3.Connection, table: str, schema: str = "main") -> str:
    """By which name a table's rows have numbers; "" for one without."""
    [without] = db.execute(
        "SELECT wr FROM pragma_table_list WHERE schema = ? AND name = ?", [schema, table]
    ).fetchone()
    columns = {
        _text(name).lower()
        for (name,) in db.execute("SELECT name FROM pragma_table_xinfo(?, ?)", [table, schema])
    }
    names = ("_rowid_", "rowid", "oid")
    return "" if without else next((name for name in names if name not in columns), "")


def _digests(db: sqlite3.Connection, table: str, rowid: str) -> Iterator[tuple[int, bytes]]:
    picks = f"{rowid}, *" if rowid else "0, *"
    order = f" ORDER BY {rowid}" if rowid else ""
    for place, *values in db.execute(f"SELECT {picks} FROM {quote(table)}{order}"):
        yield place, hashlib.blake2b(repr(values).encode(), digest_size=16).digest()


def quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _text(value: str | tuple[bytes]) -> str:
    return value[0].decode() if isinstance(value, tuple) else value
