"""Landing, making, renaming, leaving, handing over, deleting and restoring workspaces."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from workspaces import lifecycle
from workspaces.models import Audit, Membership, Workspace

pytestmark = pytest.mark.django_db


def actions(workspace: Workspace) -> list[str]:
    return list(
        Audit.objects.in_workspace(workspace).order_by("seq").values_list("action", flat=True)
    )


def test_a_new_person_is_shown_how_to_begin(login, person):
    page = login(person("dora")).get("/", follow=True)
    assert page.request["PATH_INFO"] == "/workspaces/"
    assert "Create your first workspace" in page.text


def test_start_leads_to_the_workspace_seen_last(login, alice, acme, globex):
    Membership.unscoped.create(workspace=globex, user=alice, role="viewer")
    client = login(alice)
    client.get("/w/globex/settings/")
    assert client.get("/").url == "/w/globex/"
    Membership.unscoped.filter(user=alice).update(last_seen_at=timezone.now() - timedelta(hours=1))
    client.get("/w/acme/settings/")
    assert client.get("/").url == "/w/acme/"


def test_being_here_is_written_once_a_minute(login, alice, acme, django_assert_num_queries):
    client = login(alice)
    client.get("/w/acme/settings/leave/")
    seen = Membership.unscoped.get(user=alice).last_seen_at
    client.get("/w/acme/settings/leave/")
    assert Membership.unscoped.get(user=alice).last_seen_at == seen


def test_create_makes_the_person_its_owner(login, charlie):
    client = login(charlie)
    response = client.post("/workspaces/new/", {"name": "Initech", "slug": "Initech"})
    made = Workspace.objects.get(slug="initech")
    assert response.url == "/w/initech/"
    assert made.memberships.get().user == charlie
    assert made.memberships.get().role == "owner"
    assert actions(made) == ["workspace.created"]


@pytest.mark.parametrize("slug", ["acme", "-bad", "has space", "ü", "x" * 51, ""])
def test_create_explains_a_refused_address(login, charlie, acme, slug):
    page = login(charlie).post("/workspaces/new/", {"name": "Second", "slug": slug})
    assert page.status_code == 200
    assert "errorlist" in page.text
    assert Workspace.objects.count() == 2


def test_rename_by_an_admin(login, person, acme):
    client = login(person("ada", acme, "admin"))
    response = client.post("/w/acme/settings/", {"name": "Acme Corp", "slug": "acme-corp"})
    assert response.url == "/w/acme-corp/settings/"
    acme.refresh_from_db()
    assert (acme.name, acme.slug) == ("Acme Corp", "acme-corp")
    entry = Audit.objects.in_workspace(acme).get()
    assert entry.data["before"] == {"name": "Acme", "slug": "acme"}
    assert entry.data["after"] == {"name": "Acme Corp", "slug": "acme-corp"}


def test_rename_to_a_taken_address_changes_nothing(login, alice, acme, globex):
    page = login(alice).post("/w/acme/settings/", {"name": "New", "slug": "globex"})
    assert page.status_code == 422
    assert "taken" in page.text
    acme.refresh_from_db()
    assert (acme.name, acme.slug) == ("Acme", "acme")


def test_members_see_settings_but_cannot_rename(login, bob, acme):
    client = login(bob)
    assert "Save" not in client.get("/w/acme/settings/").text
    assert client.post("/w/acme/settings/", {"name": "X", "slug": "x"}).status_code == 403


def test_leave(login, alice, bob, acme):
    client = login(bob)
    assert "Leave" in client.get("/w/acme/settings/leave/").text
    assert client.post("/w/acme/settings/leave/").url == "/"
    assert client.get("/w/acme/settings/").status_code == 404
    assert actions(acme) == ["member.left"]


def test_the_last_owner_cannot_leave(login, alice, bob, acme):
    page = login(alice).post("/w/acme/settings/leave/", follow=True)
    assert "at least one owner" in page.text
    assert acme.memberships.filter(user=alice, role="owner").exists()


def test_hand_over(login, alice, bob, acme):
    heir = acme.memberships.get(user=bob)
    login(alice).post("/w/acme/settings/transfer/", {"member": heir.pk})
    roles = dict(acme.memberships.values_list("user__name", "role"))
    assert roles == {"Bob": "owner", "Alice": "admin"}
    assert actions(acme) == ["workspace.transferred"]


def test_hand_over_to_a_stranger_or_oneself_is_refused(login, alice, bob, charlie, acme, globex):
    client = login(alice)
    for workspace, user in ((globex, charlie), (acme, alice)):
        membership = workspace.memberships.get(user=user)
        page = client.post("/w/acme/settings/transfer/", {"member": membership.pk})
        assert page.status_code == 422
    assert acme.memberships.get(role="owner").user == alice
    assert globex.memberships.get(role="owner").user == charlie


@pytest.mark.parametrize("typed", ["", "Acme", "acme corp"])
def test_delete_wants_the_address_typed(login, alice, acme, typed):
    page = login(alice).post("/w/acme/settings/delete/", {"typed": typed})
    assert page.status_code == 422
    acme.refresh_from_db()
    assert acme.deleted_at is None


def test_delete_closes_it_and_an_owner_restores_it(login, alice, bob, acme):
    owner, member = login(alice), login(bob)
    page = owner.post("/w/acme/settings/delete/", {"typed": "acme"}, follow=True)
    assert "Restore" in page.text
    assert owner.get("/w/acme/settings/").status_code == 404
    assert member.get("/w/acme/settings/").status_code == 404
    assert "Restore" not in member.get("/workspaces/").text
    assert member.post(f"/workspaces/{acme.pk}/restore/").status_code == 404
    assert owner.post(f"/workspaces/{acme.pk}/restore/").url == "/w/acme/"
    assert member.get("/w/acme/settings/").status_code == 200
    assert actions(acme) == ["workspace.deleted", "workspace.restored"]


def test_restore_is_over_after_a_week(login, alice, acme):
    Workspace.objects.filter(pk=acme.pk).update(
        deleted_at=timezone.now() - lifecycle.GRACE - timedelta(minutes=1)
    )
    client = login(alice)
    assert "Acme" not in client.get("/workspaces/").text
    assert client.post(f"/workspaces/{acme.pk}/restore/").status_code == 404
    acme.refresh_from_db()
    assert acme.deleted_at is not None
