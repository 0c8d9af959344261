"""Members and invitations, by keys that may."""

from __future__ import annotations

from uuid import uuid4

import pytest
from django.core import mail

from tests.api.client import error_of, key_for, ok
from workspaces.models import Audit, Invitation, Membership

pytestmark = pytest.mark.django_db


def member(acme, user):
    return Membership.unscoped.get(workspace=acme, user=user)


def test_everybody_who_reads_sees_who_is_there(reader, alice, viola):
    people = ok(reader.get("members"))["items"]
    assert {p["email"]: p["role"] for p in people} == {
        "bob@example.com": "member", "alice@example.com": "owner", "viola@example.com": "viewer",
    }  # fmt: skip


def test_changing_a_role(admin, acme, alice, bob):
    changed = ok(admin.patch(f"members/{member(acme, bob).pk}", {"role": "viewer"}))
    assert (changed["email"], changed["role"]) == ("bob@example.com", "viewer")
    assert member(acme, bob).role == "viewer"
    entry = Audit.unscoped.get(action="member.role")
    assert (entry.actor_id, entry.key_id) == (alice.pk, admin.key.pk)


def test_owners_are_made_and_unmade_by_owners_not_by_keys(admin, acme, alice, bob):
    for user, role in ((bob, "owner"), (alice, "admin")):
        response = admin.patch(f"members/{member(acme, user).pk}", {"role": role})
        assert error_of(response) == (409, "refused", None)
    assert error_of(admin.delete(f"members/{member(acme, alice).pk}"))[0] == 409
    assert error_of(admin.post("invitations", {"email": "x@y.example", "role": "owner"}))[0] == 409
    assert (member(acme, alice).role, member(acme, bob).role) == ("owner", "member")


def test_removing_a_member_ends_what_their_keys_may(admin, acme, bob):
    theirs = key_for(acme, bob, "read")
    ok(theirs.get("me"))
    ok(admin.delete(f"members/{member(acme, bob).pk}"), 204)
    assert error_of(theirs.get("me"))[0] == 403
    assert error_of(admin.delete(f"members/{uuid4()}")) == (404, "not_found", None)


def test_inviting(admin, alice):
    made = ok(
        admin.post("invitations", {"email": " New@Example.com ".strip(), "role": "viewer"}), 201
    )
    assert (made["email"], made["role"]) == ("new@example.com", "viewer")
    assert made["invited_by"] == "alice@example.com"
    assert [i["id"] for i in ok(admin.get("invitations"))["items"]] == [made["id"]]
    again = admin.post("invitations", {"email": "new@example.com"})
    assert error_of(again) == (409, "refused", None)
    there = admin.post("invitations", {"email": "alice@example.com"})
    assert error_of(there) == (409, "refused", None)
    ok(admin.delete(f"invitations/{made['id']}"), 204)
    assert Invitation.unscoped.get().revoked_at
    assert ok(admin.get("invitations"))["items"] == []
    assert error_of(admin.delete(f"invitations/{uuid4()}"))[0] == 404


@pytest.mark.parametrize("email", ["", "nobody", "a@b", "a b@c.de", "\x00@c.de", "x" * 300])
def test_what_is_no_address_is_refused(admin, email):
    assert error_of(admin.post("invitations", {"email": email})) == (400, "invalid", "email")
    assert not mail.outbox


def test_a_key_of_nobody_changes_roles_but_invites_nobody(acme, bob):
    nobodys = key_for(acme, None, "admin")
    ok(nobodys.patch(f"members/{member(acme, bob).pk}", {"role": "viewer"}))
    entry = Audit.unscoped.get(action="member.role")
    assert (entry.actor_id, entry.key_id) == (None, nobodys.key.pk)
    response = nobodys.post("invitations", {"email": "new@example.com"})
    assert error_of(response) == (403, "forbidden", None)
