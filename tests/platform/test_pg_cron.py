"""Schedules handed to a real pg_cron, run by it, and taken back."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.core.management import CommandError, call_command

from stackmemory.schedules import IN_SQL, SCHEDULES
from tests.postgres import free_port

ROOT = Path(__file__).parent.parent.parent
SERVERS = sorted(Path("/usr/lib/postgresql").glob("*/lib/pg_cron.so"))
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "shared_preload_libraries": "pg_cron",
    "cron.database_name": "postgres",
    "cron.use_background_workers": "on",
    "fsync": "off",
}
PREPARE = """
import django; django.setup()
from django.core.management import call_command
from django.utils import timezone
from datetime import timedelta
for app in ("sessions", "usersessions", "django_q", "stackmemory", "workspaces", "frames"):
    call_command("migrate", app, verbosity=0)
from stackmemory.models import Job
from workspaces.models import Invitation, Workspace
from stackmemory.lib.tenancy import system_scope
now = timezone.now()
Job.objects.create(name="old", state="done", due_at=now, created_at=now,
                   ended_at=now - timedelta(days=8))
Job.objects.create(name="new", state="done", due_at=now, created_at=now, ended_at=now)
with system_scope():
    w = Workspace.objects.create(slug="acme", name="Acme")
    for n in (1, 40):
        Invitation.unscoped.create(workspace=w, email=f"{n}@example.com", token_digest=str(n),
                                   expires_at=now - timedelta(days=n))
"""
BY = """
import django, json; django.setup()
from django_q.models import Schedule
from stackmemory import schedules
schedules.install(using="default")
print(json.dumps({row.name: row.repeats for row in Schedule.objects.all()}))
"""


class Debian:
    """The system's own PostgreSQL with pg_cron, started for this test alone."""

    def __init__(self) -> None:
        self.bin = SERVERS[-1].parent.parent / "bin"
        self.home = Path(tempfile.mkdtemp(prefix="smcron-"))
        self.user = "nobody" if os.geteuid() == 0 else None
        if self.user:
            os.chown(self.home, pwd.getpwnam(self.user).pw_uid, -1)
        self.port = free_port()
        subprocess.run(
            [self.bin / "initdb", "-D", self.home / "data", "-U", "postgres", "-A", "trust",
             "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"],
            check=True, capture_output=True, user=self.user,
        )  # fmt: skip
        with (self.home / "data" / "postgresql.conf").open("a") as conf:
            settings = SETTINGS | {
                "port": str(self.port),
                "unix_socket_directories": str(self.home),
            }
            conf.writelines(f"{name} = '{value}'\n" for name, value in settings.items())
        self.start()
        self.sql("CREATE EXTENSION pg_cron")
        self.sql("CREATE ROLE app LOGIN CREATEROLE CREATEDB")
        self.sql("CREATE DATABASE app OWNER app")

    def start(self) -> None:
        self.process = subprocess.Popen(
            [self.bin / "postgres", "-D", self.home / "data"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, user=self.user,
        )  # fmt: skip
        deadline = time.monotonic() + 30
        while True:
            try:
                self.sql("SELECT 1")
                return
            except psycopg.OperationalError:
                assert time.monotonic() < deadline
                time.sleep(0.05)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(20)

    def sql(self, statement: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        url = f"postgresql://postgres@127.0.0.1:{self.port}/{database}"
        with psycopg.connect(url, autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def python(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True,
            env=os.environ | {
                "DATABASE_URL": f"postgresql://app@127.0.0.1:{self.port}/app",
                "DJANGO_SETTINGS_MODULE": "stackmemory.settings", "VAR_DIR": str(self.home),
            },
        )  # fmt: skip


@pytest.fixture
def debian() -> Iterator[Debian]:
    if not SERVERS:
        pytest.skip("pg_cron is not installed (Debian: postgresql-15-cron)")
    server = Debian()
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(server.home, ignore_errors=True)


@pytest.mark.postgresql_only
def test_pg_cron_has_them_runs_them_and_gives_them_back(debian):
    done = debian.python("-c", PREPARE)
    assert done.returncode == 0, done.stderr[-3000:]

    refused = debian.python("manage.py", "install_pg_cron")
    assert refused.returncode == 2
    assert "GRANT USAGE ON SCHEMA cron TO app" in refused.stderr
    debian.sql("GRANT USAGE ON SCHEMA cron TO app")
    debian.sql("GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA cron TO app")
    for _ in range(2):
        done = debian.python("manage.py", "install_pg_cron")
        assert done.returncode == 0, done.stderr
    assert done.stdout.count("pg_cron runs:") == len(IN_SQL)
    jobs = debian.sql("SELECT jobname, database, username, active FROM cron.job")
    assert {job[0] for job in jobs} == {f"stackmemory app: {name}" for name in IN_SQL}
    assert {job[1:] for job in jobs} == {("app", "app", True)}
    by = json.loads(debian.python("-c", BY).stdout)
    assert {name for name, repeats in by.items() if repeats == 0} == set(IN_SQL)

    # Its clock knows minutes only; what is due at a start of the server is due at once.
    debian.sql("UPDATE cron.job SET schedule = '@reboot'")
    debian.stop()
    debian.start()
    deadline = time.monotonic() + 30
    ended = "SELECT count(*) FROM cron.job_run_details WHERE status IN ('succeeded', 'failed')"
    while debian.sql(ended) != [(len(IN_SQL),)]:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert (
        debian.sql("SELECT return_message FROM cron.job_run_details WHERE status = 'failed'") == []
    )
    assert debian.sql("SELECT name FROM stackmemory_job", "app") == [("new",)]
    assert debian.sql(
        "SELECT email, revoked_at IS NOT NULL FROM workspaces_invitation ORDER BY 1", "app"
    ) == [("1@example.com", False), ("40@example.com", True)]

    taken = debian.python("manage.py", "install_pg_cron", "--remove")
    assert taken.returncode == 0, taken.stderr
    assert taken.stdout.count("the worker runs:") == len(IN_SQL)
    assert debian.sql("SELECT count(*) FROM cron.job") == [(0,)]
    assert set(json.loads(debian.python("-c", BY).stdout).values()) == {-1}


def test_without_pg_cron_it_says_so_and_changes_nothing(db):
    with pytest.raises(CommandError, match=r"SQLite|not loaded"):
        call_command("install_pg_cron")
    assert set(IN_SQL) < set(SCHEDULES)
