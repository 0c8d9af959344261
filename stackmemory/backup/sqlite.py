"""SQLite: a copy by its online backup, as of one moment, while others go on writing."""

from __future__ import annotations

import gzip
import hashlib
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stackmemory.backup.errors import BadBackup
from stackmemory.backup.named import Named, named
from stackmemory.backup.sums import Found, Sums

if TYPE_CHECKING:
    from stackmemory.backup.engines import Engine

# Virtual tables (search) and their shadows are derived; integrity_check looks at them.
TABLES = (
    "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table'"
    " AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY 1"
)


class Sqlite:
    name, part = "sqlite", "database.sqlite3.gz"

    def __init__(self, settings: dict[str, Any]) -> None:
        self.path = str(settings["NAME"])
        if ":memory:" in self.path or "mode=memory" in self.path:
            raise BadBackup("A database in memory has no backups; name a file in DATABASE_URL.")

    def version(self) -> str:
        return sqlite3.sqlite_version

    def save(self, path: Path) -> Found:
        if not Path(self.path).exists():
            raise BadBackup(f"There is no {self.path}; see DATABASE_URL.")
        plain = path.with_suffix(".plain")
        with closing(self._open()) as live, closing(sqlite3.connect(plain)) as copy:
            live.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")
            found = _found(copy)
        with plain.open("rb") as source, gzip.open(path, "wb", compresslevel=1) as out:
            shutil.copyfileobj(source, out, 1 << 20)
        plain.unlink()
        return found

    def tables(self) -> list[str]:
        with closing(self._open()) as connection:
            return [name for (name,) in connection.execute(TABLES)]

    def load(self, path: Path) -> None:
        plain = path.with_suffix(".plain")
        try:
            with gzip.open(path) as source, plain.open("wb") as out:
                shutil.copyfileobj(source, out, 1 << 20)
        except (OSError, EOFError) as problem:
            raise BadBackup(f"The database in the backup is damaged ({problem}).") from None
        with closing(sqlite3.connect(plain)) as source_, closing(self._open()) as target:
            said = source_.execute("PRAGMA integrity_check").fetchone()[0]
            if said != "ok":
                raise BadBackup(f"The database in the backup is damaged: {said}.")
            source_.backup(target)  # in one transaction
            target.execute("PRAGMA journal_mode = WAL")
        plain.unlink()

    def found(self) -> Found:
        with closing(self._open()) as connection:
            return _found(connection)

    def named(self) -> Named:
        with closing(self._open()) as connection:
            return named(connection.execute, self.tables())

    def ask(self, said: str) -> list[tuple[Any, ...]]:
        if not Path(self.path).exists():
            raise BadBackup(f"There is no {self.path}.")
        with closing(self._open()) as connection:
            return connection.execute(said).fetchall()

    @contextmanager
    def scratch(self) -> Iterator[Engine]:
        with tempfile.TemporaryDirectory(prefix="stackmemory-scratch-") as folder:
            yield Sqlite({"NAME": f"{folder}/scratch.sqlite3"})

    def _open(self) -> sqlite3.Connection:
        Path(self.path).parent.mkdir(parents=True, exist_ok=True)
        return sqlite3.connect(self.path, timeout=20)


def _found(connection: sqlite3.Connection) -> Found:
    """Migrations and sums, in one transaction."""
    connection.text_factory = bytes  # what is no UTF-8 counts as well
    connection.execute("BEGIN")
    sums: Sums = {}
    for (name,) in connection.execute(TABLES).fetchall():
        table = name.decode()
        rows = total = 0
        for row in connection.execute(f'SELECT * FROM "{table}"'):
            rows += 1
            total += int.from_bytes(
                hashlib.blake2b(repr(row).encode(), digest_size=8).digest(), "big"
            )
        sums[table] = {"rows": rows, "sum": str(total)}
    names = connection.execute("SELECT app || '.' || name FROM django_migrations ORDER BY 1")
    migrations = [name.decode() for (name,) in names] if "django_migrations" in sums else []
    objects = named(connection.execute, sums)
    connection.rollback()
    connection.text_factory = str
    return Found(migrations, sums, objects)
