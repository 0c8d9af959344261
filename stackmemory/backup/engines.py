"""What a backup needs of an engine. Which one it is, is asked here and nowhere else."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from stackmemory.backup.errors import BadBackup
from stackmemory.backup.named import Named
from stackmemory.backup.postgres import Postgres
from stackmemory.backup.sqlite import Sqlite
from stackmemory.backup.sums import Found


class Engine(Protocol):
    name: str
    part: str

    def version(self) -> str: ...

    def save(self, path: Path) -> Found:
        """Write the database to `path`, as it is at one moment, while it is being used."""

    def tables(self) -> list[str]:
        """The tables there are; to be empty is to have none."""

    def load(self, path: Path) -> None:
        """Put a saved database into this empty one: all of it, or nothing."""

    def found(self) -> Found:
        """What is in it now."""

    def named(self) -> Named:
        """The objects that its rows name now."""

    def ask(self, said: str) -> list[tuple[Any, ...]]:
        """The rows that a statement of ours finds, as the owner of the tables sees them."""

    def scratch(self) -> AbstractContextManager[Engine]:
        """An empty database beside it, which is gone after the block."""


def engine_of(settings: dict[str, Any]) -> Engine:
    """`settings` as DATABASES has them, or as an open connection does."""
    if settings["ENGINE"].endswith("sqlite3"):
        return Sqlite(settings)
    if settings["ENGINE"].endswith("postgresql"):
        return Postgres(settings)
    raise BadBackup(f"There are no backups of {settings['ENGINE']}.")
