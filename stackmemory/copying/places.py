"""The two databases of a copy: opened beside the running one, as the role that owns the tables."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import unquote, urlsplit

from django.conf import settings
from django.db import DatabaseError, connections
from django.db.migrations.loader import MigrationLoader
from django.db.utils import load_backend
from django.utils.connection import ConnectionDoesNotExist

from stackmemory.copying.errors import CannotCopy
from stackmemory.copying.tables import SEEDED, Table
from stackmemory.lib.database_url import database_settings
from stackmemory.lib.tenancy import as_owner

SOURCE, TARGET = "copy_from", "copy_to"


@contextmanager
def opened(source: str, target: str) -> Iterator[None]:
    """While the block runs, the aliases SOURCE and TARGET are these databases.

    Raises CannotCopy where one cannot be reached.
    """
    if place(source) == place(target):
        raise CannotCopy("Both addresses are of the same database.")
    with as_owner():
        try:
            for alias, url in ((SOURCE, source), (TARGET, target)):
                _open(alias, url)
            yield
        finally:
            for alias in (SOURCE, TARGET):
                with suppress(ConnectionDoesNotExist):
                    connections[alias].close()
                    del connections[alias]


def place(url: str) -> str:
    """Where a database is, without who opens it: what tells two apart and may be shown."""
    parts = urlsplit(url)
    if parts.scheme.startswith("sqlite"):
        # `sqlite:///file` is one of the folder where the command is given, as Django reads it.
        return f"sqlite:{os.path.realpath(unquote(parts.path[1:]))}"
    return f"{parts.hostname}:{parts.port or 5432}{parts.path}"


def check_source() -> None:
    """Raise CannotCopy unless the source has exactly this version's tables."""
    ours, theirs = _migrations(SOURCE)
    if lacking := sorted(ours - theirs):
        raise CannotCopy(
            f"The source lacks the migration {'.'.join(lacking[0])}: bring it to this version"
            " first, with manage.py migrate there."
        )
    if unknown := sorted(theirs - ours):
        raise CannotCopy(
            f"The source has the migration {'.'.join(unknown[0])}, which this version does not"
            " know: copy with the version that runs there."
        )


def prepare_target(url: str) -> None:
    """Give an empty target this version's tables. Raises CannotCopy where it has others."""
    ours, theirs = _migrations(TARGET)
    if unknown := sorted(theirs - ours):
        raise CannotCopy(f"The target has the migration {'.'.join(unknown[0])} of a newer version.")
    if ours - theirs:
        connections[TARGET].close()
        done = subprocess.run(
            [sys.executable, str(settings.BASE_DIR / "manage.py"), "migrate", "-v", "0"],
            env=os.environ | {"DATABASE_URL": url}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            said = (done.stderr.strip() or "no reason given").splitlines()[-1]
            raise CannotCopy(f"The target could not be given its tables: {said}")


def check_empty(tables: list[Table]) -> None:
    """Raise CannotCopy unless the target holds nothing but what `migrate` puts there."""
    for table in tables:
        rows = table.model._base_manager.using(TARGET)
        if table.label not in SEEDED and rows.exists():
            raise CannotCopy(
                f"The target is not empty: {table.name} has rows. Give an empty database; nothing"
                " was changed."
            )


def _open(alias: str, url: str) -> None:
    config = database_settings(url, require_tls=settings.PRODUCTION)
    if config["ENGINE"].endswith("sqlite3"):
        if config["NAME"] in ("", ":memory:"):
            raise CannotCopy("A database in memory cannot be copied.")
        if alias == SOURCE and not os.path.exists(config["NAME"]):
            raise CannotCopy(f"There is no {config['NAME']}.")
    filled = connections.configure_settings({"default": config})["default"]
    # Of this thread alone, and no part of what the rest of the product sees.
    connections[alias] = load_backend(filled["ENGINE"]).DatabaseWrapper(filled, alias)
    try:
        connections[alias].ensure_connection()
    except DatabaseError as problem:
        said = str(problem).strip().splitlines()[0]
        if alias == SOURCE and config["ENGINE"].endswith("sqlite3"):
            said += (
                ". SQLite keeps its log beside the file: this user has to be able to write there"
            )
        raise CannotCopy(f"{place(url)} cannot be opened: {said}.") from None


def _migrations(alias: str) -> tuple[set[tuple[str, str]], set[tuple[str, str]]]:
    """(this version's, the database's) migrations, of the apps that are installed."""
    loader = MigrationLoader(connections[alias])
    installed = {key for key in loader.applied_migrations if key[0] in loader.migrated_apps}
    return set(loader.disk_migrations), installed
