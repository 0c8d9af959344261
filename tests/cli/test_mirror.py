"""mirror: a store that is worked in and a workspace stay in step, whatever breaks on the way."""

from __future__ import annotations

import random
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from frames.models import Event, Frame, KeptRow, Transfer
from frames.transfer import upload
from frames.transfer.errors import BadStore
from frames.transfer.verifying import verify_import
from stackmemory.cli.mirror import Mirror, follow, words
from stackmemory.cli.push import Wishes
from stackmemory.cli.server import Away
from stackmemory.cli.talk import Problem
from tests.cli.test_push import everything
from tests.stores import SCHEMAS, B, Store, fuzzed, js, name
from workspaces.models import Audit

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("home")]


@pytest.fixture
def owner(tmp_path: Path) -> Any:
    """A store whose program is at work: a log, and a connection that stays open."""
    store = Store(tmp_path / "shop" / ".stackmemory" / "context.db", B, wal=True)
    store.ordinary()
    store.beside("tasks.jsonl", '{"id":"tsk-9","title":"Log","timestamp":5}\n')
    store.beside("handoff.md", "# One")
    store.db.execute("COMMIT")
    yield store
    store.db.close()


def verified(workspace: Any, store: Any) -> dict[str, Any]:
    report = verify_import(workspace=workspace, path=store.path)
    assert report["status"] == "ok", report["differing"]
    return report["tables"]


def test_what_changes_is_sent_and_nothing_else(acme, admin, carrier, owner):
    mirror = Mirror(carrier.server(admin), owner.path, Wishes())
    first = mirror.round()
    assert (first.whole, first.sent > 50) == (True, True)
    verified(acme, owner)
    assert not mirror.has_changed()
    [word] = words()
    assert (word["path"], word["behind_since"]) == (str(owner.path), None)
    listing = set(everything(owner.path.parent))

    root = owner.db.execute(
        "SELECT frame_id FROM frames WHERE depth > 0 AND state = 'active'"
    ).fetchone()[0]
    child = owner.frame(parent_frame_id=root, depth=3, name="New", run_id="run-9")
    owner.event(child)
    owner.event(root)
    owner.close_frame(root, outputs={"result": "ok"})
    owner.anchor(child, text="Decided later")
    owner.context("decision_2")
    owner.add("attention_log", query="how")  # the same words as a row that is there
    owner.add("attention_log", query="other")
    owner.db.execute(
        "UPDATE contexts SET access_count = 7, last_accessed = last_accessed + 9"
        " WHERE id = 'decision_1'"
    )
    with owner.path.with_name("tasks.jsonl").open("a") as log:
        log.write(js({"id": "tsk-9", "title": "Log", "timestamp": 9, "frame_id": child}) + "\n")
    owner.beside("session-decisions.json", js({"decisions": [{"id": "d-1", "what": "Do"}]}))
    assert mirror.has_changed()
    carrier.asked = []
    second = mirror.round()
    assert (second.whole, second.conflicts) == (False, 0)
    tables = verified(acme, owner)
    assert tables["events"]["missing"] == tables["frames"]["differs"] == 0
    part = Transfer.objects.in_workspace(acme).filter(kind="mirror").latest("created_at")
    assert part.report["rows"]["events"]["imported"] == 2
    assert part.report["rows"]["events"]["read"] < 10
    assert part.report["rows"]["frames"]["updated"] == 1
    assert "missing_frame" not in part.report["adjusted"]
    assert "missing_parent" not in part.report["adjusted"]
    assert set(everything(owner.path.parent)) == listing | {"session-decisions.json"}
    new = Frame.objects.in_workspace(acme).get(name="New")
    assert (new.parent.source_id, new.project.slug) == (root, "shop")
    assert not mirror.has_changed()
    assert mirror.round().rows == 0
    mirror.close()


def test_parts_of_a_mirror_do_not_pile_up(acme, admin, carrier, owner):
    mirror = Mirror(carrier.server(admin), owner.path, Wishes())
    for number in range(4):
        owner.frame(name=f"{number}")
        mirror.round()
    assert Transfer.objects.in_workspace(acme).count() <= 2
    assert not Audit.objects.in_workspace(acme).filter(action__startswith="import").exists()
    assert Frame.objects.in_workspace(acme).count() == 10
    mirror.close()


@pytest.mark.parametrize("seed", range(2))
def test_lost_answers_and_restarts_lose_and_double_nothing(acme, admin, carrier, owner, seed):
    """Exactly once, over a line that loses requests and answers and a command that is killed."""
    chance = random.Random(seed)
    carrier.lose = lambda method, path: chance.choice(["", "", "request", "answer"])
    frames = [row[0] for row in owner.db.execute("SELECT frame_id FROM frames")]
    for number in range(6):
        frames.append(owner.frame(parent_frame_id=chance.choice(frames), name=f"F{number}"))
        for _ in range(chance.randrange(4)):
            owner.event(chance.choice(frames))
        if number % 2:
            owner.close_frame(chance.choice(frames))
        owner.add("attention_log", query=chance.choice(["how", "why"]))
        owner.db.execute("UPDATE contexts SET access_count = access_count + 1")
        try:
            mirror = Mirror(
                carrier.server(admin, patience=chance.choice([1, 30])), owner.path, Wishes()
            )
        except Away:
            continue
        try:
            mirror.round()
        except Away:
            pass  # killed here, the next one begins with what was remembered
        finally:
            mirror.close()
    carrier.lose = lambda method, path: ""
    mirror = Mirror(carrier.server(admin), owner.path, Wishes())
    mirror.round()
    assert mirror.round().rows == 0
    mirror.close()
    verified(acme, owner)
    [number] = owner.db.execute("SELECT count(*) FROM events").fetchone()
    assert Event.objects.in_workspace(acme).count() == number
    [number] = owner.db.execute("SELECT count(*) FROM attention_log").fetchone()
    assert KeptRow.objects.in_workspace(acme).filter(table="attention_log").count() == number


@pytest.mark.parametrize("kind", ["A", "loose", "weird", "without rowid"])
def test_odd_stores_stay_in_step_too(acme, admin, carrier, tmp_path, kind):
    path = fuzzed(tmp_path / "context.db", SCHEMAS[kind], 1, rows=12)
    for seed in (2, 3):
        mirror = Mirror(carrier.server(admin), path, Wishes())
        mirror.round()
        mirror.close()
        db = sqlite3.connect(path)
        other = fuzzed(tmp_path / f"{seed}.db", SCHEMAS[kind], seed, rows=4)
        db.execute("ATTACH ? AS more", [str(other)])
        for table in ("frames", "events", "anchors", "contexts", "traces"):
            columns = [c for (c,) in db.execute("SELECT name FROM pragma_table_info(?)", [table])]
            names = ", ".join(name(column) for column in columns)
            db.execute(
                f"INSERT OR IGNORE INTO main.{table} ({names}) SELECT {names} FROM more.{table}"
            )
        db.commit()
        db.close()
    mirror = Mirror(carrier.server(admin), path, Wishes())
    mirror.round()
    mirror.close()
    report = verify_import(workspace=acme, path=path)
    assert report["status"] == "ok", report["differing"]


def test_it_waits_for_the_server_and_says_how_far_it_is_behind(
    acme, admin, carrier, owner, capsys, monkeypatch
):
    mirror = Mirror(carrier.server(admin, patience=0), owner.path, Wishes())
    looks = iter(range(100))

    def sleep(seconds: float) -> None:
        carrier.now += seconds
        look = next(looks)
        carrier.lose = lambda method, path: "request" if look < 3 else ""
        if look == 2:
            owner.frame(name="Meanwhile")
        if look == 9:
            raise KeyboardInterrupt

    carrier.lose = lambda method, path: "request"
    told: list[Any] = []
    with pytest.raises(KeyboardInterrupt):
        follow(mirror, interval=1, once=False, tell=told.append, sleep=sleep)
    assert [each.rows > 0 for each in told] == [True]
    assert told[0].lag > 5
    assert capsys.readouterr().err.count("Behind by") == 4
    mirror.close()
    verified(acme, owner)


def test_a_store_that_is_away_for_a_while_is_waited_for(
    acme, admin, carrier, owner, capsys, monkeypatch
):
    mirror = Mirror(carrier.server(admin), owner.path, Wishes())
    looks, folder = iter(range(9)), owner.path.parent
    away = folder.with_name("away")

    def sleep(seconds: float) -> None:
        carrier.now += seconds
        match next(looks):
            case 0:
                owner.frame(name="Just before")
                folder.rename(away)
            case 3:
                away.rename(folder)
            case 6:
                raise KeyboardInterrupt

    told: list[Any] = []
    with pytest.raises(KeyboardInterrupt):
        follow(mirror, interval=1, once=False, tell=told.append, sleep=sleep)
    assert "no context.db" in (err := capsys.readouterr().err) or "There is no" in err
    assert [each.rows > 0 for each in told] == [True, True]
    assert told[1].lag > 3
    mirror.close()
    verified(acme, owner)


def test_what_cannot_be_mirrored_is_said(acme, admin, agent, carrier, owner, monkeypatch):
    mirror = Mirror(carrier.server(admin), owner.path, Wishes())
    with pytest.raises(Problem, match="Another process"):
        Mirror(carrier.server(admin), owner.path, Wishes())
    mirror.round()
    owner.frame(name="New")
    run = upload.import_stackmemory

    def refuse(**_: Any) -> Any:
        raise BadStore("The disk is full.")

    monkeypatch.setattr(upload, "import_stackmemory", refuse)
    with pytest.raises(Problem, match="disk is full"):
        mirror.round()
    monkeypatch.setattr(upload, "import_stackmemory", run)
    assert mirror.round().whole, "what failed by itself is sent with all the rest"
    mirror.close()
    verified(acme, owner)
    weak = Mirror(carrier.server(agent), owner.path, Wishes())
    weak.memory.forget()
    with pytest.raises(Problem, match="scope admin"):
        follow(weak, interval=1, once=True, tell=print)
    weak.close()
