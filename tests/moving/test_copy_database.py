"""A whole installation from one database to another: nothing lost, and everything goes on working."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import uuid
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from django.core.management import call_command
from django.db import connection

from stackmemory.copying import running
from stackmemory.copying.errors import CannotCopy
from stackmemory.copying.running import copy_database
from stackmemory.copying.stores import Given
from tests.databases import OwnDatabase
from tests.moving.conftest import TEAMS, contents

pytestmark = [pytest.mark.django_db, pytest.mark.xdist_group("trial")]


@pytest.fixture
def production(trial, tmp_path):
    """The URL of an empty database of the engine the tests run on; on PostgreSQL without tables."""
    if connection.vendor == "sqlite":
        shutil.copy(trial.empty, tmp_path / "production.sqlite3")
        yield f"sqlite:///{tmp_path / 'production.sqlite3'}"
        return
    server, _, _ = os.environ["DATABASE_URL"].rpartition("/")
    database = OwnDatabase(f"{server}/moved_{uuid.uuid4().hex[:12]}")
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as admin:
        admin.execute(f'CREATE DATABASE "{database.url.rpartition("/")[2]}"')
    yield database.url
    database.drop()


ASK = """
import django, json; django.setup()
from importlib import import_module
from django.core.management import call_command
from django.test import Client
from stackmemory.archive.hashing import workspace_hash
from stackmemory.lib.tenancy import system_scope
from stackmemory.lib.queue import enqueue_once
from stackmemory.models import Job
from workspaces import audit
from frames.models import Transfer
from workspaces.models import User, Workspace
from allauth.mfa.models import Authenticator
client = Client(headers={"Authorization": "Bearer KEY"}, SERVER_NAME="localhost")
frames = client.get("/api/v1/frames").json()["items"]
made = client.post("/api/v1/projects", {"name": "After"}, content_type="application/json")
call_command("verify_payloads")
call_command("verify_audit")
with system_scope():
    hashes = {w.slug: workspace_hash(w) for w in Workspace.objects.exclude(slug="team-0")}
last = Job.objects.latest("pk").pk
assert enqueue_once("numbered", "search.jobs.check_fresh") and Job.objects.latest("pk").pk == last + 1
# The worker: what waited, and search, which it makes anew.
import_module("search.jobs").find_missing()
for job in Job.objects.filter(state="waiting").order_by("pk"):
    module, _, name = job.name.rpartition(".")
    getattr(import_module(module), name)(*job.args)
hits = client.get("/api/v1/search", {"q": "zeppelin"}).json()["hits"]
summer = [f["id"] for f in client.get("/api/v1/frames").json()["items"] if f["name"] == "Summer"]
events = client.get(f"/api/v1/frames/{summer[0]}/events").json()["items"]
large = client.get(f"/api/v1/events/{events[1]['id']}").json()
with system_scope():
    print(json.dumps({
        "hashes": hashes,
        "faults": [str(f) for w in Workspace.objects.all() for f in audit.faults(w)],
        "frames": sorted(f["name"] for f in frames), "made": made.status_code,
        "found": sorted({hit["kind"] for hit in hits}), "events": len(events),
        "large": len(large["payload"]["text"]),
        "imported": list(Transfer.unscoped.exclude(state="done").values_list("name", flat=True)),
        "mfa": Authenticator.objects.get().data,
        "logs_in": Client(SERVER_NAME="localhost").login(
            email="ann@team-0.example", password="correct horse battery staple"),
    }))
"""


def test_ten_teams_move_and_everything_works_there(trial, production, bucket, tmp_path):
    """Keys, passwords, second factors, audit chains; the object store into a bucket, over HTTP. Then
    back to files again, the same."""
    source, empty, known = trial.url, trial.empty, trial.known
    seen = []
    report = copy_database(
        source=source, target=production, given=trial.given(tmp_path, to_objects=bucket),
        on_progress=lambda *what: seen.append(what),
    )  # fmt: skip
    assert (report["status"], report["differing"], report["faults"]) == ("done", [], [])
    assert report["tables"]["workspaces.Workspace"]["rows"] == TEAMS
    assert seen[-1][1:] == (report["rows"], report["rows"], "rows")
    counted = {name: (side["files"], side["copied"]) for name, side in report["files"].items()}
    # a large payload of each engine's events, one in cold storage, its month; four that wait
    assert counted == {"objects": (3 * TEAMS, 3 * TEAMS), "media": (4 * TEAMS, 4 * TEAMS)}
    octets = sum(side["bytes"] for side in report["files"].values())
    assert [what[1:] for what in seen if what[3] == "bytes"][-1] == (octets, octets, "bytes")
    assert not list(tmp_path.rglob("stray"))
    assert "secret" not in json.dumps(report)
    # Back to a file: where its files go is beside it, unless something else is said.
    back = tmp_path / "back" / "back.sqlite3"
    back.parent.mkdir()
    shutil.copy(empty, back)
    there = Given(from_objects=bucket, from_media=str(tmp_path / "var" / "files"))
    again = copy_database(source=production, target=f"sqlite:///{back}", given=there)
    assert again["tables"] == report["tables"]
    assert again["files"]["objects"]["to"] == str(back.parent / "objects")
    assert contents(back.parent / "objects") == contents(trial.home / "var" / "objects")
    assert contents(back.parent / "files") == contents(tmp_path / "var" / "files")
    said = json.loads(OwnDatabase(production).run(tmp_path, "-c", ASK.replace("KEY", known["key"])))
    expected = {slug: sum_ for slug, sum_ in known["hashes"].items() if slug != "team-0"}
    assert said["hashes"] == expected
    assert said["faults"] == []
    assert said["frames"] == ["Build", "Imported", "Part", "Summer"]
    assert said["made"] == 201
    assert (said["found"], said["events"], said["large"]) == (["event"], 2, 40_010)
    assert set(said["imported"]) == {"half"}  # what waited was imported
    assert (said["mfa"], said["logs_in"]) == (known["mfa"], True)


def test_a_copy_that_is_killed_goes_on(trial, tmp_path, monkeypatch):
    source, empty = trial.url, trial.empty
    target = f"sqlite:///{tmp_path / 'target.sqlite3'}"
    shutil.copy(empty, tmp_path / "target.sqlite3")
    monkeypatch.setattr("stackmemory.copying.tables.AT_ONCE", 7)
    given = trial.given(tmp_path)
    left = [3, 5, 40]
    seen = []

    class Killed(BaseException):
        pass

    def progress(doing, done, total, unit):
        seen.append(doing)
        if left and doing.startswith("copying"):
            left[0] -= 1
            if left[0] == 0:
                left.pop(0)
                raise Killed

    for _ in range(3):
        with pytest.raises(Killed):
            copy_database(source=source, target=target, given=given, on_progress=progress)
    other = tmp_path / "other.sqlite3"
    shutil.copy(empty, other)
    with pytest.raises(CannotCopy, match="half a copy"):
        copy_database(source=f"sqlite:///{other}", target=target, given=given)
    report = copy_database(source=source, target=target, given=given, on_progress=progress)
    assert report["status"] == "done"
    assert seen.count("copying frames.Event") < 2 * (
        report["tables"]["frames.Event"]["rows"] / 7 + 1
    )


def test_what_it_refuses(trial, tmp_path, capsys):
    source, empty = trial.url, trial.empty
    older = tmp_path / "older.sqlite3"
    shutil.copy(empty, older)
    with closing(sqlite3.connect(older)) as db:
        db.execute("DELETE FROM django_migrations WHERE app = 'frames' AND name LIKE '0004%'")
        db.commit()
    newer = tmp_path / "newer.sqlite3"
    shutil.copy(empty, newer)
    with closing(sqlite3.connect(newer)) as db:
        db.execute("INSERT INTO django_migrations (app, name, applied) VALUES ('frames', '9', 0)")
        db.commit()
    full = source.removeprefix("sqlite:///")
    before = Path(full).read_bytes()
    for one, other, words in (
        (source, source, "same database"),
        (f"sqlite:///{older}", f"sqlite:///{empty}", "frames.0004"),
        (f"sqlite:///{newer}", f"sqlite:///{empty}", "does not know"),
        (source, f"sqlite:///{newer}", "newer version"),
        (f"sqlite:///{empty}", source, "not empty"),
        (f"sqlite:///{tmp_path}/none.sqlite3", f"sqlite:///{empty}", "There is no"),
    ):
        with pytest.raises(SystemExit) as refused:
            call_command("copy_database", "--from", one, "--to", other, "--without-files")
        assert refused.value.code == 2
        assert words in capsys.readouterr().err
    assert Path(full).read_bytes() == before


def test_a_source_that_was_written_to_is_told(trial, tmp_path, monkeypatch, capsys):
    source, empty = trial.url, trial.empty
    shutil.copy(source.removeprefix("sqlite:///"), tmp_path / "busy.sqlite3")
    shutil.copy(empty, tmp_path / "target.sqlite3")
    plain = running._Copying.compare

    def written_to(copying):
        with closing(sqlite3.connect(tmp_path / "busy.sqlite3")) as db:
            db.execute("UPDATE frames_anchor SET text = 'changed meanwhile'")
            db.commit()
        return plain(copying)

    monkeypatch.setattr(running._Copying, "compare", written_to)
    with pytest.raises(SystemExit) as ended:
        call_command(
            "copy_database", "--from", f"sqlite:///{tmp_path / 'busy.sqlite3'}",
            "--to", f"sqlite:///{tmp_path / 'target.sqlite3'}", "--without-files", "--json",
        )  # fmt: skip
    assert ended.value.code == 1
    assert json.loads(capsys.readouterr().out)["differing"] == ["frames.Anchor"]
