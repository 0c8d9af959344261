"""The first question: who am I here?"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.api.client import key_for, ok
from tests.pages import few_queries
from workspaces.models import ApiKey

pytestmark = pytest.mark.django_db


def test_the_key_its_workspace_and_what_it_may_do(agent, acme):
    me = ok(agent.get("me"))
    assert me["workspace"] == {"id": str(acme.pk), "slug": "acme", "name": "Acme"}
    assert (me["key"]["shown"], me["key"]["scopes"]) == (agent.key.shown, ["read", "write"])
    assert (me["user"], me["permissions"]) == ("bob@example.com", ["read", "write"])
    assert me["events_this_month"] == {"limit": None, "used": 0}
    clock = datetime.fromisoformat(me["time"])
    assert abs(datetime.now(UTC) - clock) < timedelta(minutes=1)
    assert agent.text not in str(me)


def test_a_tied_key_names_its_project(agent, acme, bob, shop):
    tied = key_for(acme, bob, "read", project_id=shop["id"])
    assert ok(tied.get("me"))["key"]["project_id"] == shop["id"]


def test_use_is_noted_once_a_minute(agent):
    for _ in range(3):
        ok(agent.get("me"))
    first = ApiKey.unscoped.get(pk=agent.key.pk).last_used_at
    assert first is not None
    assert ApiKey.unscoped.filter(last_used_at=first).count() == 1


def test_it_asks_little_of_the_database(agent):
    ok(agent.get("me"))
    with few_queries(6):
        ok(agent.get("me"))
