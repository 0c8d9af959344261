"""The check fails when a store, or what was made of it, is not what was imported."""

import random
import sqlite3

import pytest

from frames.models import (
    Anchor,
    Event,
    Frame,
    KeptRow,
    Revision,
    Task,
    TransferItem,
)
from frames.transfer.verifying import verify_import
from tests.stores import NOW, SCHEMAS, A, B, Store, name
from tests.test_import_odd_rows import assert_whole, bring

TABLES = ("frames", "events", "anchors", "contexts", "traces", "tool_calls", "task_cache",
          "attention_log", "retrieval_log")  # fmt: skip

LINE = (
    '{"id":"tsk-9","title":"T","timestamp":5,"status":"pending","priority":"low","description":"",'
    '"assignee":null,"tags":[],"depends_on":[],"blocks":[],"external_refs":{},"created_at":1,'
    '"completed_at":null,"estimated_effort":null,"actual_effort":30}'
)


def odd(path, schema=B):
    """A store with ordinary rows and some of each kind that is kept beside."""
    store = Store(path, schema)
    ids = store.ordinary(frames=3, events=3)
    store.frame("orphan", parent_frame_id="nowhere", depth=7, name="", created_at=NOW * 1000)
    store.event("nowhere", "bad-event", payload="{", ts="no time", seq=1)
    store.event(ids[0], "sec", ts=NOW, run_id="another run")
    store.anchor(ids[1], priority=99, metadata="[1]")
    store.add("events", event_id=None, frame_id=ids[0], run_id="r", seq=1, event_type="x",
              payload="{}", ts=NOW)  # fmt: skip
    store.beside("tasks.jsonl", LINE + '\n{"id":"tsk-')
    store.beside(
        "session-decisions.json", '{"decisions":[{"id":"d-1","what":"W","why":"Y"}],"x":1}'
    )
    return store.done()


def names(report):
    return {(row["table"], row["id"]) for row in report["differing"]}


@pytest.mark.parametrize("table", TABLES)
def test_changed_source_rows_are_named(acme, tmp_path, table):
    """Column after column, as many at once as there are rows: each row changed in another one."""
    path = odd(tmp_path / "context.db")
    bring(acme, path)
    assert_whole(acme, path)
    kind = {"task_cache": "tasks"}.get(table, table)
    db = sqlite3.connect(path)
    columns = [c for (c,) in db.execute("SELECT name FROM pragma_table_info(?)", [table])]
    rowids = [r for (r,) in db.execute(f"SELECT rowid FROM {name(table)}")]
    for start in range(0, len(columns), len(rowids)):
        together = dict(zip(rowids, columns[start : start + len(rowids)], strict=False))
        before = {rowid: changed(db, table, rowid, column) for rowid, column in together.items()}
        report = verify_import(workspace=acme, path=path)
        assert report["status"] == "differs", together
        named = [row for row in report["differing"] if row["table"] == kind]
        assert len(named) >= len(together), (together, named)
        checks = report["tables"][kind if kind in report["tables"] else "other"]
        assert checks["source_checksum"] != checks["workspace_checksum"]
        for rowid, (now, old) in before.items():
            sql = f"UPDATE {name(table)} SET {name(together[rowid])} = ? WHERE rowid = ?"
            db.execute(sql, [old, now])
        db.commit()
    db.close()
    assert_whole(acme, path)


def changed(db, table, rowid, column):
    """Change one value; returns the row's rowid from then on, and what it was."""
    where = f"WHERE rowid = {rowid}"
    (old,) = db.execute(f"SELECT {name(column)} FROM {name(table)} {where}").fetchone()
    new = 12345 + rowid if column == "id" and isinstance(old, int) else f"{old} changed"
    db.execute(f"UPDATE {name(table)} SET {name(column)} = ? {where}", [new])
    db.commit()
    return new if isinstance(new, int) else rowid, old


@pytest.mark.parametrize("table", TABLES)
def test_added_source_row_is_missed(acme, tmp_path, table):
    path = odd(tmp_path / "context.db")
    bring(acme, path)
    db = sqlite3.connect(path)
    cursor = db.execute(f"SELECT * FROM {name(table)} LIMIT 1")
    columns = [column[0] for column in cursor.description]
    row = dict(zip(columns, cursor.fetchone(), strict=True))
    key = next((c for c in ("frame_id", "id") if c == columns[0]), columns[0])
    if table != "retrieval_log":
        row[key] = 777 if isinstance(row[key], int) else "fresh"
    marks = ", ".join("?" * len(row))
    db.execute(f"INSERT INTO {name(table)} VALUES ({marks})", list(row.values()))
    db.commit()
    db.close()
    report = verify_import(workspace=acme, path=path)
    assert report["status"] == "differs"
    assert {row["outcome"] for row in report["differing"]} == {"missing"}


def test_changed_files_beside_are_noticed(acme, tmp_path):
    path = odd(tmp_path / "context.db")
    bring(acme, path)
    lines = path.with_name("tasks.jsonl")
    before = lines.read_text()
    for text in (before.replace('"T"', '"U"'), before + "\n{}", before + "x"):
        lines.write_text(text)
        assert verify_import(workspace=acme, path=path)["status"] == "differs", text
    lines.write_text(before)
    decisions = path.with_name("session-decisions.json")
    before = decisions.read_text()
    for text in (before.replace("W", "V"), before.replace('"x":1', '"x":2'), "{"):
        decisions.write_text(text)
        assert verify_import(workspace=acme, path=path)["status"] == "differs", text


ALTERED = {
    Frame: {
        "name": "other", "type": "other", "state": "other", "depth": 3, "digest_text": "other",
        "source_id": "other", "source_project": "other", "started_at": "2020-01-01T00:00:00Z",
        "closed_at": "2020-01-01T00:00:00Z", "inputs": {"a": 1}, "outputs": {"a": 1},
        "digest": {"a": 1}, "retention": "other", "parent": None, "session": None,
    },
    Event: {
        "type": "other", "payload": '{"a":1}', "seq": 99, "source_id": "other",
        "occurred_at": "2020-01-01T00:00:00Z", "session": None, "source": {"raw": {"ts": 5}},
    },
    Anchor: {
        "type": "OTHER", "text": "other", "priority": 3, "metadata": {"a": 1}, "frame": None,
        "source_id": "other", "noted_at": "2020-01-01T00:00:00Z", "source_project": "other",
    },
    Task: {
        "title": "other", "status": "other", "priority": "other", "description": "other",
        "tags": ["other"], "source_id": "other", "opened_at": "2020-01-01T00:00:00Z",
        "completed_at": "2020-01-01T00:00:00Z", "estimated_minutes": 7.0, "assignee": "other",
        "depends_on": ["other"], "blocks": ["x"], "external": {"a": 1}, "actual_minutes": 1.0,
    },
    KeptRow: {"content": {"a": 1}, "source_id": "other", "table": "other"},
    TransferItem: {"content": {"a": 1}, "source_id": "other", "table": "other"},
}  # fmt: skip


@pytest.mark.parametrize("model", ALTERED)
def test_rows_altered_in_the_database_are_named(acme, tmp_path, model):
    path = odd(tmp_path / "context.db")
    bring(acme, path)
    query = model.objects.in_workspace(acme)
    if model is TransferItem:
        query = query.filter(category="set_aside")
    if model is Frame:
        query = query.exclude(source_id="nowhere")  # stands in for a frame the store lacks
    if model is Anchor:
        query = query.filter(origin="anchor")  # the others have fewer columns of their own
    everything = list(query.order_by("id"))
    for column, value in ALTERED[model].items():
        rows = [row for row in everything if getattr(row, column) != value]
        if column in ("parent", "session", "frame"):
            rows = [row for row in rows if getattr(row, f"{column}_id")]
        chance = random.Random(column)
        for row in chance.sample(rows, min(1, len(rows))):
            old = getattr(row, column)
            query.filter(pk=row.pk).update(**{column: value})
            report = verify_import(workspace=acme, path=path)
            assert report["status"] == "differs", (column, row)
            model.unscoped.filter(pk=row.pk).update(**{column: old})
    assert_whole(acme, path)


@pytest.mark.parametrize("model", [Event, Anchor, Task, KeptRow, TransferItem])
def test_rows_deleted_from_the_database_are_named(acme, tmp_path, model):
    path = odd(tmp_path / "context.db")
    bring(acme, path)
    query = model.objects.in_workspace(acme)
    if model is TransferItem:
        query = query.filter(category="set_aside")
    query.order_by("?").first().delete()
    report = verify_import(workspace=acme, path=path)
    assert report["status"] == "differs"
    assert report["differing"][0]["outcome"] in ("missing", "differs")


def test_event_moved_to_another_frame_is_named(acme, tmp_path):
    path = odd(tmp_path / "context.db")
    bring(acme, path)
    frames = Frame.objects.in_workspace(acme).order_by("id")
    event = Event.objects.in_workspace(acme).order_by("id").first()
    other = frames.exclude(pk=event.frame_id).first()
    Event.objects.in_workspace(acme).filter(pk=event.pk).update(frame=other)
    assert ("events", event.source_id) in names(verify_import(workspace=acme, path=path))


def test_what_people_changed_is_no_failure(acme, alice, tmp_path):
    path = odd(tmp_path / "context.db")
    bring(acme, path)
    changes = [
        (Frame, {"name": "renamed", "state": "closed", "closed_at": None}),
        (Anchor, {"text": "reworded", "priority": 9}),
        (Task, {"status": "completed", "title": "Done"}),
    ]
    for model, changed in changes:
        rows = model.objects.in_workspace(acme).order_by("id")
        row = (rows.filter(origin="anchor") if model is Anchor else rows).last()
        old = {c: getattr(row, c) for c in changed}
        data = {c: v.isoformat() if hasattr(v, "isoformat") else v for c, v in old.items()}
        Revision.unscoped.create(
            workspace=acme, kind=model._meta.model_name, object_id=row.pk,
            cause="person", actor=alice, data=data | {"no_such_field": 1},
        )  # fmt: skip
        model.objects.in_workspace(acme).filter(pk=row.pk).update(**changed)
    report = verify_import(workspace=acme, path=path)
    assert report["status"] == "ok", report["differing"]
    changed = {t: v["changed"] for t, v in report["tables"].items() if v["changed"]}
    assert changed == {"frames": 1, "anchors": 1, "tasks": 1}


def test_another_workspace_has_nothing_of_it(acme, globex, tmp_path):
    path = odd(tmp_path / "context.db")
    bring(acme, path)
    report = verify_import(workspace=globex, path=path)
    assert report["status"] == "differs"
    assert sum(v["same"] for v in report["tables"].values()) == 0


def test_long_list_of_differing_rows_is_cut_and_counted(acme, tmp_path):
    store = Store(tmp_path / "context.db", A)
    frame = store.frame()
    for _ in range(150):
        store.event(frame)
    path = store.done()
    report = verify_import(workspace=acme, path=path)
    assert report["tables"]["events"]["missing"] == 150
    assert len([row for row in report["differing"] if row["table"] == "events"]) == 100


@pytest.mark.parametrize("schema", SCHEMAS)
def test_every_schema_verifies(acme, tmp_path, schema):
    store = Store(tmp_path / "context.db", SCHEMAS[schema])
    if "attention_log" in SCHEMAS[schema]:
        store.ordinary()
    else:
        frame = store.frame()
        store.event(frame)
        store.anchor(frame)
    path = store.done()
    bring(acme, path)
    assert_whole(acme, path)
