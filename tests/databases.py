"""Databases of their own for tests that start processes: all tables, no rows."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import uuid
from dataclasses import dataclass
from pathlib import Path

import psycopg

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True)
class OwnDatabase:
    url: str

    @classmethod
    def made(cls, template: Path, folder: Path) -> OwnDatabase:
        """On SQLite a copy of the template; on PostgreSQL, whose roles are a database's own, migrated."""
        if os.environ.get("TEST_ENGINE", "sqlite") == "sqlite":
            shutil.copy(template, folder / "db.sqlite3")
            return cls(f"sqlite:///{folder / 'db.sqlite3'}")
        name = f"own_{uuid.uuid4().hex[:12]}"
        with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        database = cls(f"{os.environ['DATABASE_URL'].rpartition('/')[0]}/{name}")
        database.run(folder, "manage.py", "migrate", "-v0")
        return database

    def environ(self, folder: Path) -> dict[str, str]:
        """What a process needs to work on it."""
        return os.environ | {
            "DATABASE_URL": self.url,
            "DJANGO_SETTINGS_MODULE": "stackmemory.settings",
            "VAR_DIR": str(folder / "var"),
            "EMBEDDINGS": "none",  # what starts a process is seldom about vectors
        }

    def run(self, folder: Path, *arguments: str) -> str:
        """The last line that Python says when run with these arguments; fails as it fails."""
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=ROOT, env=self.environ(folder), capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout.strip().rpartition("\n")[2]

    @property
    def is_file(self) -> bool:
        return self.url.startswith("sqlite")

    def drop(self) -> None:
        if not self.is_file:
            name = self.url.rpartition("/")[2]
            with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
                connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
