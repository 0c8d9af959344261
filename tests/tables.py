"""The tables of SQLite tests, made by the migrations once for as long as no file of ours changes.

Migrating takes three seconds of CPU, in each worker of each run. What they made lies in var/.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from django.db import connection

from tests.databases import ROOT

FOLDER = ROOT / "var" / "test-tables"
OURS = ("stackmemory", "workspaces", "frames", "search")
FORMS = {".py", ".sql"}


@contextmanager
def ready_made() -> Iterator[None]:
    """While the block makes the test's database, it finds it made; else what it makes is kept.

    One process at a time: the others find what the first has made.
    """
    FOLDER.mkdir(parents=True, exist_ok=True)
    kept = FOLDER / f"{_state()}.sqlite3"
    with (FOLDER / "lock").open("w") as lock, closing(sqlite3.connect(_name(), uri=True)) as memory:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if kept.exists():
            fcntl.flock(lock, fcntl.LOCK_UN)
            with closing(sqlite3.connect(kept)) as file:
                file.backup(memory)
            yield
            return
        yield
        for old in FOLDER.glob("*.sqlite3"):
            old.unlink()
        part = kept.with_suffix(".part")
        with closing(sqlite3.connect(part)) as file:
            memory.backup(file)
        part.rename(kept)


def _name() -> str:
    """Of the database in memory, as Django calls it: it lives while anybody is connected."""
    name = connection.creation._get_test_db_name()
    assert "mode=memory" in name
    return str(name)


def _state() -> str:
    """Whatever the tables may depend on."""
    found = hashlib.sha256(sys.version.encode())
    found.update((ROOT / "requirements" / "dev.txt").read_bytes())
    for package in OURS:
        for folder, _, names in sorted(os.walk(ROOT / package)):
            for name in sorted(names):
                path = Path(folder, name)
                if path.suffix in FORMS:
                    found.update(str(path.relative_to(ROOT)).encode() + path.read_bytes())
    return found.hexdigest()[:32]
