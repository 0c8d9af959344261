"""The way back: a project as a local store, which comes back as it was and holds what was made here."""

from __future__ import annotations

import json
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import connection, transaction

from frames.accepting import EventIn
from frames.anchoring import add_anchor, supersede
from frames.appending import append_batch
from frames.calls import close_frame, open_session, start_frame
from frames.models import Anchor, Event, Frame, Project, Task
from frames.partitions import ensure, month_of
from frames.tasking import change_status, create_task
from frames.transfer.errors import BadStore, Cancelled
from frames.transfer.exporting import Wanted, export_stackmemory
from frames.transfer.importing import Options, import_stackmemory
from frames.transfer.local_schema import FULL_TEXT
from frames.transfer.verifying import verify_import
from stackmemory.lib.tenancy import workspace_scope
from stackmemory.lib.uuid7 import uuid7
from tests.stores import NOW, SCHEMAS, A, B, Store, fuzzed
from workspaces.actor import Actor
from workspaces.models import Audit, Membership, Workspace


def bring(workspace, path):
    import_stackmemory(workspace=workspace, path=path, options=Options(project="shop"))
    return verify_import(workspace=workspace, path=path)


def send(workspace, output: Path, **wanted):
    project = Project.objects.in_workspace(workspace).get()
    output.parent.mkdir(parents=True, exist_ok=True)
    return export_stackmemory(workspace=workspace, wanted=Wanted(project, **wanted), output=output)


def sums(report):
    return {name: table["source_checksum"] for name, table in report["tables"].items()}


def rows(path: Path, table: str):
    with closing(sqlite3.connect(path)) as db:
        db.row_factory = sqlite3.Row
        return [dict(row) for row in db.execute(f"SELECT * FROM {table}")]


@pytest.mark.parametrize(("schema", "generation"), [(A, "old"), (B, "new"), (B, "old")])
def test_an_imported_store_comes_back_as_it_was(acme, globex, tmp_path, schema, generation):
    store = Store(tmp_path / "a" / ".stackmemory" / "context.db", schema)
    ids = store.ordinary()
    store.frame("orphan", parent_frame_id="nowhere", depth=7, name="", created_at=NOW * 1000)
    store.event("nowhere", "bad", payload="{ not json", ts="no time", seq=1)
    store.anchor(ids[1], priority=99, metadata="[1]")
    line = '{"id":"tsk-9","title":"T","timestamp":5,"status":"pending","tags":["é"]}'
    store.beside("tasks.jsonl", f'{line}\r\nbroken\n{line.replace("T", "U")}\n{{"id":"tsk-')
    store.beside("session-decisions.json", '{"decisions": [{"id":"d-1","what":"W"}], "x": 1}')
    store.beside("handoff.md", "# Next")
    before = bring(acme, store.done())
    assert before["status"] == "ok"
    out = tmp_path / "b" / ".stackmemory" / "context.db"
    report = send(acme, out, generation=generation)
    assert report["beside"] == ["handoff.md", "session-decisions.json", "tasks.jsonl"]
    after = bring(globex, out)
    assert after["status"] == "ok"
    assert sums(after) == sums(before)


@pytest.mark.parametrize("generation", ["old", "new"])
def test_an_upgraded_store_comes_back_as_it_was(acme, globex, tmp_path, generation):
    """One that a newer tool has been at: a column more, a version, an index over its frames."""
    store = Store(tmp_path / "a.db", A)
    ids = store.ordinary()
    store.db.execute("ALTER TABLE frames ADD COLUMN retention_policy TEXT DEFAULT 'default'")
    store.db.execute(
        "UPDATE frames SET retention_policy = 'keep_forever' WHERE frame_id = ?", ids[2:3]
    )
    store.add("schema_version", version=2, applied_at=NOW)
    store.db.execute("COMMIT")
    store.db.executescript(FULL_TEXT)
    store.db.execute("BEGIN")
    before = bring(acme, store.done())
    out = tmp_path / "b" / "context.db"
    assert send(acme, out, generation=generation)["left_out"] == {}
    after = bring(globex, out)
    assert after["status"] == "ok"
    assert sums(after) == sums(before)


@pytest.mark.parametrize("schema", SCHEMAS)
def test_odd_rows_come_back_too(acme, globex, tmp_path, schema):
    """Values of any type in any column; what two rows of one id said is in the first one's place."""
    path = fuzzed(tmp_path / "a" / "context.db", SCHEMAS[schema], seed=7, rows=15)
    bring(acme, path)
    report = send(acme, tmp_path / "b" / "context.db")
    assert bring(globex, tmp_path / "b" / "context.db")["status"] == "ok"
    here = verify_import(workspace=acme, path=tmp_path / "b" / "context.db")
    assert not [row for row in here["differing"] if row["outcome"] == "differs"]
    assert report["rows"]["frames"]


def team(workspace, user):
    project = Project.unscoped.create(
        workspace=workspace, slug="shop", name="Shop", repo_url="https://git.example/Shop.git"
    )
    return Actor.of_member(Membership.unscoped.get(user=user)), project


def test_what_was_made_here_is_written_in_the_tools_manner(acme, globex, bob, tmp_path):
    actor, project = team(acme, bob)
    ensure([month_of(acme.created_at)])
    session, _ = open_session(actor=actor, project=project, client="claude-code")
    top, _ = start_frame(
        actor=actor, project=project, session=session, name="Build", constraints=["no cards"]
    )
    part, _ = start_frame(actor=actor, project=project, session=session, name="Part")
    for text in ("one", "two"):
        event = EventIn(frame=str(part.pk), type="user_message", payload={"t": text})
        append_batch(actor=actor, events=[event])
    old, _ = add_anchor(actor=actor, project=project, frame=part, text="Old", type="DECISION")
    new, _ = add_anchor(actor=actor, project=project, frame=part, text="New", type="DECISION",
                        priority=9, supersedes=old)  # fmt: skip
    add_anchor(actor=actor, project=project, text="Use it", type="DECISION", priority=8)
    add_anchor(actor=actor, project=project, text="Beware", type="RISK")
    first, _ = create_task(actor=actor, project=project, title="First", source_id="tsk-1")
    create_task(actor=actor, project=project, title="Then", depends_on=[str(first.pk)], frame=part)
    change_status(actor=actor, task=first, status="in_progress")
    close_frame(actor=actor, frame=part, result="done", outputs={"files": 2})

    path = tmp_path / "context.db"
    report = send(acme, path)
    assert report["left_out"] == {}
    frames = {row["name"]: row for row in rows(path, "frames")}
    assert frames["Part"]["parent_frame_id"] == frames["Build"]["frame_id"] == str(top.pk)
    assert frames["Build"]["project_id"] == "https---git-example-Shop".lower()
    assert json.loads(frames["Build"]["inputs"]) == {"constraints": ["no cards"]}
    assert (frames["Part"]["state"], frames["Part"]["run_id"]) == ("closed", str(session.pk))
    assert json.loads(frames["Part"]["outputs"]) == {"files": 2, "result": "done"}
    events = rows(path, "events")
    assert [(e["seq"], json.loads(e["payload"])["t"]) for e in events] == [(1, "one"), (2, "two")]
    assert {e["run_id"] for e in events} == {str(session.pk)}
    anchors = {row["text"]: row for row in rows(path, "anchors")}
    assert json.loads(anchors["Old"]["metadata"])["superseded_by"] == str(new.pk)
    assert anchors["Beware"]["frame_id"] == frames["Kept for the whole project"]["frame_id"]
    assert [(c["type"], c["content"], c["importance"]) for c in rows(path, "contexts")] == [
        ("decision", "Use it", 0.8)
    ]
    tasks = {row["title"]: row for row in rows(path, "task_cache")}
    assert (tasks["First"]["status"], tasks["First"]["frame_id"]) == ("in_progress", "cli")
    assert json.loads(tasks["Then"]["depends_on"]) == ["tsk-1"]

    assert bring(globex, path)["status"] == "ok"
    assert Event.objects.in_workspace(globex).count() == 2
    assert Anchor.objects.in_workspace(globex).count() == 4
    again = tmp_path / "again" / "context.db"
    send(globex, again)
    for table in ("frames", "events", "anchors", "contexts", "task_cache"):
        assert sorted(map(str, rows(again, table))) == sorted(map(str, rows(path, table)))


def test_changes_made_here_are_in_the_file(acme, bob, tmp_path):
    store = Store(tmp_path / "a" / "context.db", A)
    frame_id = store.frame(name="Work", outputs='{"odd" : 1}')
    store.anchor(frame_id, "a-1", text="Old", metadata="{ }")
    store.task("tsk-1", status="pending", timestamp=NOW)
    store.beside("tasks.jsonl", '{"id":"tsk-2","title":"T","status":"pending","timestamp":5}\n')
    bring(acme, store.done())
    actor = Actor.of_member(Membership.unscoped.get(user=bob))
    close_frame(actor=actor, frame=Frame.unscoped.get(), outputs={"new": True})
    old = Anchor.unscoped.get()
    new, _ = add_anchor(actor=actor, project=old.project, frame=old.frame, text="New")
    supersede(actor=actor, old=old, new=new)
    for task in Task.unscoped.all():
        change_status(actor=actor, task=task, status="cancelled")
    path = tmp_path / "b" / "context.db"
    send(acme, path, generation="old")
    (frame,) = rows(path, "frames")
    assert frame["state"] == "closed"
    assert json.loads(frame["outputs"]) == {"odd": 1, "new": True}
    assert "retention_policy" not in frame
    assert json.loads(rows(path, "anchors")[0]["metadata"])["superseded_by"] == str(new.pk)
    assert [row["status"] for row in rows(path, "task_cache")] == ["cancelled"]
    lines = path.with_name("tasks.jsonl").read_text().splitlines()
    assert [json.loads(line)["status"] for line in lines] == ["pending", "cancelled"]


def test_private_frames_stay_with_their_owner(acme, bob, viola, tmp_path):
    """A team frame below a private one becomes a root."""
    actor, project = team(acme, bob)
    private, _ = start_frame(actor=actor, project=project, name="Mine", visibility="private")
    shown, _ = start_frame(actor=actor, project=project, name="Shown", parent=private)
    below, _ = start_frame(actor=actor, project=project, name="Below", parent=shown)
    Frame.unscoped.filter(pk__in=[shown.pk, below.pk]).update(visibility="team")
    add_anchor(actor=actor, project=project, frame=private, text="Secret")
    create_task(actor=actor, project=project, frame=private, title="Secret")
    found = {}
    for name, wanted in {
        "nobody": {}, "viola": {"user": viola}, "bob": {"user": bob}, "all": {"with_private": True},
    }.items():  # fmt: skip
        path = tmp_path / name / "context.db"
        report = send(acme, path, **wanted)
        found[name] = {f["name"]: (f["depth"], f["parent_frame_id"]) for f in rows(path, "frames")}
        secret = rows(path, "anchors") + (rows(path, "task_cache") if len(found[name]) == 3 else [])
        assert len(secret) == (2 if len(found[name]) == 3 else 0)
        assert report["left_out"] == ({"private frames of others": 1} if not secret else {})
    assert found["nobody"] == found["viola"] == {"Shown": (0, None), "Below": (1, str(shown.pk))}
    assert found["bob"] == found["all"]
    assert found["bob"]["Shown"] == (1, str(private.pk))
    assert Audit.objects.in_workspace(acme).filter(action="export").count() == 4


def test_nothing_is_left_of_an_export_that_could_not_be_finished(acme, bob, tmp_path):
    actor, project = team(acme, bob)
    start_frame(actor=actor, project=project, name="Work")

    def stop(done, total):
        raise Cancelled

    path = tmp_path / "context.db"
    with pytest.raises(Cancelled):
        export_stackmemory(workspace=acme, wanted=Wanted(project), output=path, on_progress=stop)
    assert list(tmp_path.iterdir()) == []
    path.write_text("mine")
    with pytest.raises(BadStore, match="there already"):
        send(acme, path)
    assert path.read_text() == "mine"


def test_the_command(acme, bob, tmp_path, capsys, as_application):
    actor, project = team(acme, bob)
    start_frame(actor=actor, project=project, name="Work")
    path = tmp_path / "context.db"
    options = {"workspace": "acme", "project": "shop", "output": path}
    with as_application():
        call_command("export_stackmemory", **options, json=True)
        said = json.loads(capsys.readouterr().out.splitlines()[-1])
        assert (said["status"], said["rows"]["frames"]) == ("done", 1)
        for wrong in (options, options | {"project": "web"}, options | {"workspace": "no"},
                      options | {"output": tmp_path / "no" / "context.db"}):  # fmt: skip
            with pytest.raises(SystemExit) as refused:
                call_command("export_stackmemory", **wrong)
            assert refused.value.code == 2
            assert capsys.readouterr().err.strip()


@pytest.mark.postgresql_only
@pytest.mark.django_db(transaction=True)
def test_it_is_of_one_moment(tmp_path):
    """What agents write while it is made is not in it: no row of it names one that is not."""
    with transaction.atomic():
        acme = Workspace.objects.create(slug="acme", name="Acme")
        store = Store(tmp_path / "a.db", A)
        ids = store.ordinary()
        import_stackmemory(workspace=acme, path=store.done(), options=Options(project="shop"))
    first = Frame.objects.in_workspace(acme).get(source_id=ids[0])
    written = []

    def write() -> None:
        with workspace_scope(acme.pk):
            Anchor.unscoped.create(workspace=acme, project_id=first.project_id, text="Late")
            events = Event.objects.in_workspace(acme).filter(frame=first)
            row = events.latest("seq")
            row.pk, row.seq, row.source_id = uuid7(), row.seq + 1, "late"
            row.save(force_insert=True)
        written.append(row.pk)
        connection.close()

    def meanwhile(done, total):
        if not written:
            with ThreadPoolExecutor(1) as beside:
                beside.submit(write).result()

    path = tmp_path / "out.db"
    project = Project.objects.in_workspace(acme).get()
    export_stackmemory(workspace=acme, wanted=Wanted(project), output=path, on_progress=meanwhile)
    assert written
    assert "late" not in {row["event_id"] for row in rows(path, "events")}
    assert "Late" not in {row["text"] for row in rows(path, "anchors")}
