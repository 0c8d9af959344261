"""A consistent private copy of somebody's SQLite file, its log included; the original is only read."""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from stackmemory.cli.talk import Problem

try:
    import fcntl
except ImportError:  # Windows, where a copy that changed meanwhile is only noticed and made anew
    fcntl = None  # type: ignore[assignment]

MAGIC = b"SQLite format 3\x00"
BUSY_SECONDS = 5.0
PENDING_BYTE = 0x40000000


def take(database: Path, copy: Path) -> None:
    """Copy `database` to `copy`, as one file that holds all that was committed.

    Nothing is left beside the original, not even what SQLite itself would leave there. Raises
    Problem for what is no database that can be read.
    """
    try:
        _take(database, copy)
    except sqlite3.DatabaseError as problem:
        raise Problem(
            f"{database} is damaged, cut off or encrypted ({problem}); copy it again, or recover it"
            f" with: sqlite3 {database.name} .recover"
        ) from None
    except OSError as problem:
        raise Problem(f"{database} cannot be copied: {problem.strerror}.") from None


def _take(database: Path, copy: Path) -> None:
    with database.open("rb") as file:
        header = file.read(100)
    if not header.startswith(MAGIC):
        what = "is empty" if not header else "is not an SQLite database, or it is encrypted"
        raise Problem(f"{database} {what}; give the context.db that StackMemory wrote.")
    wal = header[18:20] == b"\x02\x02"
    if not (wal and _beside(database, "-shm").exists() and _backup(database, copy)):
        _copy(database, copy, "-wal" if wal else "-journal")
    whole = not wal or _beside(copy, "-wal").exists() or _beside(database, "-shm").exists()
    with closing(sqlite3.connect(copy)) as connection:
        connection.execute("PRAGMA trusted_schema=OFF")
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if whole:  # a database that may lack its log keeps saying so: the import warns of it
            connection.execute("PRAGMA journal_mode=DELETE")
    for suffix in ("-wal", "-shm", "-journal"):
        _beside(copy, suffix).unlink(missing_ok=True)


def _backup(database: Path, copy: Path) -> bool:
    """While another program has it open: as one of its readers. False where that cannot be."""
    uri = f"{database.resolve().as_uri()}?mode=ro&readonly_shm=1"
    try:
        with closing(sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS)) as source:
            source.execute("BEGIN")
            source.execute("SELECT count(*) FROM sqlite_master").fetchone()
            with closing(sqlite3.connect(copy)) as target:
                source.backup(target, pages=4096)
    except sqlite3.OperationalError as problem:
        if problem.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise _locked(database) from None
        copy.unlink(missing_ok=True)
        return False
    return True


def _copy(database: Path, copy: Path, suffix: str) -> None:
    """Copy under a reader's lock. A log that grew meanwhile makes it begin again."""
    parts = [database, _beside(database, suffix)] if suffix == "-wal" else [database]
    for _ in range(5):
        with _shared_lock(database):
            before = _stamps(parts)
            for end in ("", suffix):
                _beside(copy, end).unlink(missing_ok=True)
                with suppress(FileNotFoundError):
                    shutil.copyfile(_beside(database, end), _beside(copy, end))
            if _stamps(parts) == before:
                return
    raise Problem(f"{database} is being written to without pause; try again in a moment.")


@contextmanager
def _shared_lock(database: Path) -> Iterator[None]:
    """Keep writers out of the file as an SQLite reader does (sqlite.org/lockingv3.html)."""
    with database.open("rb") as file:
        until = time.monotonic() + BUSY_SECONDS
        while fcntl is not None:
            try:
                fcntl.lockf(file, fcntl.LOCK_SH | fcntl.LOCK_NB, 1, PENDING_BYTE)
                fcntl.lockf(file, fcntl.LOCK_SH | fcntl.LOCK_NB, 510, PENDING_BYTE + 2)
                break
            except (BlockingIOError, PermissionError):
                if time.monotonic() > until:
                    raise _locked(database) from None
                time.sleep(0.002)
            except OSError:
                break  # a file system without locks
            finally:
                with suppress(OSError):
                    fcntl.lockf(file, fcntl.LOCK_UN, 1, PENDING_BYTE)
        yield


def stamps(database: Path) -> list[tuple[str, int, int]]:
    """What changes when anything is committed: size and time of the database and its log."""
    return _stamps([database, _beside(database, "-wal")])


def _stamps(parts: list[Path]) -> list[tuple[str, int, int]]:
    found = []
    for part in parts:
        with suppress(FileNotFoundError):
            told = os.stat(part)
            found.append((part.name, told.st_size, told.st_mtime_ns))
    return found


def _beside(database: Path, suffix: str) -> Path:
    return Path(f"{database}{suffix}")


def _locked(database: Path) -> Problem:
    return Problem(
        f"{database} is locked by the program that owns it; stop that program, or wait until it is"
        " done, and try again."
    )
