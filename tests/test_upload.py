"""An import from a browser: real files in, a transfer that tells what came of them, nothing left."""

import io
import zipfile
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from frames.models import Event, Frame, Transfer
from frames.transfer import upload
from frames.transfer.errors import BadStore
from tests.stores import A, Store
from tests.test_import_odd_rows import assert_whole


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path / "repo" / ".stackmemory" / "context.db", A)
    store.ordinary()
    return store.done()


@pytest.fixture
def queued(monkeypatch):
    """Jobs that were enqueued, instead of running them."""
    jobs = []
    monkeypatch.setattr(upload, "enqueue", lambda job, *ids, **_: jobs.append((job, *ids)))
    return jobs


def sent(name, content):
    return SimpleUploadedFile(name, content)


def zipped(**files):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


def receive(workspace, user, *files, slug="", keep=False, dry_run=False):
    return upload.receive(
        workspace=workspace, user=user, files=files, project_slug=slug,
        keep_project_ids=keep, dry_run=dry_run,
    )  # fmt: skip


def leftovers(settings):
    return [p for p in Path(settings.MEDIA_ROOT).rglob("*") if p.is_file()]


def test_one_database_is_imported_and_removed(acme, bob, store, queued, settings):
    transfer = receive(acme, bob, sent("any name.db", store.read_bytes()), slug="mine")
    assert [job[0] for job in queued] == ["frames.jobs.run_import"]
    upload.run_upload(transfer)
    transfer.refresh_from_db()
    assert (transfer.state, transfer.error) == (Transfer.State.DONE, "")
    assert set(Frame.objects.in_workspace(acme).values_list("project__slug", flat=True)) == {"mine"}
    assert leftovers(settings) == []
    assert_whole(acme, store)


def test_companions_are_known_whatever_they_are_called(acme, bob, store, queued):
    lines = b'{"id":"tsk-9","title":"From the log","timestamp":5}\n'
    transfer = receive(
        acme, bob, sent("store.db", store.read_bytes()), sent("store.tasks.jsonl", lines)
    )
    upload.run_upload(transfer)
    transfer.refresh_from_db()
    assert transfer.state == Transfer.State.DONE
    assert transfer.tables["tasks"]["imported"] == 3


def test_zip_of_a_folder(acme, bob, store, queued, settings):
    packed = zipped(**{".stackmemory/context.db": store.read_bytes(), ".stackmemory/x.log": b"x"})
    transfer = receive(acme, bob, sent("folder.zip", packed))
    upload.run_upload(transfer)
    transfer.refresh_from_db()
    assert transfer.state == Transfer.State.DONE
    assert leftovers(settings) == []


def test_zip_paths_are_not_followed(acme, bob, store, queued, settings):
    packed = zipped(**{"../../../escape.db": b"x", "/etc/tasks.jsonl": b"{}",
                       "../context.db": store.read_bytes()})  # fmt: skip
    transfer = receive(acme, bob, sent("evil.zip", packed))
    folder = Path(settings.MEDIA_ROOT) / transfer.upload
    assert {p.name for p in folder.iterdir()} == {"context.db", "tasks.jsonl"}
    assert {p.parent for p in leftovers(settings)} == {folder}


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("notes.db", b"hello" * 100, "not an SQLite database"),
        ("empty.db", b"", "0 bytes"),
        ("nothing.zip", zipped(readme=b"x"), "no context.db"),
    ],
)
def test_what_is_no_store_is_refused_with_nothing_kept(
    acme, bob, queued, settings, name, content, words
):
    with pytest.raises(BadStore, match=words):
        receive(acme, bob, sent(name, content))
    assert leftovers(settings) == []
    assert queued == []
    assert not Transfer.objects.in_workspace(acme).exists()


def test_too_large_counts_what_is_unpacked(acme, bob, queued, settings):
    settings.IMPORT_MAX_BYTES = 1 << 20
    bomb = zipped(**{"context.db": b"\x00" * (50 << 20)})
    assert len(bomb) < 1 << 20
    for name, content in (("bomb.zip", bomb), ("big.db", b"x" * (2 << 20))):
        with pytest.raises(BadStore, match="more than 1 MB"):
            receive(acme, bob, sent(name, content))
    assert leftovers(settings) == []


def test_encrypted_zip_is_refused(acme, bob, store, queued, settings):
    packed = bytearray(zipped(**{"context.db": store.read_bytes()}))
    packed[6] |= 1  # the flag in the local header, and in the directory
    packed[packed.index(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(BadStore, match="encrypted"):
        receive(acme, bob, sent("secret.zip", bytes(packed)))
    assert leftovers(settings) == []


def test_no_file_at_all(acme, bob, queued):
    with pytest.raises(BadStore, match="No file was sent"):
        receive(acme, bob)


def test_dry_run_writes_no_rows_and_tells_the_figures(acme, bob, store, queued, settings):
    transfer = receive(acme, bob, sent("context.db", store.read_bytes()), dry_run=True)
    upload.run_upload(transfer)
    transfer.refresh_from_db()
    assert transfer.state == Transfer.State.DONE
    assert transfer.tables["events"]["imported"] == 30
    assert not Event.objects.in_workspace(acme).exists()
    assert leftovers(settings) == []


def test_cancelled_upload_keeps_its_files_for_a_retry(acme, bob, store, queued, settings):
    transfer = receive(acme, bob, sent("context.db", store.read_bytes()))
    assert upload.cancel(transfer)
    upload.run_upload(transfer)
    transfer.refresh_from_db()
    assert transfer.state == Transfer.State.CANCELLED
    assert leftovers(settings) != []
    assert upload.retry(transfer)
    transfer.refresh_from_db()
    upload.run_upload(transfer)
    transfer.refresh_from_db()
    assert transfer.state == Transfer.State.DONE
    assert not upload.cancel(transfer)
    assert not upload.retry(transfer)
    assert leftovers(settings) == []


def test_damaged_upload_is_told_on_the_transfer(acme, bob, store, queued):
    whole = store.read_bytes()
    damaged = whole[:100] + b"\xff" * 3996 + whole[4096:]
    transfer = receive(acme, bob, sent("context.db", damaged))
    upload.run_upload(transfer)
    transfer.refresh_from_db()
    assert transfer.state == Transfer.State.FAILED
    assert "damaged" in transfer.error
