"""push PATH: what import_stackmemory does, over a line that breaks, and nothing else."""

from __future__ import annotations

import random
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from frames.models import Event, Transfer
from frames.transfer import locate as theirs
from frames.transfer.importing import Options, import_stackmemory
from frames.transfer.verifying import verify_import
from stackmemory.cli import push as pushing
from stackmemory.cli import store as ours
from stackmemory.cli.push import Wishes, push
from stackmemory.cli.server import Away
from stackmemory.cli.talk import Problem
from tests.api.client import key_for
from tests.stores import B, Store, fuzzed

pytestmark = pytest.mark.django_db


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository whose store has all a store can have beside it."""
    folder = tmp_path / "My Shop" / ".stackmemory"
    store = Store(folder / "context.db", B)
    store.ordinary()
    store.done()
    Store(folder / "memory.db").done()
    fuzzed(folder / "db" / "stackmemory.db", B, 3, rows=5)
    (folder / "tasks.jsonl").write_text('{"id":"tsk-9","title":"Log","timestamp":5}\n{"id":"t')
    (folder / "session-decisions.json").write_text('{"decisions":[{"id":"d-1","what":"Do"}]}')
    (folder / "handoffs").mkdir()
    (folder / "handoffs" / "ü 1.md").write_text("# Work")
    (folder / "linear-tokens.json").write_text('{"token":"secret"}')
    (folder / "empty.log").write_text("")
    return folder.parent


def everything(folder: Path) -> dict[str, tuple[bytes, int]]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(f.relative_to(folder)): (f.read_bytes(), f.stat().st_mtime_ns) for f in files}


def figures(report: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in report.items() if k not in ("seconds", "transfer")}


def test_it_reports_what_the_command_reports_and_only_reads(
    acme, globex, admin, carrier, repository
):
    before = everything(repository)
    report = push(carrier.server(admin), repository, Wishes())
    assert everything(repository) == before
    by_command = import_stackmemory(workspace=globex, path=repository, options=Options())
    assert figures(report) == figures(by_command)
    assert list(report) == list(by_command)
    assert report["left_out"] == ["linear-tokens.json"]
    assert verify_import(workspace=acme, path=repository)["status"] == "ok"
    transfer = Transfer.objects.in_workspace(acme).get()
    assert (transfer.project.slug, transfer.name) == ("my-shop", "My Shop")
    again = push(carrier.server(admin), repository / ".stackmemory", Wishes())
    assert {t: row["imported"] for t, row in again["rows"].items()} == dict.fromkeys(
        again["rows"], 0
    )


@pytest.mark.parametrize("name", ["context.db", "odd name.sqlite"])
def test_a_file_alone_and_a_running_owner(acme, globex, admin, carrier, tmp_path, name):
    """Rows that are only in the log come along; the owner goes on and nothing is left beside."""
    path = tmp_path / "at" / name
    store = Store(path, B, wal=True)
    store.ordinary(frames=2)
    store.db.execute("COMMIT")
    path.with_suffix(".tasks.jsonl").write_text('{"id":"tsk-9","title":"Log","timestamp":5}\n')
    before = set(everything(path.parent))
    report = push(carrier.server(admin), path, Wishes(project="given"))
    by_command = import_stackmemory(workspace=globex, path=path, options=Options(project="given"))
    assert figures(report) == figures(by_command)
    assert report["rows"]["events"]["imported"] == 10
    assert set(everything(path.parent)) == before
    store.db.close()


def test_a_dry_run_says_all_and_writes_nothing(acme, admin, carrier, repository):
    report = push(carrier.server(admin), repository, Wishes(dry_run=True, keep_project_ids=True))
    assert report["status"] == "dry-run"
    assert report["rows"]["events"]["imported"] >= 30
    assert not Event.objects.in_workspace(acme).exists()


def test_a_line_that_breaks_costs_a_piece_and_no_more(
    acme, admin, carrier, repository, monkeypatch
):
    monkeypatch.setattr(pushing, "PIECE", 2_000)
    chance = random.Random(7)
    carrier.lose = lambda method, path: chance.choice(["", "", "", "request", "answer"])
    report = push(carrier.server(admin), repository, Wishes())
    assert report["status"] == "done"
    size = Transfer.objects.in_workspace(acme).get().options["size"]
    assert size > 10_000
    assert carrier.bytes_sent() < 2 * size
    assert verify_import(workspace=acme, path=repository)["status"] == "ok"


def test_who_was_cut_off_for_good_goes_on_where_it_stopped(
    acme, admin, carrier, repository, monkeypatch
):
    monkeypatch.setattr(pushing, "PIECE", 2_000)
    carrier.lose = lambda method, path: "request" if carrier.bytes_sent() >= 8_000 else ""
    with pytest.raises(Away):
        push(carrier.server(admin, patience=3), repository, Wishes())
    there = carrier.server(admin)
    carrier.lose, carrier.asked = lambda method, path: "", []
    waiting = there.get("imports")["items"][0]
    assert (waiting["state"], waiting["received"]) == ("receiving", 8_000)
    push(there, repository, Wishes())
    assert carrier.bytes_sent() == waiting["size"] - 8_000
    assert Transfer.objects.in_workspace(acme).count() == 1


def test_what_cannot_be_pushed_is_said_before_anything_is_sent(admin, agent, carrier, tmp_path):
    empty = tmp_path / "empty.db"
    empty.write_bytes(b"")
    text = tmp_path / "notes.txt"
    text.write_text("hello " * 100)
    for path in (empty, text, tmp_path / "nowhere", tmp_path):
        with pytest.raises(Problem):
            push(carrier.server(admin), path, Wishes())
    assert carrier.asked == []
    other = sqlite3.connect(tmp_path / "other.db")
    other.execute("CREATE TABLE things (a)")
    other.commit()
    other.close()
    with pytest.raises(Problem, match="no StackMemory store"):
        push(carrier.server(admin), tmp_path / "other.db", Wishes())
    with pytest.raises(Problem, match="needs a key with the scope admin"):
        push(carrier.server(agent), tmp_path / "other.db", Wishes())


def test_a_failed_import_is_told_and_tried_again(acme, admin, carrier, repository, monkeypatch):
    from frames.transfer import importing

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device", "x")

    whole = importing._import
    monkeypatch.setattr(importing, "_import", full)
    with pytest.raises(Problem, match="disk is full"):
        push(carrier.server(admin), repository, Wishes())
    monkeypatch.setattr(importing, "_import", whole)
    carrier.asked = []
    assert push(carrier.server(admin), repository, Wishes())["status"] == "done"
    assert carrier.bytes_sent() == 0, "the server kept what had been sent"


def test_a_key_of_one_project_imports_nothing(acme, alice, carrier, repository):
    project = acme.projects.create(slug="one", name="One")
    tied = key_for(acme, alice, "read", "write", "admin", project_id=project.pk)
    with pytest.raises(Problem, match="tied to no project"):
        push(carrier.server(tied), repository, Wishes())


def test_a_folder_is_read_by_the_servers_own_rules():
    assert ours.SECRETS == theirs.SECRETS
    assert ours.SIDE_DATABASES == theirs.SIDE_DATABASES
    assert ours.SIDE_FILE_SUFFIXES == theirs.SIDE_FILE_SUFFIXES
    assert ours.SIDE_FILE_LIMIT == theirs.SIDE_FILE_LIMIT
