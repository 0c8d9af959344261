"""`python -m tests.migrations`: on both engines, every migration forwards, none missing, all back.

Each engine gets an empty database of its own. Going back to zero and forwards again has to end
with the same schema.
"""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import psycopg

from tests.postgres import Server

ROOT = Path(__file__).parent.parent
OWN_APPS = ("search", "frames", "workspaces")  # those that build on others first
Schema = set[tuple[str, ...]]

POSTGRES_SCHEMA = """
    SELECT 'column', table_name || '.' || column_name, data_type FROM information_schema.columns
     WHERE table_schema = 'public'
    UNION ALL SELECT 'constraint', conrelid::regclass::text, pg_get_constraintdef(oid)
      FROM pg_constraint WHERE connamespace = 'public'::regnamespace
    UNION ALL SELECT 'index', tablename, indexname FROM pg_indexes WHERE schemaname = 'public'
    UNION ALL SELECT 'trigger', tgrelid::regclass::text, tgname FROM pg_trigger
     WHERE NOT tgisinternal
    UNION ALL SELECT 'policy', tablename, policyname FROM pg_policies
    UNION ALL SELECT 'function', proname, pg_get_function_identity_arguments(oid) FROM pg_proc
     WHERE pronamespace = 'public'::regnamespace
"""


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = f"{folder}/db.sqlite3"
        both_ways("SQLite", f"sqlite:///{file}", lambda: sqlite_schema(file))
    server = Server()
    try:
        url = server.create_database("migrations")
        both_ways("PostgreSQL", url, lambda: postgres_schema(url))
    finally:
        server.close()


def both_ways(engine: str, url: str, schema: Callable[[], Schema]) -> None:
    manage(url, "migrate")
    manage(url, "makemigrations", "--check", "--dry-run")
    before = schema()
    for app in OWN_APPS:
        if (ROOT / app / "migrations").is_dir():
            manage(url, "migrate", app, "zero")
    manage(url, "migrate")
    if differing := before ^ schema():
        sys.exit(f"{engine}: not the same after going back and forth: {sorted(differing)}")
    print(f"{engine}: migrations go forwards, are complete, go back, and forwards again.")


def manage(url: str, *arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=os.environ | {"DATABASE_URL": url},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        sys.exit(f"manage.py {' '.join(arguments)} failed:\n{done.stdout}{done.stderr}")


def sqlite_schema(file: str) -> Schema:
    with sqlite3.connect(file) as database:
        return set(database.execute("SELECT type, tbl_name, name FROM sqlite_master"))


def postgres_schema(url: str) -> Schema:
    with psycopg.connect(url) as connection:
        return set(connection.execute(POSTGRES_SCHEMA))


if __name__ == "__main__":
    main()
