"""Reads from a real streaming replica: who wrote sees it at once, others may see it later."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.postgres import free_port, reachable_binaries

pytestmark = pytest.mark.postgresql_only

# Through the API, as two people; replay on the replica is held up in between.
STORY = """
import json, sys, django; django.setup()
import psycopg, time
from django.db import connections
from django.test import Client
from stackmemory.lib.tenancy import workspace_scope
from workspaces import api_keys
from workspaces.models import Membership, User
from workspaces.provision import create_workspace
workspace = create_workspace(slug="acme", name="Acme", owner_email="alice@example.com").workspace
def key(email):
    user, _ = User.objects.get_or_create(email=email)
    with workspace_scope(workspace.pk):
        if not workspace.memberships.filter(user=user).exists():
            Membership.unscoped.create(workspace=workspace, user=user, role="member")
        return api_keys.create(workspace=workspace, name=email, scopes=["read", "write"], actor=user)[1]
client = Client(SERVER_NAME="localhost")
def asks(text):
    headers = {"Authorization": f"Bearer {text}"}
    def ask(name=None):
        if name:
            answer = client.post("/api/v1/projects", {"name": name}, "application/json", headers=headers)
        else:
            answer = client.get("/api/v1/projects", headers=headers)
        assert answer.status_code in (200, 201), answer.content
        return sorted(each["name"] for each in answer.json().get("items", []))
    return ask
def looks(email):
    browser = Client(SERVER_NAME="localhost")
    browser.force_login(User.objects.get(email=email))
    def look():
        page = browser.get("/w/acme/projects/").content.decode()
        assert "Globex" in page or email[0] == "b", "the workspaces of the person, too"
        return [name for name in ("one", "two") if f"/w/acme/p/{name}/" in page]
    return look
def calls(text):
    headers = {"Authorization": f"Bearer {text}", "Accept": "application/json, text/event-stream"}
    def call(project):
        body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call",
                "params": {"name": "get_active_tasks", "arguments": {"project": project}}}
        answer = client.post("/mcp", body, "application/json", headers=headers)
        assert answer.status_code == 200, answer.content
        return not answer.json()["result"].get("isError")
    return call
create_workspace(slug="globex", name="Globex", owner_email="alice@example.com")
keys = [key(f"{name}@example.com") for name in ("alice", "bob")]
(alice, bob), (alice_calls, bob_calls) = map(asks, keys), map(calls, keys)
alice_looks, bob_looks = looks("alice@example.com"), looks("bob@example.com")
told = {}
with psycopg.connect(sys.argv[1], autocommit=True) as replica:
    alice("one")
    told["at once"] = alice()
    while replica.execute("SELECT pg_last_wal_replay_lsn() < %s::pg_lsn", [
        connections["default"].cursor().execute("SELECT pg_current_wal_insert_lsn()::text").fetchone()[0]
    ]).fetchone()[0]:
        time.sleep(0.02)
    told["bob before"] = bob()
    replica.execute("SELECT pg_wal_replay_pause()")
    while replica.execute("SELECT pg_get_wal_replay_pause_state()").fetchone()[0] != "paused":
        time.sleep(0.02)
    alice("two")
    told["alice, ahead of the replica"] = alice()
    told["bob, on the replica"] = bob()
    told["pages"] = [look() for look in (alice_looks, bob_looks)]
    told["tools"] = [call("two") for call in (alice_calls, bob_calls)]
    replica.execute("SELECT pg_wal_replay_resume()")
    deadline = time.monotonic() + 30
    while bob() != ["one", "two"] and time.monotonic() < deadline:
        time.sleep(0.02)
    told["bob, later"] = bob()
    told["alice, later"] = alice()
connections["replica"].close()
connections["replica"].settings_dict["PORT"] = "1"
told["without the replica"] = bob()
print(json.dumps(told))
"""


class Replica:
    """A standby of the tests' own server, made by pg_basebackup."""

    def __init__(self, primary: str) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="smrep-"))
        self.user = "nobody" if os.geteuid() == 0 else None
        if self.user:
            os.chown(self.home, pwd.getpwnam(self.user).pw_uid, -1)
        self.bin, self.port = reachable_binaries(self.user), free_port()
        subprocess.run(
            [self.bin / "pg_basebackup", "-d", primary, "-D", self.home / "data", "-R",
             "-X", "stream", "-c", "fast", "--no-sync"],
            check=True, capture_output=True, user=self.user,
        )  # fmt: skip
        with (self.home / "data" / "postgresql.conf").open("a") as conf:
            conf.write(f"port = {self.port}\nunix_socket_directories = '{self.home}'\n")
        self.process = subprocess.Popen(
            [self.bin / "postgres", "-D", self.home / "data"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, user=self.user,
        )  # fmt: skip

    def url(self, database: str, user: str = "stackmemory") -> str:
        return f"postgresql://{user}@127.0.0.1:{self.port}/{database}"

    def wait_for(self, database: str) -> None:
        deadline = time.monotonic() + 60
        while True:
            try:
                psycopg.connect(self.url(database), connect_timeout=2).close()
                return
            except psycopg.OperationalError:
                assert time.monotonic() < deadline
                time.sleep(0.05)

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(20)
        shutil.rmtree(self.home, ignore_errors=True)


@pytest.fixture
def replica() -> Iterator[Replica]:
    if "SM_TEST_SERVER" not in os.environ:
        pytest.skip("the server is not the tests' own, to make a replica of")
    made = Replica(os.environ["SM_TEST_SERVER"])
    try:
        yield made
    finally:
        made.close()


def test_who_wrote_sees_it_at_once_and_others_later(own_database, replica, tmp_path, monkeypatch):
    database = own_database(tmp_path)
    name = database.url.rpartition("/")[2]
    try:
        replica.wait_for(name)
        monkeypatch.setenv("DATABASE_REPLICA_URL", replica.url(name))
        told = json.loads(database.run(tmp_path, "-c", STORY, replica.url(name, "postgres")))
    finally:
        database.drop()
    assert told == {
        "at once": ["one"],
        "bob before": ["one"],
        "alice, ahead of the replica": ["one", "two"],
        "bob, on the replica": ["one"],
        "pages": [["one", "two"], ["one"]],
        "tools": [True, False],
        "bob, later": ["one", "two"],
        "alice, later": ["one", "two"],
        "without the replica": ["one", "two"],
    }
