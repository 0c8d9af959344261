"""Property (c): scopes hold behind PgBouncer in transaction mode, with many threads on few
connections, for a login that owns nothing."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from django.conf import settings
from django.db import connection

from frames.models import Frame, Project
from stackmemory.lib import row_security
from stackmemory.lib.uuid7 import uuid7
from tests.postgres import free_port
from workspaces.models import Workspace

PGBOUNCER = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")

pytestmark = [
    pytest.mark.postgresql_only,
    pytest.mark.skipif(PGBOUNCER is None, reason="pgbouncer is not installed"),
]

# Each thread enters one team's scope again and again, and between scopes looks without one.
SCRIPT = """
import json, sys, threading
from django.db import connection, transaction
from frames.models import Frame, Project
from stackmemory.lib.tenancy import system_scope, workspace_scope
from uuid import UUID
wrong, teams = [], [UUID(x) for x in sys.argv[1:]]
def work(team):
    for n in range(40):
        with workspace_scope(team):
            seen = set(Frame.objects.across_workspaces().values_list("workspace_id", flat=True))
            if seen != {team}:
                wrong.append(f"scope saw {seen}")
            if n % 10 == 0:
                Project.objects.across_workspaces().filter(slug="p").update(name=f"P{n}")
        if Frame.objects.across_workspaces().exists():
            wrong.append("no scope, yet rows")
        if n % 8 == 0:
            with system_scope():
                if Frame.objects.across_workspaces().count() != len(teams):
                    wrong.append("system scope did not see all")
    connection.close()
threads = [threading.Thread(target=work, args=(teams[n % 2],)) for n in range(12)]
[t.start() for t in threads]; [t.join() for t in threads]
print(json.dumps(wrong))
"""


@pytest.fixture
def pooled_url(transactional_db: None) -> Iterator[str]:
    """A URL through a pgbouncer of our own, as a login that owns nothing."""
    row_security.add_login("default", "pooled", "secret")
    database = connection.settings_dict
    port = free_port()
    home = Path(tempfile.mkdtemp(prefix="smpb-"))  # pytest's own folders are closed to other users
    home.chmod(0o755)
    (home / "users.txt").write_text('"pooled" "secret"\n')
    (home / "pgbouncer.ini").write_text(
        f"[databases]\n{database['NAME']} = host={database['HOST']} port={database['PORT']}\n"
        f"[pgbouncer]\nlisten_addr=127.0.0.1\nlisten_port={port}\nunix_socket_dir=\n"
        f"auth_type=trust\nauth_file={home}/users.txt\n"
        "pool_mode=transaction\ndefault_pool_size=3\nmax_client_conn=50\n"
        "ignore_startup_parameters=extra_float_digits,options\n"
    )
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(
            [PGBOUNCER, str(home / "pgbouncer.ini")],
            user="nobody" if os.geteuid() == 0 else None,
            stderr=log,
        )
    url = f"postgresql://pooled:secret@127.0.0.1:{port}/{database['NAME']}"
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                psycopg.connect(url).close()
                break
            except psycopg.OperationalError:
                assert process.poll() is None, (home / "log").read_text()
                assert time.monotonic() < deadline, "pgbouncer does not answer"
                time.sleep(0.05)
        yield url
    finally:
        process.terminate()
        process.wait(10)
        shutil.rmtree(home)


def two_teams() -> list[str]:
    """The ids of two workspaces, each with a frame of its own for SCRIPT to look for."""
    teams = []
    for slug in ("acme", "globex"):
        workspace = Workspace.objects.create(slug=slug, name=slug)
        project = Project.unscoped.create(workspace=workspace, slug="p", name="P")
        frame_id = uuid7()
        Frame.unscoped.create(
            id=frame_id, root_id=frame_id, workspace=workspace, project=project, name="work"
        )
        teams.append(str(workspace.id))
    return teams


def test_scopes_hold_behind_a_transaction_pooler(pooled_url):
    teams = two_teams()
    done = subprocess.run(
        [sys.executable, "-c", f"import django; django.setup()\n{SCRIPT}", *teams],
        env=os.environ
        | {"DATABASE_URL": pooled_url, "DJANGO_SETTINGS_MODULE": "stackmemory.settings"},
        cwd=settings.BASE_DIR,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == []


HEAR = """
import asyncio, sys
from uuid import UUID
from stackmemory.lib.listen import listener
from stackmemory.lib.tenancy import workspace_scope
from workspaces import news
def write():
    with workspace_scope(UUID(sys.argv[1])):
        news.tell(UUID(sys.argv[1]), "frame", "opened", [UUID(int=7)])
async def main():
    heard, ready = asyncio.Queue(), asyncio.Event()
    async def missed():
        ready.set()
    task = asyncio.create_task(listener(news.CHANNEL, heard.put_nowait, missed).run())
    await asyncio.wait_for(ready.wait(), 20)
    await asyncio.to_thread(write)
    message = news.Message.parse(await asyncio.wait_for(heard.get(), 20))
    print(message.kind, message.what, message.ids[0])
    task.cancel()
asyncio.run(main())
"""


def test_news_written_through_the_pooler_are_heard_past_it(pooled_url):
    acme = Workspace.objects.create(slug="acme", name="Acme")
    database = connection.settings_dict
    direct = "postgresql://{USER}@{HOST}:{PORT}/{NAME}".format(**database)
    done = subprocess.run(
        [sys.executable, "-c", f"import django; django.setup()\n{HEAR}", str(acme.pk)],
        env=os.environ
        | {
            "DATABASE_URL": pooled_url,
            "DATABASE_DIRECT_URL": direct,
            "DJANGO_SETTINGS_MODULE": "stackmemory.settings",
        },
        cwd=settings.BASE_DIR,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["frame", "opened", "00000000-0000-0000-0000-000000000007"]
