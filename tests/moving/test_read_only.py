"""READ_ONLY=1: everything can be read, nothing is written, and whoever tries is told why."""

from __future__ import annotations

import json

import pytest

from frames.models import Frame
from stackmemory.read_only import WORDS
from tests.pages import make_frame, make_project
from workspaces import api_keys, pulse
from workspaces.models import ApiKey, Bucket, Membership, Pulse, Usage

pytestmark = pytest.mark.django_db


@pytest.fixture
def frozen(acme, alice, settings):
    make_frame(make_project(acme), name="Work")
    _, key = api_keys.create(workspace=acme, name="bot", scopes=["read", "write"], actor=alice)
    settings.READ_ONLY = True
    return {"headers": {"Authorization": f"Bearer {key}"}}


def call(tool, **arguments):
    return {"jsonrpc": "2.0", "id": 1, "method": "tools/call",
            "params": {"name": tool, "arguments": arguments}}  # fmt: skip


def test_reading_goes_on_and_leaves_no_trace(
    frozen, acme, alice, login, client, settings, monkeypatch
):
    # Whatever is counted would be written with every request.
    settings.USAGE_FLUSH_SECONDS = 1e-9
    monkeypatch.setattr(pulse, "EVERY", 0)
    browser = login(alice)
    before = Pulse.unscoped.count(), Usage.unscoped.count()
    for path in ("/w/acme/", "/w/acme/p/shop/", "/w/acme/members/", "/account/", "/w/acme/audit/"):
        assert browser.get(path).status_code == 200, path
    assert client.get("/api/v1/frames", **frozen).json()["items"][0]["name"] == "Work"
    mcp = client.post("/mcp", call("list_frames"), content_type="application/json", **frozen)
    assert "Work" in mcp.json()["result"]["content"][0]["text"]
    assert client.get("/readyz").json()["read_only"] is True
    assert ApiKey.unscoped.get().last_used_at is None
    assert not Bucket._base_manager.exists()
    assert (Pulse.unscoped.count(), Usage.unscoped.count()) == before
    assert Membership.unscoped.get(user=alice).last_seen_at is None


def test_writing_is_answered_with_a_sentence(frozen, acme, alice, login, client):
    browser = login(alice)
    for path in (
        "/w/acme/settings/",
        "/w/acme/imports/new/",
        "/account/login/",
        "/workspaces/new/",
    ):
        page = browser.post(path, {})
        assert (page.status_code, page["Retry-After"]) == (503, "60"), path
        assert WORDS in page.content.decode()
    for path in ("frames", "events/batch", "hooks/claude-code", "projects"):
        answer = client.post(f"/api/v1/{path}", {}, content_type="application/json", **frozen)
        assert answer.status_code == 503, path
        assert answer.json() == {"error": {"code": "read_only", "message": WORDS}}
    mcp = client.post(
        "/mcp", call("start_frame", name="New"), content_type="application/json", **frozen
    )
    assert mcp.status_code == 503
    assert mcp.json()["error"]["message"] == WORDS
    assert Frame.unscoped.count() == 1


WRITE = """
import django, json; django.setup()
from django.db import DatabaseError
from django.test import Client
from stackmemory.lib.tenancy import system_scope
from workspaces.models import PlanLimit, Workspace
said = ""
try:
    with system_scope():
        Workspace.objects.create(slug="new", name="New")
except DatabaseError as problem:
    said = str(problem)
ready = Client(SERVER_NAME="localhost").get("/readyz").json()
print(json.dumps({"said": said, "limits": PlanLimit.objects.count(), "ready": ready["read_only"]}))
"""


def test_the_database_itself_refuses(own_database, tmp_path, monkeypatch):
    database = own_database(tmp_path)
    monkeypatch.setenv("READ_ONLY", "1")
    told = json.loads(database.run(tmp_path, "-c", WRITE))
    assert "read" in told["said"]
    assert told["limits"] > 0
    assert told["ready"] is True
    database.drop()
