"""Somebody is erased from a team, or with their account: what goes, what stays, whom it is said of."""

from __future__ import annotations

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from frames import calls
from frames.anchoring import add_anchor
from frames.handing_off import hand_off
from frames.models import AgentSession, Event, Export, Frame, HandOff, Project
from frames.retention import Policy
from search import erasing
from search.context.compile import compile_context, items_of
from search.indexing import reindex
from search.models import ContextBundle, SavedSearch
from stackmemory.archive.writing import export_workspace
from stackmemory.erasing import jobs, person
from stackmemory.lib.tenancy import workspace_scope
from tests.conftest import PASSWORD
from tests.pages import few_queries
from tests.search.conftest import Store, acting, by_words_alone
from workspaces import api_keys, audit
from workspaces.models import ApiKey, Audit, Invitation, Membership, User

__all__ = ["by_words_alone"]
pytestmark = pytest.mark.django_db


def fill(workspace, user, other, slug="shop"):
    """Work of a person in a team: some private, some for all."""
    store = Store(acting(workspace, user, "member"), slug)
    with workspace_scope(workspace.pk):
        session, _ = calls.open_session(
            actor=store.actor, project=store.project, source_id="run", host=f"{user.name}s-laptop"
        )
    team = store.frame("Team work", session=session)
    store.frame("Going on", session=session, parent=team)
    store.say(team, "What the team knows")
    mine = store.frame("My own", visibility="private")
    store.say(mine, "Nobody’s business")
    with workspace_scope(workspace.pk):
        add_anchor(
            actor=store.actor, project=store.project, frame=team, type="DECISION", text="Use apples"
        )
        hand_off(actor=store.actor, frame=team, to=other.email, message="Take it, I am ill")
    key, _ = api_keys.create(
        workspace=workspace, name=f"{user.name}s bot", scopes=["read"], actor=user
    )
    SavedSearch.unscoped.create(workspace=workspace, user=user, name="mine", query="q=x")
    Export.unscoped.create(workspace=workspace, format="archive", created_by=user)
    audit.record(workspace=workspace, action="key.created", actor=user, target=key)
    reindex(workspace=workspace)
    with workspace_scope(workspace.pk):
        compile_context(
            actor=store.actor, project=store.project, query=f"Where does {user.name} stand?"
        )
        reader = acting(workspace, other)
        return compile_context(actor=reader, project=store.project, query="apples")


def said(word: str) -> list[str]:
    """Every column of every table in which a word stands."""
    found = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            if table.startswith(("search_document_fts", "sqlite_")):
                continue
            cursor.execute(f'SELECT * FROM "{table}"')
            rows = cursor.fetchall()
            found += [table for row in rows if word.lower() in str(row).lower()]
    return sorted(set(found))


def test_every_column_that_names_a_person_is_known():
    assert {f"{model._meta.label}.{name}" for model, name in person.references()} == {
        "workspaces.Membership.user", "workspaces.ApiKey.created_by", "workspaces.Invitation.invited_by",
        "workspaces.Invitation.accepted_by", "frames.Frame.owner", "frames.AgentSession.user",
        "frames.Revision.actor", "frames.Transfer.created_by", "frames.Export.created_by",
        "frames.HandOff.from_user", "frames.HandOff.to_user", "search.SavedSearch.user",
        "search.ContextBundle.user", "search.ContextMark.user", "search.Document.owner",
        "search.Document.private_to",
    }, "say in stackmemory/erasing/person.py what becomes of it"  # fmt: skip


def test_a_member_is_erased_and_their_work_stays(
    acme, globex, alice, bob, login, tmp_path, as_application
):
    Membership.unscoped.create(workspace=globex, user=bob, role="owner")
    given = fill(acme, bob, alice)
    assert "Bob" in given.text
    client = login(alice)
    member = Membership.unscoped.get(workspace=acme, user=bob)
    url = f"/w/acme/members/{member.pk}/erasure/"
    with few_queries():
        page = client.get(url).text
    assert "Type <code>bob@example.com</code>" in page
    assert client.post(url, {"typed": "bob"}).status_code == 422
    assert client.post(url, {"typed": "bob@example.com"}).status_code == 302

    assert not Membership.unscoped.filter(workspace=acme, user=bob).exists()
    assert not Frame.unscoped.filter(name="My own").exists()
    assert not SavedSearch.unscoped.exists()
    assert not Export.unscoped.exists()
    team = Frame.unscoped.select_related("owner").get(name="Team work")
    assert (team.owner.name, team.owner.is_active) == ("A former member", False)
    assert Event.unscoped.count() == 1
    assert ApiKey.unscoped.get(workspace=acme).revoked_at
    assert HandOff.unscoped.get().message == ""
    given.refresh_from_db()
    assert any("A former member" in item.text for item in items_of(given))
    assert "Bob" not in given.text
    assert "Use apples" in given.text
    # their own account and other teams are untouched, and nothing else tells of them
    left = {"workspaces_user", "account_emailaddress"}
    assert set(said("bob@example.com")) <= left
    assert set(said("bobs")) == set()
    assert list(audit.faults(acme)) == []
    page = client.get("/w/acme/audit/").text
    assert "somebody (erased)" in page
    assert "bob" not in page.lower()
    with as_application():
        export_workspace(workspace=acme, output=tmp_path / "a.zip")
    assert not Frame.unscoped.filter(owner=bob).exists()


def test_their_work_goes_too_where_that_is_asked_for(acme, alice, bob, capsys, as_application):
    fill(acme, bob, alice)
    held = Store(acting(acme, bob, "member"), "held")
    held.frame("Evidence", visibility="private")
    Project.unscoped.filter(slug="held").update(
        settings={"retention": Policy(hold="Case 7").stored()}
    )
    with as_application():
        call_command(
            "erase_person", "bob@example.com", "--workspace", "acme", "--work", "--dry-run"
        )
    assert "1 private frames go, 2 of the team go too; 2 events" in capsys.readouterr().out
    assert Frame.unscoped.count() == 4
    with as_application():
        call_command("erase_person", "bob@example.com", "--workspace", "acme", "--work")
        call_command("erase_person", "alice@example.com", "--dry-run")
        with pytest.raises(CommandError, match="without an owner"):
            call_command("erase_person", "alice@example.com")
    assert [frame.name for frame in Frame.unscoped.all()] == ["Evidence"]
    assert Frame.unscoped.get().owner.name == "A former member"
    assert not Event.unscoped.exists()
    assert User.objects.filter(pk=bob.pk).exists()


def test_an_account_is_erased_by_its_person(
    acme, globex, alice, bob, charlie, login, django_capture_on_commit_callbacks
):
    Membership.unscoped.create(workspace=globex, user=bob, role="member")
    fill(acme, bob, alice)
    fill(globex, bob, charlie)
    Invitation.unscoped.create(
        workspace=globex, email=bob.email, token_digest="x", expires_at=acme.created_at
    )
    client = login(bob)
    url = "/account/erasure/"
    assert "/reauthenticate/" in client.get(url).url
    client.post("/account/reauthenticate/", {"password": PASSWORD})
    assert "Type <code>bob@example.com</code>" in client.get(url).text
    with django_capture_on_commit_callbacks(execute=True):
        assert "being erased" in client.post(url, {"typed": bob.email}).text
    assert not User.objects.filter(pk=bob.pk).exists()
    assert said("bob@example.com") == []
    assert Frame.unscoped.filter(owner__name="A former member").count() == 4
    assert ContextBundle.unscoped.exists()
    assert AgentSession.unscoped.filter(host="").count() == 2
    for workspace in (acme, globex):
        assert list(audit.faults(workspace)) == []
    assert not Audit.unscoped.filter(actor_id=bob.pk).exclude(details=None).exists()


def test_where_there_is_much_a_worker_does_it_and_they_are_out_at_once(
    acme, alice, bob, login, monkeypatch, as_application, django_capture_on_commit_callbacks
):
    fill(acme, bob, alice)
    monkeypatch.setattr(erasing, "MOST", 0)
    url = f"/w/acme/members/{Membership.unscoped.get(workspace=acme, user=bob).pk}/erasure/"
    with django_capture_on_commit_callbacks() as waiting:
        assert login(alice).post(url, {"typed": bob.email, "work": "on"}).status_code == 302
    assert not Membership.unscoped.filter(workspace=acme, user=bob).exists()
    assert Frame.unscoped.exists()
    assert waiting
    for _ in range(2):
        with as_application():
            jobs.erase_person(str(acme.pk), str(bob.pk), "work", str(alice.pk))
    assert not Frame.unscoped.exists()
    assert User.objects.filter(name="A former member").count() == 1
    assert set(said("bob@example.com")) <= {"workspaces_user", "account_emailaddress"}
