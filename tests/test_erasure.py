"""What becomes of a deleted workspace: nothing for a week, then nothing is left but its chain."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib.sessions.models import Session
from django.utils import timezone

from frames.models import AgentSession, Anchor, Event, Frame, Project
from frames.partitions import ensure, month_of
from stackmemory.lib.row_security import tenant_models
from stackmemory.lib.uuid7 import uuid7
from tests.conftest import PASSWORD
from workspaces import api_keys, audit, jobs, lifecycle, usage
from workspaces.models import Audit, AuditHead, Workspace

pytestmark = pytest.mark.django_db


def fill(workspace: Workspace) -> None:
    """A little of everything, with rows that refer to each other."""
    now = timezone.now()
    ensure([month_of(now)])
    project = Project.unscoped.create(workspace=workspace, slug="api", name="Api")
    session = AgentSession.unscoped.create(
        workspace=workspace, project=project, started_at=now, last_seen_at=now
    )
    parent = None
    for _ in range(5):
        pk = uuid7()
        parent = Frame.unscoped.create(
            id=pk,
            root_id=pk,
            workspace=workspace,
            project=project,
            session=session,
            parent=parent,
            name="x",
        )
        Event.unscoped.create(workspace=workspace, frame=parent, type="note", occurred_at=now)
    old = Anchor.unscoped.create(workspace=workspace, project=project, frame=parent, text="old")
    Anchor.unscoped.create(workspace=workspace, project=project, text="new")
    Anchor.unscoped.filter(pk=old.pk).update(
        superseded_by=Anchor.unscoped.get(text="new", workspace=workspace)
    )
    key, _ = api_keys.create(workspace=workspace, name="bot", scopes=["read"])
    successor, _ = api_keys.create(workspace=workspace, name="bot", scopes=["read"])
    type(key).unscoped.filter(pk=key.pk).update(replaced_by=successor)
    usage.add(workspace=workspace, kind="requests", amount=1)
    folder = Path(settings.MEDIA_ROOT) / "imports" / str(workspace.pk) / "upload"
    folder.mkdir(parents=True)
    (folder / "context.db").write_text("x")


def rows(workspace: Workspace) -> dict[str, int]:
    counts = {
        model._meta.label: model._default_manager.filter(workspace=workspace).count()
        for model in tenant_models()
        if model not in (Audit, AuditHead)
    }
    return {label: count for label, count in counts.items() if count}


def delete(workspace: Workspace, ago: timedelta) -> None:
    Workspace.objects.filter(pk=workspace.pk).update(deleted_at=timezone.now() - ago)


@pytest.fixture
def two(acme, globex, alice, charlie):
    for workspace in (acme, globex):
        fill(workspace)
    return acme, globex


def test_nothing_is_erased_within_the_week(two, as_application):
    acme, _ = two
    before = rows(acme)
    delete(acme, lifecycle.GRACE - timedelta(minutes=1))
    with as_application():
        assert jobs.erase_due() == []
    assert rows(acme) == before


def test_afterwards_everything_is_gone_and_the_neighbour_untouched(
    two, as_application, monkeypatch
):
    monkeypatch.setattr(jobs, "BATCH", 2)
    acme, globex = two
    theirs = rows(globex)
    assert len(theirs) == 8
    delete(acme, lifecycle.GRACE)
    with as_application():
        assert jobs.erase_due() == ["acme"]
        assert jobs.erase_due() == []
    assert rows(acme) == {}
    assert rows(globex) == theirs
    acme.refresh_from_db()
    assert (acme.name, acme.settings) == ("", {})
    assert acme.slug.startswith("erased-")
    assert not list(Path(settings.MEDIA_ROOT).glob(f"*/{acme.pk}"))
    assert list(Path(settings.MEDIA_ROOT).glob(f"*/{globex.pk}"))


def test_the_chain_outlives_its_workspace_without_details(two, as_application):
    acme, _ = two
    delete(acme, lifecycle.GRACE)
    with as_application():
        jobs.erase_due()
    entries = Audit.objects.in_workspace(acme).order_by("-seq")
    assert entries[0].action == "workspace.erased"
    assert not entries.exclude(details=None).exists()
    assert list(audit.faults(acme)) == []


def test_an_address_is_free_again_after_erasure(two, as_application, login, charlie):
    acme, _ = two
    delete(acme, lifecycle.GRACE)
    client = login(charlie)
    data = {"name": "New", "slug": "acme"}
    assert "taken" in client.post("/workspaces/new/", data).text
    with as_application():
        jobs.erase_due()
    assert client.post("/workspaces/new/", data).url == "/w/acme/"


def test_a_killed_erasure_is_simply_run_again(two, as_application, monkeypatch):
    acme, _ = two
    delete(acme, lifecycle.GRACE)
    whole, done = jobs._batches, []

    def dies(model, workspace):
        if len(done) == 3:
            raise KeyboardInterrupt
        done.append(model)
        return whole(model, workspace)

    monkeypatch.setattr(jobs, "_batches", dies)
    with as_application(), pytest.raises(KeyboardInterrupt):
        jobs.erase_due()
    assert rows(acme)
    monkeypatch.setattr(jobs, "_batches", whole)
    with as_application():
        assert jobs.erase_due() == ["acme"]
    assert rows(acme) == {}


def test_every_tenant_table_comes_before_those_it_refers_to():
    order = jobs.erasable_models()
    assert set(order) == set(tenant_models()) - {Audit, AuditHead}
    for place, model in enumerate(order):
        earlier = set(order[:place])
        assert not (jobs._targets(model) & earlier), f"{model} is deleted too late"


def test_sessions_that_are_over_are_forgotten(client, alice):
    client.post("/account/login/", {"login": alice.email, "password": PASSWORD})
    assert jobs.forget_sessions() == 0
    assert UserSession.objects.count() == 1
    Session.objects.update(expire_date=timezone.now() - timedelta(days=1))
    assert jobs.forget_sessions() == 1
    assert not UserSession.objects.exists()
