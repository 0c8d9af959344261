"""The whole installation in one file: taken while it runs, kept, tried, put back; or refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path

import psycopg
import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.core.management import call_command
from django.db import connection

from stackmemory.backup import container, sealing
from stackmemory.backup.errors import BadBackup
from stackmemory.backup.places import find, name_for, place
from stackmemory.backup.restoring import verify
from stackmemory.backup.schedule import back_up_when_due
from stackmemory.backup.taking import back_up
from stackmemory.backup.tools import tool
from stackmemory.lib.database_url import database_settings
from tests.databases import ROOT, OwnDatabase

KEY = "a key of sixteen characters or more"
FILL = """
import django; django.setup()
import hashlib, json, sys
from pathlib import Path
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.core.management import call_command
from django.db import transaction
from frames.models import ArchivedPeriod, Frame
from stackmemory.archive.hashing import workspace_hash
from stackmemory.lib.tenancy import as_owner
from tests.moving.teams import make_team
folder = Path(sys.argv[1])
with as_owner(), transaction.atomic():
    print(workspace_hash(make_team("team", folder)))
storages["default"].save("imports/x/part", ContentFile(b"half of it"))
storages["default"].save("exports/x/y/a.zip", ContentFile(b"waits for a day, in no backup"))
content = bytes(range(256)) * 9000
storages["objects"].save("cold/y", ContentFile(content))
storages["objects"].save("cold/left", ContentFile(b"of a mover that died"))
with as_owner(), transaction.atomic():
    frame = Frame.unscoped.filter(project__slug="shop").first()
    of = {"workspace_id": frame.workspace_id}
    ArchivedPeriod.unscoped.create(
        **of, project=frame.project, month="2026-06-01", part=1, state="cold", object="cold/y",
        sha256=hashlib.sha256(content).hexdigest(),
    )
call_command("backup", "--to", str(folder / "kept"), "--json")
"""
BACK = """
import django; django.setup()
import sys
from django.core.management import call_command
from frames.models import Frame
from stackmemory.archive.hashing import workspace_hash
from stackmemory.lib.tenancy import workspace_scope
from workspaces.models import Workspace
call_command("restore", sys.argv[1], "--json")
seen = Frame.objects.across_workspaces().count()
workspace = Workspace.objects.get(slug="team")
with workspace_scope(workspace.pk):
    print(workspace_hash(workspace), seen)
"""


class Installation:
    """An installation with a database and files of its own, and one backup of it."""

    def __init__(self, database: OwnDatabase, folder: Path) -> None:
        self.database, self.kept = database, folder / "kept"
        said = run(database, folder, FILL, str(folder))
        self.hash, self.report = said[-2], json.loads(said[-1])

    @property
    def backup(self) -> Path:
        return self.kept / self.report["backup"]


def run(database: OwnDatabase, folder: Path, program: str, *arguments: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=ROOT, capture_output=True, text=True,
        env=database.environ(folder) | {"BACKUP_KEY": KEY},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip().splitlines()


@pytest.fixture(scope="module")
def made(own_database, tmp_path_factory):
    folder = tmp_path_factory.mktemp("here")
    database = own_database(folder)
    yield Installation(database, folder)
    database.drop()


@pytest.fixture
def here(made, settings, tmp_path):
    """A filled installation with one backup, which backups of this process are of."""
    settings.BACKUP_DATABASE_URL, settings.VAR_DIR = made.database.url, tmp_path / "var"
    return made


def empty(folder: Path) -> OwnDatabase:
    if connection.vendor == "sqlite":
        return OwnDatabase(f"sqlite:///{folder / 'new.sqlite3'}")
    name = f"own_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as server:
        server.execute(f'CREATE DATABASE "{name}"')
    return OwnDatabase(f"{os.environ['DATABASE_URL'].rpartition('/')[0]}/{name}")


def test_it_is_taken_tried_and_put_back(here, tmp_path):
    """Into another database, of another name, with files, roles and policies; then never over it."""
    assert here.report["encrypted"]
    assert (here.report["files"], here.report["rows"] > 100) == (4, True)
    assert here.report["missing"] == []
    assert os.stat(here.backup).st_mode & 0o077 == 0
    where, name = find(str(here.kept))
    tried = verify(place=where, name=name, key=KEY)
    assert (tried["rows"], tried["files"]) == (here.report["rows"], 4)

    there = empty(tmp_path)
    *_, report, seen = run(there, tmp_path, BACK, str(here.backup))
    back = json.loads(report)
    assert (back["rows"], back["files"], back["to_migrate"]) == (here.report["rows"], 3, 0)
    assert back["weaker"] == back["missing"] == []
    assert (tmp_path / "var/files/imports/x/part").read_bytes() == b"half of it"
    assert (tmp_path / "var/objects/cold/y").read_bytes() == bytes(range(256)) * 9000
    assert not (tmp_path / "var/objects/cold/left").exists()
    # It works as the application's role, behind policies made anew for this database's name.
    without_scope = "0" if connection.vendor == "postgresql" else "4"
    assert seen == f"{here.hash} {without_scope}"
    with pytest.raises(BadBackup, match="not empty"):
        verify(place=where, name=name, key=KEY, into=as_settings(there))
    there.drop()


def test_what_is_damaged_or_locked_is_refused_before_anything_is_written(here, tmp_path, settings):
    whole = here.backup.read_bytes()
    target = empty(tmp_path)

    def refused(raw: bytes, key: str = KEY) -> str:
        (tmp_path / "b.tar").write_bytes(raw)
        where, name = find(str(tmp_path / "b.tar"))
        with pytest.raises(BadBackup) as problem:
            verify(place=where, name=name, key=key, into=as_settings(target))
        return str(problem.value)

    middle = len(whole) // 2
    changed = whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :]
    assert "damaged" in refused(changed)
    assert "cut off" in refused(whole[: -sealing.TAG - 5]) or "damaged" in refused(whole[:-20])
    # Chunks left out at the end are noticed, too.
    one = sealing.HEADER + sealing.CHUNK + sealing.TAG
    assert len(whole) > one
    assert "damaged" in refused(whole[:one])
    assert "not the one" in refused(whole, key="another key that is long")
    assert "BACKUP_KEY" in refused(whole, key="")

    plain = sealing.Opened(BytesIO(whole), KEY).read()
    assert b"backup.json" in plain[:200]
    at = plain.index(b"half of it")
    assert "not what the manifest says" in refused(plain[:at] + b"HALF" + plain[at + 4 :])
    assert "no end" in refused(plain[: plain.index(b"manifest.json")] + bytes(1024))
    for cut in (600, at, plain.index(b"manifest.json") + 600):
        assert "no backup, or a damaged one (unexpected end" in refused(plain[:cut])
    assert "manifest is damaged" in refused(plain.replace(b'"sum": "', b'"sam": "'))
    assert "no backup" in refused(b"something else")
    assert "version 2" in refused(plain.replace(b'"version": 1', b'"version": 2'))
    target.drop()


def test_objects_that_are_lost_are_named_and_those_left_out_unseen_are_found(
    here, tmp_path, settings, capsys
):
    """No row without what it names: in the installation, or in the backup."""
    objects = settings.STORAGES["objects"] | {"OPTIONS": {"location": str(tmp_path / "o")}}
    default = settings.STORAGES["default"] | {"OPTIONS": {"location": str(tmp_path / "m")}}
    settings.STORAGES = settings.STORAGES | {"objects": objects, "default": default}
    settings.BACKUP_KEY = ""
    call_command("backup", "--to", str(tmp_path / "b"))
    said = capsys.readouterr().out
    assert "2 objects that rows name were not there: cold/y, payloads/" in said
    call_command("verify_backup", str(tmp_path / "b"))
    assert "2 objects that rows name were not there: cold/y" in capsys.readouterr().out
    # What the rows name comes back out of an older backup, and nothing else of that kind.
    settings.BACKUP_KEY = KEY
    call_command("restore", str(here.kept), "--files-only")
    assert "3 files of stackmemory-" in capsys.readouterr().out
    assert (tmp_path / "o/cold/y").exists()
    assert not (tmp_path / "o/cold/left").exists()
    backup = next((tmp_path / "b").glob("*.tar"))
    whole = backup.read_bytes()
    other = whole.replace(b'"missing": [\n  "cold/y"', b'"missing": [\n  "cold/x"')
    backup.write_bytes(summed(other))
    assert other != whole
    with pytest.raises(SystemExit):
        call_command("verify_backup", str(tmp_path / "b"))
    assert "objects that are not in it: cold/y" in capsys.readouterr().err


def summed(plain: bytes) -> bytes:
    """A backup whose manifest was altered, as if it had been written so."""
    start = plain.rindex(b'{\n "format"')
    manifest, _ = json.JSONDecoder().raw_decode(plain[start:].decode())
    return plain.replace(manifest["sha256"].encode(), container.sum_of(manifest).encode())


def as_settings(database: OwnDatabase) -> dict:
    return database_settings(database.url, require_tls=False)


def test_a_restored_database_is_compared_row_by_row(here, tmp_path):
    """A manifest that tells of other rows than the dump has, as after a fault in saving."""
    plain = sealing.Opened(here.backup.open("rb"), KEY).read()
    at = plain.index(b'"frames_frame": {')
    at = plain.index(b'"sum": "', at) + len(b'"sum": "') + 1
    other = b"1" if plain[at : at + 1] != b"1" else b"2"
    (tmp_path / "b.tar").write_bytes(summed(plain[:at] + other + plain[at + 1 :]))
    where, name = find(str(tmp_path / "b.tar"))
    target = empty(tmp_path)
    with pytest.raises(BadBackup, match="frames_frame has other rows"):
        verify(place=where, name=name, into=as_settings(target))
    target.drop()


@pytest.mark.django_db
def test_a_former_database_is_asked_for_what_was_erased(here, capsys):
    """Here there is nothing that could be erased again (tests/test_erasing_again.py)."""
    call_command("erase_again", "--former", here.database.url)
    assert "0 workspaces, 0 accounts, 0 sessions and 0 frames" in capsys.readouterr().out


@pytest.mark.postgresql_only
def test_an_older_server_is_given_no_setting_it_does_not_know(here, tmp_path, monkeypatch):
    """As for PostgreSQL 16 with programs of 17 or newer: SQL for psql, in one transaction as well."""
    monkeypatch.setattr("stackmemory.backup.postgres.KNOWS_TIMEOUT", 19)
    monkeypatch.setattr(
        "stackmemory.backup.postgres.tool", lambda name, server: (tool(name, server)[0], 19)
    )
    target = empty(tmp_path)
    (where, name), into = find(str(here.kept)), as_settings(target)
    assert verify(place=where, name=name, key=KEY, into=into)["rows"] == here.report["rows"]
    target.drop()
    target = empty(tmp_path)
    with psycopg.connect(target.url, autocommit=True) as database:
        database.execute("CREATE FUNCTION frames_event_make_month(date) RETURNS void"
                         " LANGUAGE sql AS ''")  # fmt: skip
    with pytest.raises(BadBackup, match=r"psql failed: .*already exists"):
        verify(place=where, name=name, key=KEY, into=as_settings(target))
    with psycopg.connect(target.url) as database:
        tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
        assert database.execute(tables).fetchone() == (0,), "nothing of it is left"
    target.drop()


def test_a_backup_that_ends_early_leaves_nothing(tmp_path, settings, monkeypatch, here):
    for left in (tmp_path / "kept/.stackmemory-1.partial", tmp_path / "var/stackmemory-backup-1"):
        left.mkdir(parents=True)
        os.utime(left, (1, 1))  # of a process that was killed long ago
    monkeypatch.setattr(container.Writer, "finish", lambda *a: (_ for _ in ()).throw(OSError(28)))
    with pytest.raises(BadBackup, match="cannot be written"):
        call_backup(tmp_path / "kept")
    assert list((tmp_path / "kept").iterdir()) == []
    assert list(settings.VAR_DIR.iterdir()) == []


def call_backup(to: Path) -> None:
    back_up(to=place(str(to)), key=KEY)


def test_the_clock_takes_them_and_lets_old_ones_go(here, tmp_path, settings):
    objects = settings.STORAGES["objects"] | {"OPTIONS": {"location": str(tmp_path / "o")}}
    settings.STORAGES = settings.STORAGES | {"objects": objects}
    now = datetime(2026, 11, 22, 3, tzinfo=UTC)
    assert back_up_when_due(now) is None  # off unless it is said where to
    settings.BACKUP_TO, settings.BACKUP_KEEP = "storage:objects", 2
    storages["objects"].save("backups/other.txt", ContentFile(b""))
    taken = [back_up_when_due(now + timedelta(hours=12 * n)) for n in range(7)]
    assert [bool(name) for name in taken] == [True, False] * 3 + [True]
    kept = place("storage:objects").names()
    assert kept == [taken[4], taken[6]]
    assert (tmp_path / "o/backups" / kept[0]).is_file()
    assert storages["objects"].exists("backups/other.txt")
    where, name = find("storage:objects")
    assert name == taken[6]
    with where.open(name) as stream:
        names: list[str] = []
        manifest = container.check(
            stream, lambda part, source: (names.append(part), container.drain(source))
        )
    assert names == [part["name"] for part in manifest["parts"]]
    assert not any("backups/" in name for name in names)


def test_what_cannot_be_is_said_with_its_mend(tmp_path, settings, capsys, monkeypatch):
    def said(*arguments: str) -> str:
        with pytest.raises(SystemExit) as ended:
            call_command(*arguments)
        assert ended.value.code == 2
        return capsys.readouterr().err

    assert "BACKUP_TO" in said("backup")
    assert "--keep" in said("backup", "--to", str(tmp_path), "--keep", "0")
    assert "storage:objects" in said("backup", "--to", "storage:nowhere")
    settings.BACKUP_KEY = "short"
    assert "openssl rand" in said("backup", "--to", str(tmp_path))
    settings.BACKUP_KEY, settings.MEDIA_ROOT = "", tmp_path / "files"
    assert "inside of the storage" in said("backup", "--to", str(tmp_path / "files" / "b"))
    assert "There is no" in said("restore", str(tmp_path / "none.tar"))
    assert "no backup" in said("restore", str(tmp_path))
    monkeypatch.setenv("PG_BIN", str(tmp_path))
    with pytest.raises(BadBackup, match=r"postgresql-client-18.*PG_BIN"):
        tool("pg_dump", 18)


@pytest.mark.parametrize("size", [0, 1, sealing.CHUNK, sealing.CHUNK + 1, 2 * sealing.CHUNK])
def test_what_is_sealed_opens_to_the_same(size, monkeypatch):
    monkeypatch.setattr(sealing, "COST", 10)
    content = os.urandom(size)
    out = BytesIO()
    sealer = sealing.Sealer(out, KEY)
    for start in range(0, size, 700_001):
        sealer.write(content[start : start + 700_001])
    sealer.finish()
    assert content[:64] not in out.getvalue() or size < 2
    out.seek(0)
    assert sealing.Opened(out, KEY).read() == content


def test_names_sort_by_time():
    at = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert name_for(at, sealed=True).startswith("stackmemory-20260102T030405Z-")
    assert name_for(at, sealed=True) < name_for(at + timedelta(seconds=1), sealed=False)
