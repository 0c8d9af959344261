"""Opening the databases of a store: snapshots of them, checked to be what an import knows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from frames.transfer.errors import BadStore
from frames.transfer.locate import Store
from frames.transfer.snapshot import fingerprint, snapshot
from frames.transfer.source import Source


def open_store(store: Store, stack: ExitStack) -> list[Source]:
    """The store's own database first, then those beside it; closed and gone with `stack`."""
    sources = [
        _open(database, stack, beside=number > 0)
        for number, database in enumerate((store.database, *store.side_databases))
    ]
    companions = bool(store.tasks or store.decisions)
    for number, source in enumerate(sources):
        source.check_schema(companions=companions or number > 0)
    rows = sum(source.count(table) for source in sources for table in source.tables)
    if rows == 0 and not companions:
        raise BadStore(
            f"{sources[0].name} is an empty store: it has tables but no rows; there is nothing to"
            " import."
        )
    return sources


def _open(database: Path, stack: ExitStack, *, beside: bool) -> Source:
    copy = stack.enter_context(snapshot(database))
    with copy.open("rb") as file:
        wal = file.read(20)[18:20] == b"\x02\x02"
    source = Source(copy, database.name)
    stack.callback(source.close)
    source.fingerprint = fingerprint([copy])
    # Every store has frames. Where they are lacking, a log that was not copied may hold them, and
    # what else there is may be an old state of it.
    if wal and not source.has("frames") and not Path(f"{database}-wal").exists() and not beside:
        raise BadStore(
            f"{database.name} has no frames, and its header says that rows may still be in"
            f" {database.name}-wal, which is not beside it; bring that file too (best: close"
            " StackMemory, then copy the whole .stackmemory folder)."
        )
    return source


def mark_of(store: Store, sources: list[Source]) -> str:
    """A digest of all that an import of these files would read."""
    companions = [path for path in (store.tasks, store.decisions, store.projects) if path]
    return fingerprint([*companions, *store.side_files.values()], [s.fingerprint for s in sources])


def companion_rows(store: Store) -> Iterator[int]:
    """How many rows the files beside the databases hold, roughly."""
    if store.tasks is not None:
        with store.tasks.open("rb") as file:
            yield sum(1 for line in file if line.strip())
    yield len(store.side_files)
