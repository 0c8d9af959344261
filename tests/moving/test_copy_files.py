"""The files of a whole installation go along: all that rows name, whole, and nothing else."""

from __future__ import annotations

import gzip
import io
import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from django.apps import apps
from django.core.files.storage import FileSystemStorage
from django.core.management import call_command
from django.db import models

from stackmemory.copying import files
from stackmemory.copying.errors import CannotCopy
from stackmemory.copying.running import copy_database
from stackmemory.copying.stores import Given, stores
from stackmemory.lib import blobs
from stackmemory.lib.objects import folder
from tests.moving.conftest import TEAMS, contents

pytestmark = [pytest.mark.django_db, pytest.mark.xdist_group("trial")]


class Killed(BaseException):
    pass


@pytest.fixture
def own(trial, tmp_path):
    """(home, URL) of a copy of the trial that a test may damage."""
    home = tmp_path / "own"
    shutil.copytree(trial.home / "var", home / "var")
    shutil.copy(trial.home / "trial.sqlite3", home / "trial.sqlite3")
    return home, f"sqlite:///{home / 'trial.sqlite3'}"


def given(home: Path, to: Path) -> Given:
    var = home / "var"
    return Given(str(var / "objects"), str(to / "objects"), str(var / "files"), str(to / "files"))


def test_no_model_names_files_in_a_way_of_its_own():
    """stackmemory/copying/named.py lists those there are."""
    fields = [field for model in apps.get_models() for field in model._meta.get_fields()]
    assert not [field for field in fields if isinstance(field, models.FileField)]


def test_an_object_is_whole_to_its_last_byte(monkeypatch):
    monkeypatch.setattr(blobs, "PIECE", 7)
    for text in ("", "a" * 100_000, "".join(map(chr, range(1, 900)))):
        data, digest = gzip.compress(text.encode(), mtime=0), blobs.digest_of(text)
        octets = len(text.encode())
        assert blobs.holds(io.BytesIO(data), digest, octets)
        for end in range(len(data)):
            assert not blobs.holds(io.BytesIO(data[:end]), digest, octets)
        assert not blobs.holds(io.BytesIO(data), digest, octets - 1)
        assert not blobs.holds(io.BytesIO(data), blobs.digest_of("another"), octets)
    assert not blobs.holds(io.BytesIO(b"no gzip"), digest, octets)


def test_killed_at_any_file_it_goes_on(trial, tmp_path, monkeypatch):
    monkeypatch.setattr(files, "BATCH", 4)
    target, put, stop = trial.target(tmp_path), [], [1, 9, 30, 50]
    plain = FileSystemStorage.save

    def save(storage, name, content, *args, **options):
        put.append(name)
        if len(put) in stop:
            raise Killed
        return plain(storage, name, content, *args, **options)

    monkeypatch.setattr(FileSystemStorage, "save", save)
    for _ in stop:
        with pytest.raises(Killed):
            copy_database(source=trial.url, target=target, given=trial.given(tmp_path))
    report = copy_database(source=trial.url, target=target, given=trial.given(tmp_path))
    assert (report["status"], report["faults"]) == ("done", [])
    numbers = {name: side["files"] for name, side in report["files"].items()}
    assert numbers == {"objects": 3 * TEAMS, "media": 4 * TEAMS}
    # Each was put down once, save those it was killed at.
    assert len(put) == len(set(put)) + 4 == 7 * TEAMS + 4
    assert contents(tmp_path / "var" / "objects") == contents(trial.home / "var" / "objects")


def test_what_is_lost_damaged_or_taken_is_told_and_the_rest_goes(own, trial, tmp_path, capsys):
    home, url = own
    objects, to = home / "var" / "objects", tmp_path / "to"
    large = sorted(path for path in (objects / "payloads").rglob("*.gz"))
    cold = sorted((objects / "cold").rglob("*.zip"))
    kept = large[1].read_bytes()
    large[0].unlink()
    large[1].write_bytes(kept[: len(kept) // 2])
    cold[0].write_bytes(cold[0].read_bytes() + b"more")
    waits = next((home / "var" / "files" / "imports").rglob("context.db"))
    shutil.rmtree(waits.parent)
    taken = to / "objects" / large[2].relative_to(objects)
    taken.parent.mkdir(parents=True)
    taken.write_bytes(large[2].read_bytes()[:-9])  # half of it, put there by something else
    command = ["copy_database", "--from", url, "--to", trial.target(tmp_path)]
    for side, place in (("from", home / "var"), ("to", to)):
        command += [f"--{side}-objects", f"{place}/objects", f"--{side}-media", f"{place}/files"]
    with pytest.raises(SystemExit) as ended:
        call_command(*command)
    said = capsys.readouterr()
    assert ended.value.code == 1
    lines = said.err.splitlines()
    assert len(lines) == 5
    names = [str(path.relative_to(objects)) for path in (*large[:3], cold[0])]
    for name, problem, whose in (
        (names[0], f"is not in {objects}", "the payload of event "),
        (names[1], "is damaged", "of workspace “team-"),
        (names[2], "is another file", "the payload of event "),
        (names[3], "its SHA-256 is not the one", "2 events of June 2026 of workspace “team-"),
        (str(waits.parent.relative_to(home / "var" / "files")), "is not in", "the import of “con"),
    ):
        (line,) = [line for line in lines if line.startswith(name)]
        assert problem in line
        assert whose in line
    assert "5 files are not there; everything else is" in said.out
    assert len(contents(to / "objects")) == 3 * TEAMS - 4 + 1  # the one that is another
    # Mended, the same command goes on with those alone.
    source = trial.home / "var"
    shutil.copytree(source, home / "var", dirs_exist_ok=True)
    taken.unlink()
    call_command(*command, "--json")
    report = json.loads(capsys.readouterr().out)
    assert (report["status"], report["faults"]) == ("done", [])
    assert [side["copied"] for side in report["files"].values()] == [4, 1]
    assert [side["files"] for side in report["files"].values()] == [3 * TEAMS, 4 * TEAMS]
    assert contents(to / "objects") == contents(source / "objects")


def test_places_are_known_before_anything_is_copied(own, trial, tmp_path, s3, settings):
    home, url = own
    empty = sqlite3.connect(trial.target(tmp_path).removeprefix("sqlite:///"))
    target = trial.target(tmp_path)
    for options, words in (
        # Beside the file there is no folder of that name.
        ({}, "there are none in"),
        ({"from_objects": str(tmp_path / "nothing")}, "Say where they are with --from-objects"),
        ({"from_objects": "storage:default"}, "this environment’s own is storage:objects"),
        ({"from_objects": "s3://bucket/folder"}, "is named s3://BUCKET"),
        ({"to_objects": f"s3://key:secret@nowhere?endpoint={s3}"}, "^s3://nowhere at .*NoSuchBuck"),
        ({"to_media": "s3://bucket"}, "--to-media is a folder"),
        ({"to_objects": str(trial.empty / "x")}, "cannot be made"),
    ):
        places = given(home, tmp_path / "to").__dict__ | options if options else {}
        with pytest.raises(CannotCopy, match=words):
            copy_database(source=url, target=target, given=Given(**places))
    with closing(empty):
        tables = empty.execute("SELECT count(*) FROM sqlite_master WHERE name = 'stackmemory_copy'")
        assert tables.fetchone() == (0,)
    assert not (tmp_path / "to").exists()
    # Uploads that may or may not have left something: of a folder that is not there nobody can tell.
    with closing(sqlite3.connect(home / "trial.sqlite3")) as db, db:
        for table in ("export", "storedpayload", "payloaduse", "archivedperiod"):
            db.execute(f"DELETE FROM frames_{table}")
        db.execute("DELETE FROM stackmemory_archiveimport")
        db.execute("UPDATE frames_transfer SET state = 'failed' WHERE state = 'waiting'")
    with pytest.raises(CannotCopy, match="an empty folder will do"):
        copy_database(source=url, target=target)
    # The environment's own are known by its database.
    settings.DATABASE_URL = trial.url
    settings.STORAGES = settings.STORAGES | {"objects": folder(str(trial.home / "var" / "objects"))}
    settings.MEDIA_ROOT = trial.home / "var" / "files"
    own_ones = stores(Given(), trial.url, target)
    assert [pair[0].said for pair in own_ones.values()] == [
        str(trial.home / "var" / name) for name in ("objects", "files")
    ]
    assert [pair[1].said for pair in own_ones.values()] == [
        str(tmp_path / name) for name in ("objects", "files")
    ]


def test_without_a_word_the_environment_has_the_files(own, trial, tmp_path, settings, capsys):
    """A server says nothing of where its files are: they are where one that used it here would look."""
    home, url = own
    var = home / "var"
    settings.STORAGES = settings.STORAGES | {"objects": folder(str(var / "objects"))}
    settings.MEDIA_ROOT = var / "files"
    elsewhere = "postgres://somebody@db.example/stackmemory"
    to_it = [target.said for _, target in stores(Given(), url, elsewhere).values()]
    from_it = [source.said for source, _ in stores(Given(), elsewhere, url).values()]
    assert to_it == from_it == [str(var / "objects"), str(var / "files")]
    aside = tmp_path / "alone" / "trial.sqlite3"
    aside.parent.mkdir()
    shutil.copy(home / "trial.sqlite3", aside)
    call_command("copy_database", "--from", f"sqlite:///{aside}", "--to", trial.target(tmp_path),
                 "--to-objects", str(var / "objects"))  # fmt: skip
    assert "which the new place has to be given, too" in capsys.readouterr().out


def test_files_may_be_left_behind(own, trial, tmp_path):
    _, url = own
    report = copy_database(source=url, target=trial.target(tmp_path), given=Given(without=True))
    assert report["status"] == "done"
    left = report["files"]["left_behind"]
    assert (left["large payloads"], left["cold storage"]) == (2 * TEAMS, TEAMS)
    assert left["exports"] == TEAMS


def test_one_store_for_both_is_looked_at_alone(own, trial, tmp_path):
    home, url = own
    places = {"to_objects": str(home / "var" / "objects"), "to_media": str(home / "var" / "files")}
    before = contents(home / "var")
    both = Given(**given(home, tmp_path).__dict__ | places)
    report = copy_database(source=url, target=trial.target(tmp_path), given=both)
    told = report["files"]["objects"]
    assert (told["files"], told["copied"], told["from"]) == (3 * TEAMS, 0, told["to"])
    assert contents(home / "var") == before
    next((home / "var" / "objects" / "cold").rglob("*.zip")).write_bytes(b"")
    report = copy_database(source=url, target=trial.target(tmp_path, "next"), given=both)
    assert (report["status"], len(report["faults"])) == ("lost", 1)
