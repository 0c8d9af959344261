"""psycopg's pool: sessions are handed from thread to thread, and no scope or role goes with them."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from django.conf import settings

from tests.test_pgbouncer import SCRIPT, two_teams

# After the crowd: owners' work in between, a thread at a time, a fork, and how many sessions there were.
THEN = """
import os
seen = []
def role():
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user, pg_backend_pid()")
        return cursor.fetchone()
def once(work):
    thread = threading.Thread(target=lambda: (work(), connection.close()))
    thread.start(); thread.join()
from stackmemory.lib.tenancy import as_owner
def owner():
    with as_owner():
        seen.append(role())
        connection.close()
for _ in range(4):
    once(owner)
    once(lambda: seen.append(role()))
def failing():
    try:
        with transaction.atomic(), as_owner():
            raise ValueError
    except ValueError:
        pass
    seen.append(role())
once(failing)
once(lambda: seen.append(role()))
connection.close()  # as django-q2 does before it makes a worker
before = {pid for _, pid in seen}
if os.fork() == 0:
    os._exit(0 if role()[1] not in before else 1)
assert os.wait()[1] == 0, "a child uses its parent's session"
seen.append(role())
connection.close()
# The database restarts: all three sessions are gone, and whoever asks next is not given each in turn.
import psycopg_pool.pool
from stackmemory.lib.postgresql import base
barrier, naps, pids = threading.Barrier(3), [], []
def together():
    pids.append(role()[1]); barrier.wait(); connection.close()
crowd = [threading.Thread(target=together) for _ in range(3)]
[each.start() for each in crowd]; [each.join() for each in crowd]
with as_owner(), connection.cursor() as cursor:
    cursor.execute("SELECT pg_terminate_backend(pid) FROM unnest(%s) AS pid"
                   " WHERE pid <> pg_backend_pid()", [pids])
base.FRESH, psycopg_pool.pool.sleep = -1.0, naps.append
once(role)
connection.close()
print(json.dumps({"naps": sum(naps), "wrong": wrong, "roles": [name for name, _ in seen],
                  "sessions": len({pid for _, pid in seen})}))
"""


@pytest.mark.postgresql_only
@pytest.mark.django_db(transaction=True)
def test_sessions_are_handed_on_without_scope_or_role():
    teams = two_teams()
    database = settings.DATABASES["default"]
    url = (
        f"postgresql://{database['USER']}@{database['HOST']}:{database['PORT']}/{database['NAME']}"
    )
    done = subprocess.run(
        [sys.executable, "-c", f"import django; django.setup()\n{SCRIPT}\n{THEN}", *teams],
        env=os.environ
        | {
            "DATABASE_URL": url,
            "DATABASE_POOL_SIZE": "3",
            "DJANGO_SETTINGS_MODULE": "stackmemory.settings",
        },
        cwd=settings.BASE_DIR,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["wrong"] == []
    assert told["naps"] == 0
    app, owner = f"stackmemory_app_{database['NAME']}", database["USER"]
    assert told["roles"] == [owner, app] * 4 + [app, app, app]
    assert told["sessions"] <= 3
