"""Roles, removal, and that a workspace never loses its last owner."""

from __future__ import annotations

import threading

import pytest
from django.db import connection

from stackmemory.lib.tenancy import workspace_scope
from workspaces import api_keys, members
from workspaces.models import Audit, Membership

pytestmark = pytest.mark.django_db


def of(workspace, user) -> Membership:
    return workspace.memberships.get(user=user)


def change(client, membership, role):
    return client.post(f"/w/acme/members/{membership.pk}/role/", {"role": role}, follow=True)


def test_everybody_sees_the_team_and_admins_can_change_it(login, alice, bob, viola, acme):
    page = login(viola).get("/w/acme/members/").text
    assert "bob@example.com" in page
    assert "Send invitation" not in page
    assert "Remove" not in page
    page = login(alice).get("/w/acme/members/").text
    assert "Send invitation" in page


def test_role_changes_and_is_written_down(login, alice, bob, acme):
    page = change(login(alice), of(acme, bob), "viewer")
    assert "Bob is now viewer." in page.text
    assert of(acme, bob).role == "viewer"
    entry = Audit.objects.in_workspace(acme).get()
    assert (entry.action, entry.actor_id, entry.target_id) == ("member.role", alice.pk, str(bob.pk))
    assert (entry.data["before"], entry.data["after"]) == ({"role": "member"}, {"role": "viewer"})
    assert entry.data["ip"] == "127.0.0.1"


def test_a_demotion_holds_from_the_next_request(login, alice, bob, acme):
    theirs = login(bob)
    of(acme, bob)
    Membership.unscoped.filter(user=bob).update(role="admin")
    assert theirs.get("/w/acme/keys/").status_code == 200
    change(login(alice), of(acme, bob), "viewer")
    assert theirs.get("/w/acme/keys/").status_code == 403


def test_removed_member_loses_access_at_once(login, alice, bob, acme):
    theirs = login(bob)
    assert theirs.get("/w/acme/members/").status_code == 200
    url = f"/w/acme/members/{of(acme, bob).pk}/remove/"
    client = login(alice)
    assert "loses access" in client.get(url).text
    client.post(url)
    assert theirs.get("/w/acme/members/").status_code == 404
    assert "Acme" not in theirs.get("/workspaces/").text


def test_removal_names_the_keys_that_end_with_the_person(login, alice, bob, acme):
    api_keys.create(workspace=acme, name="deploy bot", scopes=["read"], actor=bob)
    page = login(alice).get(f"/w/acme/members/{of(acme, bob).pk}/remove/").text
    assert "deploy bot" in page


def test_the_last_owner_is_neither_demoted_nor_removed(login, alice, bob, acme):
    client = login(alice)
    assert "at least one owner" in change(client, of(acme, alice), "member").text
    page = client.post(f"/w/acme/members/{of(acme, alice).pk}/remove/", follow=True)
    assert "at least one owner" in page.text
    assert of(acme, alice).role == "owner"


def test_with_two_owners_one_can_go(login, alice, bob, acme):
    client = login(alice)
    change(client, of(acme, bob), "owner")
    change(client, of(acme, alice), "member")
    assert of(acme, alice).role == "member"


def test_admins_do_not_make_unmake_or_remove_owners(login, person, alice, bob, acme):
    client = login(person("ada", acme, "admin"))
    assert "Only an owner" in change(client, of(acme, bob), "owner").text
    assert "Only an owner" in change(client, of(acme, alice), "viewer").text
    page = client.post(f"/w/acme/members/{of(acme, alice).pk}/remove/", follow=True)
    assert "Only an owner" in page.text
    assert sorted(acme.memberships.values_list("role", flat=True)) == ["admin", "member", "owner"]


def test_unknown_role_is_refused(login, alice, bob, acme):
    assert "not a role" in change(login(alice), of(acme, bob), "emperor").text
    assert of(acme, bob).role == "member"


def test_another_teams_membership_is_not_found(login, alice, charlie, globex):
    theirs = of(globex, charlie)
    client = login(alice)
    assert change(client, theirs, "viewer").status_code == 404
    assert client.post(f"/w/acme/members/{theirs.pk}/remove/").status_code == 404
    assert of(globex, charlie).role == "owner"


def test_a_hundred_members_cost_as_many_queries_as_three(
    login, alice, person, acme, django_assert_max_num_queries
):
    for number in range(100):
        person(f"p{number}", acme)
    client = login(alice)
    with django_assert_max_num_queries(12):
        assert "p99@example.com" in client.get("/w/acme/members/").text


@pytest.mark.postgresql_only
@pytest.mark.django_db(transaction=True)
def test_two_owners_leaving_at_once_leave_one(rf, alice, bob, acme):
    Membership.unscoped.filter(user=bob).update(role="owner")
    start, refused = threading.Barrier(2), []

    def leave(membership):
        request = rf.post("/")
        request.user, request.membership = membership.user, membership
        start.wait(10)
        try:
            with workspace_scope(acme.pk):
                members.leave(membership, request=request)
        except members.CannotChange as problem:
            refused.append(str(problem))
        finally:
            connection.close()

    both = acme.memberships.select_related("user", "workspace")
    threads = [threading.Thread(target=leave, args=[membership]) for membership in both]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(refused) == 1
    assert acme.memberships.filter(role="owner").count() == 1
