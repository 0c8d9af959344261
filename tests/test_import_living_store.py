"""A store that went on living: what is new, what is newer, and what is in conflict."""

import shutil
import sqlite3

import pytest

from frames.models import Anchor, Event, Frame, KeptRow, Project, Revision, Task, TransferItem
from frames.transfer.errors import BadStore
from frames.transfer.verifying import verify_import
from tests.stores import NOW, A, B, Store, js
from tests.test_import_odd_rows import assert_whole, bring

QUIET = {"updated": 0, "conflict": 0, "set_aside": 0}


def change(path, *statements):
    db = sqlite3.connect(path)
    for statement in statements:
        db.execute(statement)
    db.commit()
    db.close()


def counts(report, table):
    return {k: v for k, v in report["rows"][table].items() if v and k != "read"}


def conflicts(workspace):
    items = TransferItem.objects.in_workspace(workspace).filter(category="conflict")
    return sorted(items.values_list("table", "source_id", "reason"))


@pytest.fixture
def path(tmp_path):
    store = Store(tmp_path / "context.db", A)
    root = store.frame("f-1", name="Root")
    child = store.frame("f-2", name="Child", parent_frame_id=root, depth=1)
    for number in range(3):
        store.event(root, f"e-{number}")
        store.event(child, f"e-1{number}")
    store.anchor(root, "a-1")
    store.context("decision_1")
    store.task("tsk-1")
    return store.done()


def test_new_rows_are_imported_and_the_rest_exists(acme, path):
    bring(acme, path)
    change(
        path,
        "INSERT INTO events SELECT 'e-new', run_id, frame_id, 99, event_type, payload, ts"
        " FROM events WHERE event_id = 'e-1'",
        "INSERT INTO frames SELECT 'f-3', 'run-9', project_id, 'f-2', 2, type, 'New', state,"
        " inputs, outputs, NULL, '{}', created_at, NULL FROM frames WHERE frame_id = 'f-1'",
    )
    report = bring(acme, path)
    assert counts(report, "events") == {"imported": 1, "existing": 6}
    assert counts(report, "frames") == {"imported": 1, "existing": 2}
    root = Frame.objects.in_workspace(acme).get(source_id="f-1")
    assert (root.event_count, root.child_count) == (4, 1)
    new = Frame.objects.in_workspace(acme).get(source_id="f-3")
    assert (new.depth, new.root_id, new.session.source_id) == (2, root.id, "run-9")
    assert new.session.client == "StackMemory"
    assert_whole(acme, path)


def test_closed_and_digested_frame_is_updated(acme, path):
    bring(acme, path)
    store = sqlite3.connect(path, isolation_level=None)
    Store.close_frame(type("S", (), {"db": store})(), "f-2", outputs={"result": "ok"})
    store.close()
    report = bring(acme, path)
    assert counts(report, "frames") == {"updated": 1, "existing": 1}
    frame = Frame.objects.in_workspace(acme).get(source_id="f-2")
    assert (frame.state, int(frame.closed_at.timestamp())) == ("closed", NOW + 100)
    assert frame.parent.source_id == "f-1"
    assert Revision.objects.in_workspace(acme).get().data["state"] == "active"
    assert_whole(acme, path)
    assert counts(bring(acme, path), "frames") == {"existing": 2}


def test_older_copy_of_the_store_takes_nothing_back(acme, path, tmp_path):
    old = tmp_path / "old" / "context.db"
    old.parent.mkdir()
    shutil.copy(path, old)
    change(path, f"UPDATE frames SET state = 'closed', closed_at = {NOW + 9}")
    bring(acme, path)
    report = bring(acme, old)
    assert counts(report, "frames") == {"conflict": 2}
    states = Frame.objects.in_workspace(acme).values_list("state", flat=True)
    assert set(states) == {"closed"}
    assert verify_import(workspace=acme, path=old)["tables"]["frames"]["conflict"] == 2
    assert_whole(acme, path)


@pytest.mark.parametrize(
    ("table", "statement"),
    [
        ("frames", "UPDATE frames SET name = 'Other' WHERE frame_id = 'f-1'"),
        ("events", "UPDATE events SET payload = '{}' WHERE event_id = 'e-1'"),
        ("events", "UPDATE events SET ts = ts + 1000 WHERE event_id = 'e-1'"),
        ("events", "UPDATE events SET seq = 77 WHERE event_id = 'e-1'"),
        ("events", "UPDATE events SET frame_id = 'f-2' WHERE event_id = 'e-1'"),
        ("anchors", "UPDATE anchors SET text = 'Other' WHERE anchor_id = 'a-1'"),
        ("anchors", "UPDATE anchors SET frame_id = 'f-2' WHERE anchor_id = 'a-1'"),
        ("contexts", "UPDATE contexts SET content = 'Other' WHERE id = 'decision_1'"),
        ("tasks", "UPDATE task_cache SET title = 'Other' WHERE id = 'tsk-1'"),
    ],
)
def test_same_id_with_other_content_is_a_conflict(acme, path, table, statement):
    bring(acme, path)
    change(path, statement)
    report = bring(acme, path)
    assert report["rows"][table]["conflict"] == 1
    assert report["rows"][table]["imported"] == report["rows"][table]["updated"] == 0
    assert [row[0] for row in conflicts(acme)] == [table]
    checked = verify_import(workspace=acme, path=path)
    assert (checked["status"], checked["tables"][table]["conflict"]) == ("ok", 1)
    assert bring(acme, path)["rows"][table]["conflict"] == 1


def test_used_context_and_finished_task_are_updated(acme, path):
    bring(acme, path)
    change(
        path,
        f"UPDATE contexts SET last_accessed = {NOW + 50}, access_count = 7",
        f"UPDATE task_cache SET status = 'completed', completed_at = {NOW + 60},"
        f" timestamp = {NOW + 60}",
    )
    report = bring(acme, path)
    assert counts(report, "contexts") == {"updated": 1}
    assert counts(report, "tasks") == {"updated": 1}
    assert Task.objects.in_workspace(acme).get().status == "completed"
    assert Anchor.objects.in_workspace(acme).get(origin="context").metadata["access_count"] == 7
    assert_whole(acme, path)


def test_what_was_edited_here_is_never_overwritten(acme, path):
    bring(acme, path)
    frame = Frame.objects.in_workspace(acme).get(source_id="f-2")
    task = Task.objects.in_workspace(acme).get()
    for row in (frame, task):
        Revision.unscoped.create(
            workspace=acme, kind=row._meta.model_name, object_id=row.id, cause="person",
            data={"name": frame.name} if row is frame else {"title": task.title},
        )  # fmt: skip
    Frame.objects.in_workspace(acme).filter(pk=frame.pk).update(name="Ours")
    Task.objects.in_workspace(acme).filter(pk=task.pk).update(title="Ours")
    change(
        path,
        f"UPDATE frames SET state = 'closed', closed_at = {NOW + 9} WHERE frame_id = 'f-2'",
        f"UPDATE task_cache SET status = 'completed', timestamp = {NOW + 60}",
    )
    report = bring(acme, path)
    assert counts(report, "frames") == {"conflict": 1, "existing": 1}
    assert counts(report, "tasks") == {"conflict": 1}
    assert conflicts(acme) == [
        ("frames", "f-2", "edited_here"), ("tasks", "tsk-1", "edited_here"),
    ]  # fmt: skip
    frame.refresh_from_db()
    assert (frame.name, frame.state) == ("Ours", "active")
    assert verify_import(workspace=acme, path=path)["status"] == "ok"


def test_upgrade_of_a_store_changes_nothing(acme, path):
    bring(acme, path)
    change(path, "ALTER TABLE frames ADD COLUMN retention_policy TEXT DEFAULT 'default'")
    report = bring(acme, path)
    assert counts(report, "frames") == {"existing": 2}
    assert_whole(acme, path)


def test_log_that_went_on_updates_its_task(acme, tmp_path):
    store = Store(tmp_path / "context.db", B)
    store.frame()
    path = store.done()
    lines = path.with_name("tasks.jsonl")
    first = {"id": "tsk-1", "title": "One", "status": "pending", "timestamp": NOW, "tags": ["a"]}
    lines.write_text(js(first) + "\n" + js(first | {"id": "tsk-2"})[:-5])
    report = bring(acme, path)
    assert counts(report, "tasks") == {"imported": 1}
    assert counts(report, "other") == {"imported": 1, "set_aside": 1}
    assert_whole(acme, path)
    lines.write_text(
        js(first) + "\n" + js(first | {"id": "tsk-2"}) + "\n"
        + js(first | {"status": "completed", "timestamp": NOW + 5})
    )  # fmt: skip
    report = bring(acme, path)
    assert counts(report, "tasks") == {"imported": 1, "updated": 1}
    assert Task.objects.in_workspace(acme).get(source_id="tsk-1").status == "completed"
    assert_whole(acme, path)


def test_placeholder_is_filled_when_its_frame_comes(acme, tmp_path):
    store = Store(tmp_path / "one" / "context.db", A)
    store.event("late", "e-1", run_id=None)
    store.event(None, "e-2")
    store.anchor("late", "a-1")
    first = store.done()
    report = bring(acme, first)
    assert report["adjusted"]["missing_frame"] == 3
    assert bring(acme, first)["rows"]["events"]["existing"] == 2
    assert_whole(acme, first)
    store = Store(tmp_path / "two" / "context.db", A)
    store.frame("late", name="Here now")
    second = store.done()
    assert counts(bring(acme, second), "frames") == {"imported": 1}
    frame = Frame.objects.in_workspace(acme).get(source_id="late")
    assert (frame.name, frame.event_count, frame.metadata) == ("Here now", 1, {})
    assert_whole(acme, first)
    assert_whole(acme, second)


def test_two_repositories_that_use_one_id_keep_both(acme, tmp_path):
    paths = []
    for number, repository in enumerate(("alpha", "beta")):
        store = Store(tmp_path / repository / ".stackmemory" / "context.db", A)
        store.frame(project_id=f"project-{repository}")
        later = NOW + number * 100
        store.context("decision_1", content=f"In {repository}", last_accessed=later)
        store.context("readme_1", type="readme", content=repository)
        store.task("tsk-1", title=repository, timestamp=later)
        paths.append(store.done())
    bring(acme, paths[0])
    report = bring(acme, paths[1])
    assert counts(report, "tasks") == {"conflict": 1}
    assert counts(report, "contexts") == {"imported": 1, "conflict": 1}
    assert Task.objects.in_workspace(acme).get().title == "alpha"
    assert KeptRow.objects.in_workspace(acme).filter(source_id="readme_1").count() == 2
    assert_whole(acme, paths[0])
    assert_whole(acme, paths[1])


def test_project_ids_are_merged_or_kept(acme, globex, path):
    change(path, "UPDATE frames SET project_id = 'other' WHERE frame_id = 'f-2'")
    bring(acme, path, project="mine")
    project = Project.objects.in_workspace(acme).get()
    assert (project.slug, project.aliases) == ("mine", ["default", "other"])
    old_ids = Frame.objects.in_workspace(acme).values_list("source_project", flat=True)
    assert set(old_ids) == {"default", "other"}
    bring(globex, path, keep_project_ids=True)
    bring(globex, path, keep_project_ids=True)
    slugs = Project.objects.in_workspace(globex).values_list("slug", flat=True)
    assert set(slugs) == {"default", "other"}
    assert Frame.objects.in_workspace(globex).get(source_id="f-2").project.slug == "other"
    # An id that is known as one of a project's is that project again.
    change(path, "UPDATE frames SET frame_id = 'f-9' WHERE frame_id = 'f-2'")
    bring(acme, path, keep_project_ids=True)
    assert Frame.objects.in_workspace(acme).get(source_id="f-9").project.slug == "mine"
    assert Event.objects.in_workspace(acme).count() == Event.objects.in_workspace(globex).count()


def test_ids_that_look_alike_stay_projects_of_their_own(acme, tmp_path):
    store = Store(tmp_path / "context.db", A)
    for number, project in enumerate(("App", "app", "a/pp", "项目", "項目")):
        store.frame(f"f-{number}", project_id=project)
    bring(acme, store.done(), keep_project_ids=True)
    assert Project.objects.in_workspace(acme).count() == 5


def test_no_slug_is_refused(acme, path):
    with pytest.raises(BadStore, match="no project slug"):
        bring(acme, path, project="Not a slug")
