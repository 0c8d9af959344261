"""What cannot be imported is refused in one clear sentence, with exit code 2."""

import hashlib
import io
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import OperationalError

from frames.models import Frame, Transfer
from frames.transfer import snapshot, timeline
from tests.stores import A, Store
from tests.test_import_odd_rows import assert_whole, bring

COMMANDS = ("import_stackmemory", "verify_import")


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path / "repo" / ".stackmemory" / "context.db", A)
    store.ordinary()
    return store.done()


@pytest.fixture
def quickly(monkeypatch):
    monkeypatch.setattr(snapshot, "BUSY_SECONDS", 0.2)


def refused(path, *words, workspace="acme", command="import_stackmemory", **options):
    """The sentence said, once on its own and once as the last line of --json."""
    said, told = io.StringIO(), io.StringIO()
    with pytest.raises(SystemExit) as stop:
        call_command(
            command, str(path), workspace=workspace, json=True, stdout=told, stderr=said, **options
        )
    assert stop.value.code == 2
    sentence = said.getvalue().strip()
    assert json.loads(told.getvalue().strip().splitlines()[-1]) == {
        "status": "error", "error": sentence,
    }  # fmt: skip
    assert "\n" not in sentence
    assert "Traceback" not in sentence
    for word in words:
        assert word in sentence, sentence
    return sentence


def fingerprints(folder):
    return {
        str(p.relative_to(folder)): (hashlib.sha256(p.read_bytes()).hexdigest(), p.stat().st_mtime)
        for p in sorted(folder.rglob("*"))
        if p.is_file()
    }


@pytest.mark.parametrize("command", COMMANDS)
def test_files_that_are_no_store(acme, tmp_path, command):
    def file(name, content):
        (tmp_path / name).write_bytes(content)
        return tmp_path / name

    def database(name, *statements):
        db = sqlite3.connect(tmp_path / name)
        for statement in statements:
            db.execute(statement)
        db.commit()
        db.close()
        return tmp_path / name

    (tmp_path / "folder").mkdir()
    cases = [
        (tmp_path / "nowhere", "There is no"),
        (tmp_path / "folder", "no context.db"),
        (Path("/dev/null"), "neither a file nor a folder"),
        (file("empty", b""), "0 bytes"),
        (file("text.db", b"hello" * 100), "not an SQLite database"),
        (file("encrypted.db", os.urandom(8192)), "encrypted"),
        (file("header.db", b"SQLite format 3\x00" + b"\x00" * 10), "truncated"),
        (database("other.db", "CREATE TABLE bookmarks (a)"), "bookmarks"),
        (database("bare.db", "PRAGMA user_version = 1"), "no tables"),
        (database("foreign.db", "CREATE TABLE frames (a, b)"), "without the column"),
        (
            database("newer.db", f"CREATE TABLE frames ({A['frames']})",
                     "CREATE TABLE schema_version (version)",
                     "INSERT INTO schema_version VALUES (3)"),
            "newer StackMemory",
        ),
        (database("hollow.db", f"CREATE TABLE frames ({A['frames']})"), "empty store"),
    ]  # fmt: skip
    for path, words in cases:
        refused(path, words, command=command)
    assert not Frame.objects.in_workspace(acme).exists()
    assert not Transfer.objects.in_workspace(acme).exists()


@pytest.mark.parametrize("cut", [0.3, 0.6, 0.97])
def test_truncated_store(acme, tmp_path, store, cut):
    whole = store.read_bytes()
    store.write_bytes(whole[: int(len(whole) * cut)])
    refused(store, "truncated", ".recover")


def test_damaged_store(acme, store):
    whole = bytearray(store.read_bytes())
    for page in range(1, len(whole) // 4096):
        whole[page * 4096 : page * 4096 + 100] = os.urandom(100)
    store.write_bytes(whole)
    refused(store, "damaged")


def test_workspace_and_project_that_are_none(acme, store):
    refused(store, "no workspace “nobody”", "create_workspace", workspace="nobody")
    refused(store, "no project slug", project="Not A Slug")


def test_bare_file_whose_rows_are_in_the_missing_wal(acme, tmp_path):
    store = Store(tmp_path / "a" / "context.db", A, wal=True)
    store.ordinary()
    store.db.execute("COMMIT")
    (tmp_path / "b").mkdir()
    bare = shutil.copy(store.path, tmp_path / "b" / "context.db")
    refused(bare, "context.db-wal", "not beside it")
    shutil.copy(f"{store.path}-wal", f"{bare}-wal")
    before = fingerprints(tmp_path / "b")
    bring(acme, tmp_path / "b" / "context.db")
    assert fingerprints(tmp_path / "b") == before
    store.db.close()


@pytest.mark.parametrize("alive", [True, False])
def test_wal_of_an_owner_alive_or_dead_is_left_as_it_was(acme, tmp_path, alive):
    store = Store(tmp_path / "context.db", A, wal=True)
    store.frame("f")
    path = store.done()
    owner = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "c.execute(\"UPDATE frames SET name = 'only in the WAL'\")\n"
        "print('written', flush=True); sys.stdin.read()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", owner, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    process.stdout.readline()
    if not alive:
        process.kill()
        process.wait()
    before = fingerprints(tmp_path)
    assert set(before) == {"context.db", "context.db-wal", "context.db-shm"}
    bring(acme, path)
    assert Frame.objects.in_workspace(acme).get().name == "only in the WAL"
    assert fingerprints(tmp_path) == before
    process.kill()
    process.communicate()


def test_folder_is_left_as_it_was(acme, store):
    store.with_name("tasks.jsonl").write_text('{"id":"tsk-1"}')
    folder = store.parents[1]
    before = fingerprints(folder)
    for path in (store, store.parent, folder):
        bring(acme, path)
        assert_whole(acme, path)
    assert fingerprints(folder) == before


@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_store_locked_by_its_owner(acme, store, quickly, mode):
    owner = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        f"c.execute('PRAGMA locking_mode=EXCLUSIVE'); c.execute('PRAGMA journal_mode={mode}')\n"
        "c.execute('BEGIN EXCLUSIVE'); c.execute('UPDATE frames SET name = 1')\n"
        "c.execute('COMMIT') if 'wal' in sys.argv else None\n"
        "print('locked', flush=True); sys.stdin.read()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", owner, str(store), mode],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    process.stdout.readline()
    try:
        refused(store, "locked", "stop that program")
    finally:
        process.communicate()
    bring(acme, store)


def test_hot_journal_of_a_crashed_owner_is_rolled_back_in_the_copy(acme, store):
    crash = (
        "import os, sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "c.execute('PRAGMA cache_size=1'); c.execute('BEGIN')\n"
        "c.execute(\"UPDATE events SET payload = printf('%.5000c', 'x')\")\n"
        "os.kill(os.getpid(), 9)"
    )
    clean = store.read_bytes()
    subprocess.run([sys.executable, "-c", crash, str(store)])
    assert store.read_bytes() != clean
    before = fingerprints(store.parent)
    bring(acme, store)
    assert fingerprints(store.parent) == before
    store.write_bytes(clean)
    Path(f"{store}-journal").unlink()
    assert_whole(acme, store)


@pytest.mark.parametrize("wal", [False, True])
def test_live_writer_gives_a_consistent_snapshot(acme, tmp_path, wal):
    """Each transaction adds an event and an anchor: a snapshot has as many of one as of the other."""
    store = Store(tmp_path / "context.db", A, wal=wal)
    store.frame("f")
    path = store.done()
    writer = (
        "import sqlite3, sys, time\n"
        "c = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=30)\n"
        "c.execute('PRAGMA wal_autocheckpoint=20')\n"
        "n = 0\n"
        "while True:\n"
        " n += 1; c.execute('BEGIN IMMEDIATE')\n"
        " c.execute('INSERT INTO events VALUES (?,?,?,?,?,?,?)',"
        " (f'e{n}', 'r', 'f', n, 'x', '{}', 1795000000))\n"
        " c.execute('INSERT INTO anchors VALUES (?,?,?,?,?,?,?,?)',"
        " (f'a{n}', 'f', '', 'FACT', 'x', 1, 1795000000, '{}'))\n"
        " c.execute('COMMIT')\n"
        " if n == 50: print('going', flush=True)\n"
        " time.sleep(0.002 * (n > 50))\n"  # writing all the time, and yet not thousands of rows
    )
    process = subprocess.Popen([sys.executable, "-c", writer, str(path)], stdout=subprocess.PIPE)
    process.stdout.readline()
    try:
        seen = []
        for _ in range(4):
            rows = bring(acme, path)["rows"]
            assert rows["events"]["read"] == rows["anchors"]["read"]
            seen.append(rows["events"]["read"])
    finally:
        process.kill()
        process.wait()
    assert seen[0] >= 50
    bring(acme, path)
    assert_whole(acme, path)


def test_companions_that_are_broken(acme, store):
    store.with_name("projects.db").write_bytes(b"nonsense")
    refused(store, "projects.db")
    db = store.with_name("projects.db")
    db.unlink()
    sqlite3.connect(db).execute("CREATE TABLE other (a)").connection.close()
    refused(store, "projects.db", "list of projects")
    db.unlink()
    side = store.parent / "db" / "stackmemory.db"
    side.parent.mkdir()
    side.write_bytes(b"SQLite format 3\x00" + b"\x00" * 2000)
    refused(store, "stackmemory.db")
    side.write_bytes(b"")  # opened by a tool, never written to
    store.with_name("tasks.jsonl").write_bytes(b"\xff\xfe\n[1]\nnull\n{}\n" + b"{" * 20_000)
    store.with_name("session-decisions.json").write_bytes(b'{"decisions": [')
    rows = bring(acme, store)["rows"]
    assert rows["other"]["set_aside"] == 4
    assert_whole(acme, store)


def test_no_permission(acme, tmp_path, store):
    """As another user, since root may read everything."""
    for path in (store, store.with_name("tasks.jsonl")):
        path.touch()
    if os.geteuid() != 0:
        store.chmod(0)
        refused(store, "No permission")
        return
    shared = Path(tempfile.mkdtemp())
    shared.chmod(0o755)
    try:
        copy = shutil.copytree(store.parent, shared / ".stackmemory")
        for closed in (copy / "context.db", copy / "tasks.jsonl", copy):
            os.chmod(closed, 0o000)
            child = os.fork()
            if child == 0:
                os.setgid(65534)
                os.setuid(65534)
                code = 9
                try:
                    import_as_somebody(copy / "context.db")
                except PermissionError:
                    code = 1
                except Exception as problem:
                    code = 0 if "No permission to" in str(problem) else 2
                finally:
                    os._exit(code)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0, closed
            os.chmod(closed, 0o755)
    finally:
        shutil.rmtree(shared)


def import_as_somebody(path):
    """As far as an import goes before it needs its database."""
    from contextlib import ExitStack

    from frames.transfer.failing import in_a_sentence
    from frames.transfer.locate import locate
    from frames.transfer.opening import mark_of, open_store

    tempfile.tempdir = "/tmp"
    with in_a_sentence(), ExitStack() as stack:
        store = locate(path)
        mark_of(store, open_store(store, stack))


def test_full_disk_of_the_snapshot(acme, store, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(snapshot, "_copy", full)
    refused(store, "disk is full", "TMPDIR")


def test_full_database_is_told_and_a_rerun_finishes(acme, store, monkeypatch):
    def full(**_):
        raise OperationalError("database or disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(timeline, "append_events", full)
        refused(store, "free some disk space", "goes on where it stopped")
    transfer = Transfer.objects.in_workspace(acme).get()
    assert transfer.state == Transfer.State.FAILED
    assert "disk is full" in transfer.error
    assert Frame.objects.in_workspace(acme).exists()
    report = bring(acme, store)
    assert report["rows"]["events"]["imported"] == report["rows"]["events"]["read"]
    assert_whole(acme, store)


def test_command_succeeds_in_words_and_in_json(acme, store):
    told = io.StringIO()
    call_command("import_stackmemory", str(store), workspace="acme", stdout=told)
    assert "Imported in" in told.getvalue()
    told = io.StringIO()
    call_command("import_stackmemory", str(store), workspace="acme", json=True, stdout=told)
    report = json.loads(told.getvalue().splitlines()[-1])
    assert set(report) >= {"status", "rows", "adjusted", "seconds"}
    assert list(report["rows"]) == ["frames", "events", "anchors", "contexts", "tasks", "traces",
                                    "tool_calls", "other"]  # fmt: skip
    for row in report["rows"].values():
        assert list(row) == ["read", "imported", "updated", "existing", "conflict", "set_aside"]
    told = io.StringIO()
    call_command("verify_import", str(store), workspace="acme", stdout=told)
    assert "Every row is here" in told.getvalue()
    db = sqlite3.connect(store)
    db.execute("UPDATE frames SET name = 'tampered' WHERE name = 'Frame 1'")
    db.commit()
    db.close()
    told = io.StringIO()
    with pytest.raises(SystemExit) as stop:
        call_command("verify_import", str(store), workspace="acme", stdout=told)
    assert stop.value.code == 1
    assert "differs in name" in told.getvalue()
