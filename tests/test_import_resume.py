"""Killed at any moment and run again, an import ends with exactly the rows of one clean run."""

import json
import random
import shutil
import sqlite3
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from frames.models import Event, Transfer
from frames.transfer import timeline, upload
from frames.transfer.errors import BadStore, Cancelled
from frames.transfer.importing import Options, import_stackmemory
from tests.databases import ROOT, OwnDatabase
from tests.stores import NOW, B, Store, js
from tests.test_import_odd_rows import assert_whole, bring

KILLS = 8
FRAMES, EVENTS, ORPHANS = 40, 4, 60
ALL_EVENTS = FRAMES * EVENTS + ORPHANS
DUMP = """
import json, django; django.setup()
from django.apps import apps
from stackmemory.lib.tenancy import workspace_scope
from frames.transfer.verifying import verify_import
from pathlib import Path
from workspaces.models import Workspace
import sys
def dump(w):
  told = {}
  for model in apps.get_app_config("frames").get_models():
      fields = {f.name for f in model._meta.concrete_fields}
      out = {"id", "workspace", "created_at", "beat_at", "started_at" if model.__name__ == "Transfer" else "",
             "finished_at", "root_id", "superseded_by", "created_by", "actor", "object_id", "user", "owner", "seen_at", "packed"}
      if model.__name__ == "Transfer":
          out |= {"tables", "report"}
      names = []
      for name in sorted(fields - out):
          field = model._meta.get_field(name)
          if model.__name__ == "PayloadUse" and name in ("event_id", "payload"):
              names += ["payload__digest"] * (name == "payload")
          elif not field.is_relation:
              names.append(name)
          elif field.related_model.__name__ == "Project":
              names.append(name + "__slug")
          elif field.related_model.__name__ == "Transfer":
              names.append(name + "__name")
          elif field.related_model._meta.app_label == "frames":
              names.append(name + "__source_id")
      rows = model.unscoped.filter(workspace=w).values_list(*names)
      told[model.__name__] = sorted(json.dumps(row, default=str) for row in rows)
  return told
said = []
for slug in sys.argv[2:]:
    w = Workspace.objects.get(slug=slug)
    with workspace_scope(w.id):
        said.append(dump(w))
        report = verify_import(workspace=w, path=Path(sys.argv[1]))
        assert report["status"] == "ok", report
print(json.dumps(said))
"""


@dataclass
class Processes:
    """Processes on a database of their own, and a store whose clean import is in it."""

    database: OwnDatabase
    folder: Path
    path: Path
    clean: dict

    def run(self, *arguments):
        return self.database.run(self.folder, *arguments)


@pytest.fixture(scope="module")
def processes(own_database, tmp_path_factory):
    folder = tmp_path_factory.mktemp("killed")
    database = own_database(folder)
    path = lively(folder / "context.db")
    clean = database.run(folder, "-m", "tests.killed_imports", str(path), "clean")
    yield Processes(database, folder, path, json.loads(clean))
    database.drop()


def lively(path):
    store = Store(path, B)
    store.ordinary(frames=FRAMES, events=EVENTS)
    for number in range(60):
        payload = js({"text": f"{number % 3} " * 40_000}) if number % 10 == 0 else "{}"
        store.event("gone", f"orphan-{number}", run_id=f"run-only-here-{number % 3}", seq=0,
                    payload=payload)  # fmt: skip
        store.add("retrieval_log", query_text="the same", strategy="x", results_count=1)
        store.context(f"learning_{number}", type="learning")
    store.frame("odd", name="", parent_frame_id="nowhere", created_at=5)
    line = '{"id":"tsk-%d","title":"T","timestamp":%d,"tags":[]}\n'
    store.beside("tasks.jsonl", "".join(line % (n % 20, NOW + n) for n in range(60)) + "{")
    return store.done()


@pytest.mark.xdist_group("killed imports")
def test_killed_anywhere_it_ends_like_a_clean_run(processes):
    path, clean = str(processes.path), processes.clean
    chance = random.Random(path)
    # Each run goes on from where the last one was killed; together they never come to the end.
    share = clean["statements"] // KILLS
    points = [chance.randrange(share // 2, share) for _ in range(KILLS)]
    points += [chance.randrange(1, 40) for _ in range(3)]
    killed = json.loads(
        processes.run("-m", "tests.killed_imports", path, "killed", *map(str, points))
    )
    for figure in ("rows", "adjusted", "other_tables"):
        assert killed[figure] == clean[figure]
    ours, theirs = json.loads(processes.run("-c", DUMP, path, "killed", "clean"))
    for model, rows in theirs.items():
        assert ours[model] == rows, model
    assert len(ours["Event"]) == ALL_EVENTS
    assert (len(ours["PayloadUse"]), len(ours["StoredPayload"])) == (6, 3)


@pytest.mark.xdist_group("killed imports")
def test_two_at_once_end_like_one(processes):
    command = [sys.executable, "manage.py", "import_stackmemory", str(processes.path),
               "--workspace", "twice", "--json"]  # fmt: skip
    environ = processes.database.environ(processes.folder)
    both = [
        subprocess.Popen(command, cwd=ROOT, env=environ, stdout=subprocess.PIPE) for _ in range(2)
    ]
    said = [json.loads(p.communicate()[0].splitlines()[-1]) for p in both]
    statuses = sorted(report["status"] for report in said)
    assert statuses in (["done", "done"], ["done", "error"]), said
    ours, theirs = json.loads(processes.run("-c", DUMP, str(processes.path), "twice", "clean"))
    for model in set(theirs) - {"Transfer", "TransferItem"}:
        assert ours[model] == theirs[model], model


class Stopped(Exception):
    pass


def stop_after(batches):
    """A progress callback that raises after so many batches."""
    left = [batches]

    def progress(run):
        left[0] -= 1
        if left[0] == 0:
            raise Stopped

    return progress


def test_second_process_takes_over_from_the_first(acme, tmp_path):
    path = lively(tmp_path / "context.db")
    seen = {}

    def rival(run):
        if not seen and run.tables["events"]["read"]:
            seen["report"] = import_stackmemory(workspace=acme, path=path, options=Options())

    with pytest.raises(BadStore, match="Another process"):
        import_stackmemory(workspace=acme, path=path, options=Options(), on_progress=rival)
    assert seen["report"]["rows"]["events"]["imported"] == ALL_EVENTS
    assert Transfer.objects.in_workspace(acme).get().state == Transfer.State.DONE
    assert_whole(acme, path)


def test_cancelled_import_stops_and_goes_on(acme, tmp_path, monkeypatch):
    path = lively(tmp_path / "context.db")
    batches = iter(range(3))

    def progress(run):
        if next(batches, None) == 1:
            assert upload.cancel(run.transfer)

    with pytest.raises(Cancelled):
        import_stackmemory(workspace=acme, path=path, options=Options(), on_progress=progress)
    assert Transfer.objects.in_workspace(acme).get().state == Transfer.State.CANCELLED
    report = bring(acme, path)
    assert report["rows"]["events"]["imported"] == ALL_EVENTS
    assert Transfer.objects.in_workspace(acme).count() == 1
    assert_whole(acme, path)


def test_failure_in_a_batch_is_told_and_resumed(acme, tmp_path, monkeypatch):
    path = lively(tmp_path / "context.db")
    with monkeypatch.context() as patch:
        patch.setattr(timeline, "append_events", lambda **_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            bring(acme, path)
    transfer = Transfer.objects.in_workspace(acme).get()
    assert (transfer.state, Event.objects.in_workspace(acme).count()) == ("failed", 0)
    assert "ZeroDivisionError" in transfer.error
    report = bring(acme, path)
    assert report["rows"]["events"]["imported"] == report["rows"]["events"]["read"] == ALL_EVENTS
    assert_whole(acme, path)


def test_changed_file_is_a_new_import(acme, tmp_path):
    path = lively(tmp_path / "context.db")
    with pytest.raises(Stopped):
        import_stackmemory(workspace=acme, path=path, options=Options(), on_progress=stop_after(3))
    copy = tmp_path / "copy.db"
    shutil.copy(path, copy)
    store = sqlite3.connect(path)
    store.execute("UPDATE frames SET name = name || '!'")
    store.commit()
    store.close()
    report = bring(acme, path)
    assert report["rows"]["frames"]["conflict"] > 0
    assert Transfer.objects.in_workspace(acme).count() == 2
    assert_whole(acme, path)
