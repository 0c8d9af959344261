"""Exports from pages and the API: one's own, made by a worker, there for a day."""

from __future__ import annotations

import sqlite3
import zipfile
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.utils import timezone

from frames.models import Export
from stackmemory.exports import making
from stackmemory.exports.jobs import run_export
from stackmemory.lib.queue import Busy
from stackmemory.lib.tenancy import workspace_scope
from tests.api.client import error_of, key_for
from tests.moving.teams import make_team
from tests.pages import few_queries
from workspaces.models import Audit, Membership, User

pytestmark = pytest.mark.django_db


@pytest.fixture
def team(tmp_path):
    return make_team("team", tmp_path)


@pytest.fixture
def ann(team):
    return User.objects.get(email="ann@team.example")


@pytest.fixture
def ben(team):
    Membership.unscoped.filter(user__email="ben@team.example").update(role="admin")
    return User.objects.get(email="ben@team.example")


def done(client, capture, **form):
    """Ask on the page; the worker makes it at once."""
    with capture(execute=True):
        assert client.post("/w/team/exports/", form).status_code == 302
    return Export.unscoped.order_by("-id").first()


def content(response) -> bytes:
    return b"".join(response.streaming_content)


def names(database: bytes, tmp_path) -> set[str]:
    path = tmp_path / "fetched.db"
    path.write_bytes(database)
    with closing(sqlite3.connect(path)) as db:
        return {name for (name,) in db.execute("SELECT name FROM frames")}


def test_an_admin_takes_a_project_along(
    team, ben, login, tmp_path, django_capture_on_commit_callbacks
):
    """Their own private frames are in it; those of others only an owner can ask for."""
    client = login(ben)
    export = done(client, django_capture_on_commit_callbacks, format="store", project="shop",
                  private="on")  # fmt: skip
    assert (export.state, export.created_by, export.options["private"]) == ("done", ben, False)
    with few_queries():
        page = client.get("/w/team/exports/").content.decode()
    assert f"/w/team/exports/{export.pk}/file/" in page
    assert "Archive of the workspace" not in page
    response = client.get(f"/w/team/exports/{export.pk}/file/")
    assert response["Content-Disposition"] == 'attachment; filename="context.db"'
    assert int(response["Content-Length"]) == export.size
    assert {"Build", "Secret plan"} <= names(content(response), tmp_path)
    refused = client.post("/w/team/exports/", {"format": "archive"})
    assert refused.status_code == 422
    assert "does not include" in refused.content.decode()


def test_an_owner_takes_everything_along(
    team, ann, ben, login, tmp_path, django_capture_on_commit_callbacks
):
    client = login(ann)
    for form, private in (({}, False), ({"private": "on"}, True)):
        export = done(client, django_capture_on_commit_callbacks, format="archive", **form)
        path = tmp_path / "fetched.zip"
        path.write_bytes(content(client.get(f"/w/team/exports/{export.pk}/file/")))
        with zipfile.ZipFile(path) as archive:
            assert ("Secret plan" in archive.read("rows/frames.frame.jsonl").decode()) is private
        assert len(export.report["workspace_hash"]) == 64
    store = done(client, django_capture_on_commit_callbacks, format="store", project="shop")
    assert store.report["left_out"] == {"private frames of others": 1}
    assert Audit.objects.in_workspace(team).filter(action="export", actor_id=ann.pk).count() == 3
    assert login(ben).get(f"/w/team/exports/{export.pk}/file/").status_code == 404
    Membership.unscoped.filter(user=ann).update(role="admin")
    assert client.get(f"/w/team/exports/{export.pk}/file/").status_code == 404


def test_a_file_goes_after_a_day_or_when_asked(
    team, ann, login, django_capture_on_commit_callbacks, as_application
):
    client = login(ann)
    first = done(client, django_capture_on_commit_callbacks, format="archive")
    second = done(client, django_capture_on_commit_callbacks, format="archive")
    files = [Path(settings.MEDIA_ROOT) / each.file for each in (first, second)]
    assert all(file.is_file() for file in files)
    client.post(f"/w/team/exports/{first.pk}/cancellation/")
    assert client.get(f"/w/team/exports/{first.pk}/file/").status_code == 404
    Export.unscoped.filter(pk=second.pk).update(expires_at=timezone.now())
    assert client.get(f"/w/team/exports/{second.pk}/file/").status_code == 404
    with as_application():
        assert making.expire() == 1
    assert not any(file.exists() for file in files)
    second.refresh_from_db()
    assert second.state == "expired"
    Export.unscoped.update(created_at=timezone.now() - timedelta(days=31))
    with as_application():
        making.expire()
    assert not Export.unscoped.exists()


def test_one_that_is_stopped_leaves_nothing(team, ann, login, monkeypatch, as_application):
    client = login(ann)
    client.post("/w/team/exports/", {"format": "archive"})
    export = Export.unscoped.get()
    page = client.get("/w/team/exports/").content.decode()
    assert "data-poll" in page
    assert "Waiting for the worker" in page
    Export.unscoped.update(state="running", done_rows=7, total_rows=10)
    moving = client.get("/w/team/exports/progress/").content.decode()
    assert 'value="70"' in moving
    Export.unscoped.update(state="waiting")
    assert 'href="/w/team/exports/"' in client.get("/w/team/imports/").content.decode()
    assert "X-Over" not in client.get("/w/team/exports/progress/")

    def stopped(**options):
        with workspace_scope(team.pk):
            Export.objects.in_workspace(team).update(state="cancelled")
        return plain(**options)

    plain = making.export_workspace
    monkeypatch.setattr(making, "export_workspace", stopped)
    with as_application():
        run_export(str(team.pk), str(export.pk))
        run_export(str(team.pk), str(export.pk))  # handed out twice
    assert client.get("/w/team/exports/progress/")["X-Over"] == "1"
    assert not list(Path(settings.MEDIA_ROOT).rglob("*.zip"))
    export.refresh_from_db()
    assert export.state == "cancelled"


def test_what_a_killed_worker_left_is_made_by_the_next(team, ann, login, as_application):
    login(ann).post("/w/team/exports/", {"format": "archive"})
    export = Export.unscoped.get()
    mine = Export.unscoped.filter(pk=export.pk)
    mine.update(state="running", done_rows=5)
    with as_application(), pytest.raises(Busy):
        run_export(str(team.pk), str(export.pk))  # it may live; tried again later
    mine.update(beat_at=timezone.now() - timedelta(minutes=2))
    with as_application():
        run_export(str(team.pk), str(export.pk))
        run_export(str(team.pk), str(export.pk))
    assert mine.get().state == "done"
    assert making.file_of(mine.get()) is not None


def test_what_goes_wrong_is_told(team, ann, login, monkeypatch, django_capture_on_commit_callbacks):
    client = login(ann)

    def full(**options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(making, "export_workspace", full)
    export = done(client, django_capture_on_commit_callbacks, format="archive")
    assert export.state == "failed"
    assert "No space left" in client.get("/w/team/exports/").content.decode()


def test_the_api(team, ann, ben, django_capture_on_commit_callbacks):
    owner, admin = key_for(team, ann, "admin"), key_for(team, ben, "admin")
    with django_capture_on_commit_callbacks(execute=True):
        asked = owner.post("exports", {"format": "archive", "private": True})
    assert asked.status_code == 201
    told = owner.get(f"exports/{asked.json()['id']}").json()
    assert (told["state"], told["report"]["rows"]["frames.event"]) == ("done", 11)
    fetched = owner.get(told["file"].partition("/api/v1/")[2])
    assert content(fetched).startswith(b"PK")
    assert admin.get(f"exports/{told['id']}").status_code == 404
    assert error_of(admin.post("exports", {"format": "archive"}))[0] == 403
    assert error_of(admin.post("exports", {"format": "store", "private": True}))[0] == 403
    assert error_of(owner.post("exports", {"format": "store", "project": "none"}))[0] == 404
    assert owner.post(f"exports/{told['id']}/cancel").json()["file"] is None
    assert error_of(owner.post(f"exports/{told['id']}/cancel"))[:2] == (409, "already_over")
    assert [each["id"] for each in owner.get("exports").json()["items"]] == [told["id"]]
    for _ in range(2):
        assert owner.post("exports", {"format": "archive"}).status_code == 201
    assert error_of(owner.post("exports", {"format": "archive"}))[:2] == (409, "busy")
