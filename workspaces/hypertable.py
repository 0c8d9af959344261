"""The history as a hypertable, where an operator asks for it and TimescaleDB is there; and back.

Never by a migration: a schema must not depend on what happens to be installed. Either way the model
is the same, and so is what is written to it (frames/rollup.py).
"""

from __future__ import annotations

from pathlib import Path

from django.db import DatabaseError, connections, transaction

from stackmemory.lib import row_security

TABLE, ASIDE = "workspaces_history", "workspaces_history_aside"
YEARS = Path(__file__).parent / "migrations" / "sql" / "history_years_postgresql.sql"
WORKSPACE = (
    f"ALTER TABLE {TABLE} ADD CONSTRAINT {TABLE}_workspace_fk FOREIGN KEY (workspace_id)"
    " REFERENCES workspaces_workspace (id) DEFERRABLE INITIALLY DEFERRED"
)
INDEX = f"CREATE INDEX history_of_time ON {TABLE} (workspace_id, span, at)"
HYPERTABLE = (
    f"CREATE TABLE {TABLE} (LIKE {ASIDE} INCLUDING DEFAULTS)",
    # TimescaleDB wants the time in every unique key.
    f"ALTER TABLE {TABLE} ADD PRIMARY KEY (id, at)",
    f"SELECT create_hypertable('{TABLE}', 'at', chunk_time_interval => INTERVAL '1 month')",
)
PARTITIONED = (
    f"CREATE TABLE {TABLE} (LIKE {ASIDE} INCLUDING DEFAULTS) PARTITION BY RANGE (id)",
    f"ALTER TABLE {TABLE} ADD PRIMARY KEY (id)",
)


class NotPossible(Exception):
    """Why, and what would mend it. Nothing was changed."""


def is_hypertable(using: str = "default") -> bool:
    if not _has(using, "pg_extension WHERE extname = 'timescaledb'"):
        return False
    return _has(using, f"timescaledb_information.hypertables WHERE hypertable_name = '{TABLE}'")


def make(using: str = "default") -> int | None:
    """Make the history a hypertable; how many rows it has, None where it was one. As the owner."""
    connection = connections[using]
    if connection.vendor != "postgresql":
        raise NotPossible("TimescaleDB is an extension of PostgreSQL; this is SQLite.")
    if not _has(using, "pg_available_extensions WHERE name = 'timescaledb'"):
        raise NotPossible(
            "TimescaleDB is not installed on this server: it has no extension “timescaledb”. The"
            " history stays partitioned by year, which loses nothing. Install the package, add"
            " timescaledb to shared_preload_libraries, restart PostgreSQL, and run this again."
        )
    try:
        with transaction.atomic(using=using), connection.cursor() as cursor:
            cursor.execute("CREATE EXTENSION IF NOT EXISTS timescaledb")
    except DatabaseError as problem:
        said = str(problem).strip().partition("\n")[0]
        raise NotPossible(
            f"The extension cannot be created ({said}). Have a superuser run CREATE EXTENSION"
            " timescaledb in this database, then run this again."
        ) from problem
    if is_hypertable(using):
        return None
    return _rebuild(using, HYPERTABLE, "")


def undo(using: str = "default") -> int | None:
    """Partition the history by year again; None where it is."""
    if connections[using].vendor != "postgresql" or not is_hypertable(using):
        return None
    return _rebuild(using, PARTITIONED, YEARS.read_text())


def _rebuild(using: str, made: tuple[str, ...], afterwards: str) -> int:
    """The same rows in a table made anew, whole or not at all; others wait meanwhile."""
    with transaction.atomic(using=using), connections[using].cursor() as cursor:
        cursor.execute(f"LOCK TABLE {TABLE} IN ACCESS EXCLUSIVE MODE")
        cursor.execute(f"ALTER TABLE {TABLE} RENAME TO {ASIDE}")
        cursor.execute("DROP INDEX IF EXISTS history_of_time")
        # Partitions keep their names, which the new ones may want.
        cursor.execute(
            "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = %s::regclass",
            [ASIDE],
        )
        for (name,) in cursor.fetchall():
            if "." not in name:
                cursor.execute(f"ALTER TABLE {name} RENAME TO {name}_aside")
        for statement in made:
            cursor.execute(statement)
        if afterwards:
            cursor.execute(afterwards)
        cursor.execute(f"INSERT INTO {TABLE} SELECT * FROM {ASIDE}")
        moved = int(cursor.rowcount)
        cursor.execute(f"SELECT count(*) FROM {ASIDE}")
        [there] = cursor.fetchone()
        if moved != there:
            raise NotPossible(f"Of {there} rows only {moved} arrived; everything is as it was.")
        cursor.execute(f"DROP TABLE {ASIDE}")
        cursor.execute(WORKSPACE)
        cursor.execute(INDEX)
    row_security.install(using)
    return moved


def _has(using: str, where: str) -> bool:
    with connections[using].cursor() as cursor:
        cursor.execute(f"SELECT 1 FROM {where}")
        return cursor.fetchone() is not None
