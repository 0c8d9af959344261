"""What the object store has lost keeps nobody from having the rest, and every export names it."""

from __future__ import annotations

import json
import sqlite3
import zipfile
from contextlib import closing

import pytest
from django.core.management import call_command

from frames.cold import store
from frames.models import ArchivedPeriod, Export, StoredPayload
from frames.models.event import PAYLOADS
from stackmemory.archive.reading import import_workspace
from stackmemory.exports.person import lines_about
from stackmemory.lib import blobs
from stackmemory.lib.objects import folder
from stackmemory.lib.tenancy import workspace_scope
from tests.moving.cold import JUNE, move
from tests.moving.teams import purge
from tests.pages import make_frame, make_project
from tests.stacks import NOON, closed, happen

pytestmark = pytest.mark.django_db


@pytest.fixture
def lost(acme, bob, settings, tmp_path) -> list[str]:
    """The names of a month of two events and of one large payload, both of Bob's."""
    settings.STORAGES = settings.STORAGES | {"objects": folder(str(tmp_path / "objects"))}
    store._kept.clear()
    project = make_project(acme)
    cold = make_frame(project, name="cold", owner=bob, **closed(started_at=JUNE))
    happen(acme, cold, [("note", {"n": n}) for n in range(2)], start=JUNE)
    hot = make_frame(project, name="hot", owner=bob)
    with workspace_scope(acme.pk):
        happen(acme, hot, [("note", {"text": "long " * 20_000}), ("note", {"n": 1})], start=NOON)
    assert move() == 2
    store._kept.clear()
    payload = blobs.name_of(PAYLOADS, acme.pk, StoredPayload.unscoped.get().digest)
    names = [ArchivedPeriod.unscoped.get().object, payload]
    for name in names:
        (tmp_path / "objects" / name).write_bytes(b"damaged")
    return names


def said(capsys, *arguments) -> dict:
    with pytest.raises(SystemExit) as ended:
        call_command(*arguments, "--json")
    assert ended.value.code == 1
    return json.loads(capsys.readouterr().out)


def test_archives_and_stores_go_on_and_say_so(lost, acme, alice, login, tmp_path, capsys,
                                              django_capture_on_commit_callbacks):  # fmt: skip
    path, database = tmp_path / "acme.zip", tmp_path / "context.db"
    report = said(capsys, "export_workspace", "acme", "--output", str(path))
    assert report["lost"] == lost
    with zipfile.ZipFile(path) as archive:
        assert json.loads(archive.read("manifest.json"))["lost"] == lost
        events = [json.loads(line) for line in archive.open("rows/frames.event.jsonl")]
    assert [json.loads(event["payload"]).keys() for event in events] == [{"text"}, {"n"}]
    assert events[0]["payload"].endswith('…"}')

    report = said(
        capsys, "export_stackmemory", "--workspace", "acme", "--project", "shop", "--output",
        str(database),
    )  # fmt: skip
    assert (report["lost"], report["rows"]["events"]) == (lost, 2)
    with closing(sqlite3.connect(database)) as db:
        assert len(db.execute("SELECT payload FROM events").fetchall()) == 2

    with django_capture_on_commit_callbacks(execute=True):
        login(alice).post(
            "/w/acme/exports/", {"format": "store", "project": "shop", "schema": "new"}
        )
    export = Export.unscoped.get()
    assert (export.state, export.error) == ("done", "")
    page = login(alice).get("/w/acme/exports/").content.decode()
    assert "left out: 2 objects that the object store has lost" in page

    purge(acme)
    taken = import_workspace(path=path)
    assert (taken["lost"], taken["rows"]["frames.event"]) == (2, 2)


def test_a_person_gets_the_rest(lost, bob):
    told = json.loads(b"".join(lines_about(bob)))
    (team,) = told["workspaces"]
    assert [frame["name"] for frame in team["frames"]] == ["cold", "hot"]
    assert [json.loads(event["payload"]).keys() for event in team["events"]] == [{"text"}, {"n"}]
    assert team["lost"] == lost
