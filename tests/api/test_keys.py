"""Keys that make, replace and end keys."""

from __future__ import annotations

from uuid import uuid4

import pytest

from tests.api.client import Api, error_of, key_for, ok
from workspaces.models import ApiKey, Audit

pytestmark = pytest.mark.django_db


def test_a_new_key_works_and_belongs_to_the_same_person(admin, alice, shop):
    body = {"name": "bot", "scopes": ["read", "write"], "project": "shop", "expires_in_days": 7}
    made = ok(admin.post("keys", body), 201)
    assert made["created_by"] == "alice@example.com"
    assert (made["scopes"], made["project_id"]) == (["read", "write"], shop["id"])
    assert made["expires_at"]
    bot = Api(made["key"])
    assert ok(bot.get("me"))["user"] == "alice@example.com"
    entry = Audit.unscoped.filter(action="key.created").latest("seq")
    assert entry.key_id == admin.key.pk
    assert made["key"] not in entry.details


def test_a_key_that_never_ends(admin):
    made = ok(admin.post("keys", {"name": "x", "scopes": ["read"], "expires_in_days": None}), 201)
    assert made["expires_at"] is None


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"), ({"name": "x"}, "scopes"), ({"name": "x", "scopes": []}, "scopes"),
        ({"name": "x", "scopes": ["root"]}, "scopes.0"),
        ({"name": "x", "scopes": ["read"], "expires_in_days": 0}, "expires_in_days"),
        ({"name": "x", "scopes": ["read"], "project": "nowhere"}, "project"),
        ({"name": "x", "scopes": ["read"], "project": "\x00"}, "project"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(admin, body, field):
    assert error_of(admin.post("keys", body))[2] == field


def test_the_list_shows_no_key(admin, agent):
    for usable in (None, "true"):
        found = ok(admin.get("keys", **({"usable": usable} if usable else {})))["items"]
        assert [key["id"] for key in found] == [str(agent.key.pk), str(admin.key.pk)]
    assert ok(admin.get("keys", usable="false"))["items"] == []
    text = str(ok(admin.get("keys")))
    assert agent.text not in text
    assert ApiKey.unscoped.get(pk=agent.key.pk).digest not in text


def test_replacing_one(admin, agent):
    new = ok(admin.post(f"keys/{agent.key.pk}/rotate"), 201)
    assert new["scopes"] == ["read", "write"]
    assert ok(Api(new["key"]).get("me"))["user"] == "alice@example.com", "whose key replaced it"
    ok(agent.get("me"))
    again = admin.post(f"keys/{agent.key.pk}/rotate")
    assert error_of(again) == (409, "refused", None)


def test_ending_one(admin, agent):
    ok(admin.delete(f"keys/{agent.key.pk}"), 204)
    assert agent.get("me").status_code == 401
    ok(admin.delete(f"keys/{admin.key.pk}"), 204)
    assert admin.get("me").status_code == 401


def test_unknown_keys(admin):
    for response in (admin.delete(f"keys/{uuid4()}"), admin.post(f"keys/{uuid4()}/rotate")):
        assert error_of(response) == (404, "not_found", None)


def test_a_key_of_nobody_makes_keys_of_nobody(acme):
    nobodys = key_for(acme, None, "admin")
    made = ok(nobodys.post("keys", {"name": "x", "scopes": ["read"]}), 201)
    assert made["created_by"] is None
    assert ok(Api(made["key"]).get("me"))["user"] is None
