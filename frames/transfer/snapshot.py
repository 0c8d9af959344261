"""A consistent private copy of somebody's SQLite file, WAL included; the original is only read."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import re
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from frames.transfer.errors import BadStore

MAGIC = b"SQLite format 3\x00"
BUSY_SECONDS = 5
PENDING_BYTE = 0x40000000
# What quick_check says of rows that break their table's declarations; they can be read all the same.
ROW_COMPLAINT = re.compile(
    r"(NULL value in|CHECK constraint failed|(non-)?[A-Z]+ value in|non-unique entry|"
    r"malformed inverted index|unable to validate the inverted index)"
)


@contextmanager
def snapshot(database: Path) -> Iterator[Path]:
    """Yield the path of a copy that nobody else writes to, gone afterwards.

    Raises BadStore with the reason and the mend for what is not a readable SQLite database.
    """
    with tempfile.TemporaryDirectory(prefix="stackmemory-import-") as folder:
        copy = Path(folder) / "store.db"
        try:
            header = check_header(database)
            _copy(database, copy, wal=header[18:20] == b"\x02\x02")
            _check_copy(database, copy)
        except PermissionError:
            raise BadStore(
                f"No permission to read {database}; run the import as a user who may read it."
            ) from None
        except OSError as problem:
            if problem.errno == errno.ENOSPC:
                raise BadStore(
                    f"The disk is full: the import works on a copy of {database.name} in"
                    f" {folder}; free {(database.stat().st_size >> 20) + 1} MB or point TMPDIR elsewhere."
                ) from None
            raise BadStore(f"{database} cannot be read: {problem.strerror}.") from None
        yield copy


def check_header(database: Path) -> bytes:
    """The first 100 bytes of an SQLite database (https://www.sqlite.org/fileformat.html)."""
    with database.open("rb") as file:
        header = file.read(100)
    size = database.stat().st_size
    if size == 0:
        raise BadStore(f"{database} is empty (0 bytes): nothing was ever stored in it.")
    if not header.startswith(MAGIC):
        raise BadStore(
            f"{database} is not an SQLite database, or it is encrypted; give the context.db that"
            " StackMemory wrote, decrypted if need be."
        )
    page = int.from_bytes(header[16:18], "big")
    page = 65536 if page == 1 else page
    pages = int.from_bytes(header[28:32], "big")
    fresh = header[24:28] == header[92:96]  # the page count is valid only then
    if len(header) < 100 or (fresh and pages * page > size and not _wal(database).exists()):
        raise BadStore(
            f"{database} is truncated: its header speaks of {pages * page} bytes and the file has"
            f" {size}; copy it again, or recover it with: sqlite3 {database.name} .recover"
        )
    return header


def fingerprint(files: list[Path], marks: Iterable[str] = ()) -> str:
    """SHA-256 over the content of the files, in order, after other such marks."""
    total = hashlib.sha256("".join(marks).encode())
    for path in files:
        with path.open("rb") as file:
            total.update(hashlib.file_digest(file, "sha256").digest())
    return total.hexdigest()


def _copy(database: Path, copy: Path, *, wal: bool) -> None:
    """Without a trace beside the original: SQLite itself would roll back a hot journal, and make a
    -shm file for a WAL database that nobody has open. Those are copied and recovered in the copy.
    """
    if not wal or not Path(f"{database}-shm").exists():
        _copy_files(database, copy, ("", "-wal") if wal else ("", "-journal"))
        return
    try:
        _backup(f"{database.resolve().as_uri()}?mode=ro&readonly_shm=1", copy)
    except sqlite3.OperationalError as problem:
        if _means_locked(problem):
            raise _locked(database) from None
        _copy_files(database, copy, ("", "-wal"))
    except sqlite3.DatabaseError as problem:
        raise _damaged(database, problem) from None


def _backup(uri: str, copy: Path) -> None:
    source = sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS)
    try:
        # backup() itself waits for ever on a locked source; a read lock does not.
        source.execute("BEGIN")
        source.execute("SELECT count(*) FROM sqlite_master").fetchone()
        target = sqlite3.connect(copy)
        try:
            source.backup(target, pages=4096)
        finally:
            target.close()
    finally:
        source.close()


def _copy_files(database: Path, copy: Path, suffixes: tuple[str, ...]) -> None:
    """Copy under a reader's lock, under which a database without WAL stays as it is.

    A journal may go on growing meanwhile: it speaks of changes that are not in the database yet.
    A WAL may not, so that is tried again.
    """
    parts = [Path(f"{database}{suffix}") for suffix in suffixes if suffix != "-journal"]
    for _ in range(5):
        with _shared_lock(database):
            before = _stamps(parts)
            for suffix in suffixes:
                Path(f"{copy}{suffix}").unlink(missing_ok=True)
                with suppress(FileNotFoundError):
                    shutil.copyfile(f"{database}{suffix}", f"{copy}{suffix}")
            if _stamps(parts) == before:
                return
    raise BadStore(f"{database} is being written to without pause; stop its owner and try again.")


@contextmanager
def _shared_lock(database: Path) -> Iterator[None]:
    """Keep writers out of the database file, as an SQLite reader does; BadStore if one is in it.

    See "File Locking And Concurrency" (https://www.sqlite.org/lockingv3.html): a reader holds a
    read lock on 510 bytes, and takes it only while it can have one on the pending byte.
    """
    with database.open("rb") as file:
        deadline = time.monotonic() + BUSY_SECONDS
        while True:
            try:
                fcntl.lockf(file, fcntl.LOCK_SH | fcntl.LOCK_NB, 1, PENDING_BYTE)
                fcntl.lockf(file, fcntl.LOCK_SH | fcntl.LOCK_NB, 510, PENDING_BYTE + 2)
                break
            except OSError as problem:
                if problem.errno not in (errno.EAGAIN, errno.EACCES):
                    break  # a file system without locks
                if time.monotonic() > deadline:
                    raise _locked(database) from None
                time.sleep(0.002)  # the gap between two commits of a busy owner
            finally:
                with suppress(OSError):
                    fcntl.lockf(file, fcntl.LOCK_UN, 1, PENDING_BYTE)
        yield


def _stamps(parts: list[Path]) -> list[tuple[int, int]]:
    return [(s.st_size, s.st_mtime_ns) for p in parts if p.exists() for s in [p.stat()]]


def _check_copy(database: Path, copy: Path) -> None:
    try:
        with closing(sqlite3.connect(copy)) as connection:
            connection.execute("PRAGMA trusted_schema=OFF")
            said = [text for (text,) in connection.execute("PRAGMA quick_check(1000)")]
    except sqlite3.DatabaseError as problem:
        raise _damaged(database, problem) from None
    broken = [text for text in said if text != "ok" and not ROW_COMPLAINT.match(str(text))]
    if broken:
        raise _damaged(database, broken[0])


def _means_locked(problem: sqlite3.OperationalError) -> bool:
    return problem.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def _locked(database: Path) -> BadStore:
    return BadStore(
        f"{database} is locked by the program that owns it; stop that program (or wait until it"
        " is done) and try again."
    )


def _damaged(database: Path, problem: object) -> BadStore:
    return BadStore(
        f"{database} is damaged, truncated or encrypted ({str(problem)[:200]}); copy it again, or"
        f" recover it with: sqlite3 {database.name} .recover"
    )


def _wal(database: Path) -> Path:
    return Path(f"{database}-wal")
