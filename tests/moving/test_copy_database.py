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
from tests.databases import OwnDatabase

pytestmark = pytest.mark.django_db
TEAMS = 10


@pytest.fixture(scope="module")
def trial(own_database, tmp_path_factory):
    """(URL of an SQLite installation with ten teams, an empty migrated one, what is known of it)"""
    home = tmp_path_factory.mktemp("trial")
    empty, full = home / "empty.sqlite3", home / "trial.sqlite3"
    if connection.vendor == "sqlite":
        shutil.copy(own_database(home).url.removeprefix("sqlite:///"), empty)
    else:
        OwnDatabase(f"sqlite:///{empty}").run(home, "manage.py", "migrate", "-v0")
    shutil.copy(empty, full)
    filled = OwnDatabase(f"sqlite:///{full}")
    told = filled.run(home, "-m", "tests.moving.fill", str(TEAMS), str(home))
    return filled.url, empty, json.loads(told)


@pytest.fixture
def production(trial, tmp_path):
    """The URL of an empty database of the engine the tests run on; on PostgreSQL without tables."""
    if connection.vendor == "sqlite":
        shutil.copy(trial[1], tmp_path / "production.sqlite3")
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
from django.test import Client
from stackmemory.archive.hashing import workspace_hash
from stackmemory.lib.tenancy import system_scope
from workspaces import audit
from workspaces.models import User, Workspace
from allauth.mfa.models import Authenticator
client = Client(headers={"Authorization": "Bearer KEY"}, SERVER_NAME="localhost")
frames = client.get("/api/v1/frames").json()["items"]
made = client.post("/api/v1/projects", {"name": "After"}, content_type="application/json")
with system_scope():
    print(json.dumps({
        "hashes": {w.slug: workspace_hash(w) for w in Workspace.objects.exclude(slug="team-0")},
        "faults": [str(f) for w in Workspace.objects.all() for f in audit.faults(w)],
        "frames": len(frames), "made": made.status_code,
        "mfa": Authenticator.objects.get().data,
        "logs_in": Client(SERVER_NAME="localhost").login(
            email="ann@team-0.example", password="correct horse battery staple"),
    }))
"""


def test_ten_teams_move_and_everything_works_there(trial, production, tmp_path):
    """Keys, passwords, second factors and audit chains; then back to a file again, the same."""
    source, empty, known = trial
    seen = []
    report = copy_database(
        source=source, target=production, on_progress=lambda *what: seen.append(what)
    )
    assert (report["status"], report["differing"]) == ("done", [])
    assert report["tables"]["workspaces.Workspace"]["rows"] == TEAMS
    assert seen[-1][1] == seen[-1][2] == report["rows"]
    back = tmp_path / "back.sqlite3"
    shutil.copy(empty, back)
    again = copy_database(source=production, target=f"sqlite:///{back}")
    assert again["tables"] == report["tables"]
    # Objects lie beside the database, and are taken along as docs/moving.md says.
    home = Path(source.removeprefix("sqlite:///")).parent
    shutil.copytree(home / "var" / "objects", tmp_path / "var" / "objects")
    OwnDatabase(production).run(tmp_path, "manage.py", "verify_payloads")
    said = json.loads(OwnDatabase(production).run(tmp_path, "-c", ASK.replace("KEY", known["key"])))
    expected = {slug: sum_ for slug, sum_ in known["hashes"].items() if slug != "team-0"}
    assert said["hashes"] == expected
    assert said["faults"] == []
    assert (said["frames"], said["made"]) == (3, 201)
    assert (said["mfa"], said["logs_in"]) == (known["mfa"], True)


def test_a_copy_that_is_killed_goes_on(trial, tmp_path, monkeypatch):
    source, empty, _ = trial
    target = f"sqlite:///{tmp_path / 'target.sqlite3'}"
    shutil.copy(empty, tmp_path / "target.sqlite3")
    monkeypatch.setattr("stackmemory.copying.tables.AT_ONCE", 7)
    left = [3, 5, 40]
    seen = []

    class Killed(BaseException):
        pass

    def progress(doing, done, total):
        seen.append(doing)
        if left and doing.startswith("copying"):
            left[0] -= 1
            if left[0] == 0:
                left.pop(0)
                raise Killed

    for _ in range(3):
        with pytest.raises(Killed):
            copy_database(source=source, target=target, on_progress=progress)
    other = tmp_path / "other.sqlite3"
    shutil.copy(empty, other)
    with pytest.raises(CannotCopy, match="half a copy"):
        copy_database(source=f"sqlite:///{other}", target=target)
    report = copy_database(source=source, target=target, on_progress=progress)
    assert report["status"] == "done"
    assert seen.count("copying frames.Event") < 2 * (
        report["tables"]["frames.Event"]["rows"] / 7 + 1
    )


def test_what_it_refuses(trial, tmp_path, capsys):
    source, empty, _ = trial
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
            call_command("copy_database", "--from", one, "--to", other)
        assert refused.value.code == 2
        assert words in capsys.readouterr().err
    assert Path(full).read_bytes() == before


def test_a_source_that_was_written_to_is_told(trial, tmp_path, monkeypatch, capsys):
    source, empty, _ = trial
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
            "--to", f"sqlite:///{tmp_path / 'target.sqlite3'}", "--json",
        )  # fmt: skip
    assert ended.value.code == 1
    assert json.loads(capsys.readouterr().out)["differing"] == ["frames.Anchor"]
