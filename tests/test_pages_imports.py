"""Imports in the browser: upload, progress, report."""

import io
import sqlite3
import zipfile
from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from django.utils import timezone

from frames.models import Frame, Transfer, TransferItem
from tests.pages import few_queries, make_project

HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def store(tmp_path):
    """The bytes of a small store: one frame with two events, a third event without a frame."""
    path = tmp_path / "source.db"
    with sqlite3.connect(path) as db:
        db.executescript(
            """
            CREATE TABLE frames (frame_id TEXT PRIMARY KEY, run_id TEXT, project_id TEXT,
              parent_frame_id TEXT, depth INT, type TEXT, name TEXT, state TEXT, inputs TEXT,
              outputs TEXT, digest_text TEXT, digest_json TEXT, created_at INT, closed_at INT);
            CREATE TABLE events (event_id TEXT PRIMARY KEY, run_id TEXT, frame_id TEXT, seq INT,
              event_type TEXT, payload TEXT, ts INT);
            INSERT INTO frames VALUES ('f1', 'r1', 'shop', NULL, 0, 'task', 'Fix refunds', 'active',
              '{}', '{}', NULL, '{}', 1767225600, NULL);
            INSERT INTO events VALUES ('e1', 'r1', 'f1', 1, 'observation', '{"a": 1}', 1767225601),
              ('e2', 'r1', 'f1', 1, 'observation', '{}', 1767225602),
              ('e3', 'r1', 'gone', 1, 'observation', '{', 1767225603);
            """
        )
    db.close()
    return path.read_bytes()


def upload(client, *files, **data):
    return client.post(
        reverse("frames:import-new", args=["acme"]),
        {
            "files": [SimpleUploadedFile(name, content) for name, content in files],
            "into": "new",
            **data,
        },
    )


def transfer_of(workspace, **fields):
    return Transfer.unscoped.create(workspace=workspace, **{"name": "context.db"} | fields)


def url(name, transfer):
    return reverse(f"frames:{name}", args=["acme", transfer.id])


def test_an_uploaded_store_is_imported_and_reported(
    alice, acme, login, store, django_capture_on_commit_callbacks
):
    client = login(alice)
    with django_capture_on_commit_callbacks(execute=True):
        response = upload(client, ("context.db", store), new_project="Old Shop!")
    transfer = Transfer.objects.in_workspace(acme).get()
    assert response.headers["Location"] == url("import", transfer)
    query = {"kind": "adjusted:events:duplicate_seq"}
    page = client.get(response.headers["Location"], query).content.decode()
    assert transfer.state == "done", transfer.error
    assert acme.projects.get().slug == "old-shop"
    assert acme.frames.filter(name="Fix refunds").exists()
    assert "What came in" in page
    assert "Another event of the frame has the same number" in page
    assert transfer.created_by == alice


def test_a_dry_run_writes_nothing_and_says_what_would_happen(
    alice, acme, login, store, django_capture_on_commit_callbacks
):
    client = login(alice)
    with django_capture_on_commit_callbacks(execute=True):
        response = upload(client, ("context.db", store), dry_run="on")
    page = client.get(response.headers["Location"]).content.decode()
    assert "What would happen" in page
    assert "dry run" in page
    assert not acme.frames.exists()


def test_a_zip_of_the_folder_will_do(alice, acme, login, store, django_capture_on_commit_callbacks):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(".stackmemory/context.db", store)
        archive.writestr(".stackmemory/config.yaml", "x")
    with django_capture_on_commit_callbacks(execute=True):
        upload(login(alice), ("repo.zip", packed.getvalue()))
    assert acme.frames.filter(name="Fix refunds").exists()


def test_into_a_project_that_is_here(alice, acme, login, store, django_capture_on_commit_callbacks):
    project = make_project(acme, "shop")
    with django_capture_on_commit_callbacks(execute=True):
        upload(login(alice), ("context.db", store), into="existing", existing="shop")
    assert set(Frame.objects.in_workspace(acme).values_list("project", flat=True)) == {project.id}


@pytest.mark.parametrize(
    ("files", "data", "words"),
    [
        ([("notes.db", b"not a database, but long enough to be one" * 50)], {}, "not"),
        ([("context.db", b"")], {}, "empty"),
        ([], {}, "Choose the context.db"),
        ([("tasks.jsonl", b"{}"), ("projects.db", b"x")], {}, "no context.db"),
        ([("a.db", b"x")], {"into": "existing", "existing": "theirs"}, "not there any more"),
        ([("a.db", b"x")], {"new_project": "!!!"}, "at least one letter"),
        ([(f"{n}.db", b"x") for n in range(40)], {}, "at most"),
    ],
)
def test_what_cannot_be_imported_is_refused_in_words(
    alice, acme, globex, login, settings, files, data, words
):
    make_project(globex, "theirs")
    response = upload(login(alice), *files, **data)
    page = response.content.decode()
    assert response.status_code == 422
    assert "Nothing was imported" in page
    assert words in page
    assert str(settings.MEDIA_ROOT) not in page
    assert not Transfer.objects.in_workspace(acme).exists()
    assert not [p for p in settings.MEDIA_ROOT.rglob("*") if p.is_file()]


@pytest.mark.parametrize("role", ["member", "viewer"])
def test_only_admins_import(person, acme, login, store, role):
    client = login(person("mia", acme, role))
    transfer = transfer_of(acme, state="failed", upload="x")
    assert upload(client, ("context.db", store)).status_code == 403
    assert client.get(reverse("frames:import-new", args=["acme"])).status_code == 403
    assert client.post(url("import-retry", transfer)).status_code == 403
    assert client.post(url("import-cancellation", transfer)).status_code == 403
    assert client.get(url("import", transfer)).status_code == 200
    page = client.get(reverse("frames:imports", args=["acme"])).content.decode()
    assert "Import a store" not in page


def test_another_workspaces_import_is_not_found(alice, acme, globex, login):
    theirs = transfer_of(globex)
    item = TransferItem.unscoped.create(
        workspace=globex, transfer=theirs, category="set_aside", table="t", reason="r", content={}
    )
    mine = transfer_of(acme)
    client = login(alice)
    for name in ("import", "import-progress"):
        assert client.get(url(name, theirs)).status_code == 404
    for name in ("import-cancellation", "import-retry"):
        assert client.post(url(name, theirs)).status_code == 404
    for transfer in (theirs, mine):
        path = reverse("frames:import-item", args=["acme", transfer.id, item.id])
        assert client.get(path).status_code == 404


def test_progress_says_how_far_how_fast_and_how_long(alice, acme, login):
    transfer = transfer_of(
        acme,
        state="running",
        total_rows=10_000,
        done_rows=2500,
        started_at=timezone.now() - timedelta(seconds=50),
    )
    client = login(alice)
    page = client.get(url("import", transfer)).content.decode()
    assert f'data-poll="{url("import-progress", transfer)}"' in page
    response = client.get(url("import-progress", transfer))
    part = response.content.decode()
    assert "<html" not in part
    assert "X-Over" not in response.headers
    for words in ("25 %", ">50</span> rows/s", "2 m 30 s left", "2.5 k"):
        assert words in part
    Transfer.objects.in_workspace(acme).update(state="done", finished_at=timezone.now())
    assert client.get(url("import-progress", transfer)).headers["X-Over"] == "1"
    assert "data-poll" not in client.get(url("import", transfer)).content.decode()


@pytest.mark.parametrize("state", ["waiting", "checking", "running", "failed", "cancelled", "done"])
def test_a_transfer_of_which_nothing_is_known_yet(alice, acme, login, state):
    client = login(alice)
    transfer = transfer_of(acme, state=state)
    assert client.get(url("import", transfer)).status_code == 200
    assert client.get(url("import-progress", transfer)).status_code == 200


def test_one_that_fell_silent_says_so_and_can_be_tried_again(
    alice, acme, login, django_capture_on_commit_callbacks
):
    transfer = transfer_of(
        acme,
        state="running",
        upload="imports/x",
        started_at=timezone.now() - timedelta(hours=2),
        beat_at=timezone.now() - timedelta(hours=1),
    )
    client = login(alice)
    page = client.get(url("import", transfer)).content.decode()
    assert "Not heard of since" in page
    assert "Try again" in page
    with django_capture_on_commit_callbacks() as jobs:
        client.post(url("import-retry", transfer))
    transfer.refresh_from_db()
    assert transfer.state == "waiting"
    assert len(jobs) == 1


def test_a_failure_is_told_with_its_mend(alice, acme, login):
    words = "context.db is encrypted: import a copy made without a password."
    transfer = transfer_of(acme, state="failed", error=words, upload="imports/x")
    page = login(alice).get(url("import", transfer)).content.decode()
    assert words in page
    assert "Nothing was written" in page
    assert url("import-retry", transfer) in page


def test_a_running_import_is_stopped(alice, acme, login):
    transfer = transfer_of(acme, state="running")
    client = login(alice)
    client.post(url("import-cancellation", transfer))
    transfer.refresh_from_db()
    assert transfer.state == "cancelled"
    page = client.post(url("import-cancellation", transfer), follow=True).content.decode()
    assert "already over" in page


def report(acme, rows=60):
    transfer = transfer_of(
        acme,
        state="done",
        name=HOSTILE,
        tables={
            "frames": {"read": 9, "imported": 5, "conflict": 1, "set_aside": 3},
            "events": {"read": "nonsense"},
            "other": {"read": 4, "imported": 4, "tables": {HOSTILE: 3, "digest_queue": 1}},
            "positions": {"frames": 9},
            "weird": None,
        },
        adjusted={"duplicate_seq": rows},
    )
    TransferItem.unscoped.bulk_create(
        [
            TransferItem(
                workspace=acme,
                transfer=transfer,
                category="adjusted",
                table="events",
                source_id=f"e{n}",
                reason="duplicate_seq",
            )
            for n in range(rows)
        ]
        + [
            TransferItem(
                workspace=acme,
                transfer=transfer,
                category="set_aside",
                table="frames",
                source_id=HOSTILE,
                reason="no_id",
                content={"name": HOSTILE, "long": "x" * 100_000, "half": "\ud800"},
            )
        ]
    )
    return transfer


def test_the_report_shows_the_gravest_rows_first_with_their_content(alice, acme, login):
    transfer = report(acme)
    client = login(alice)
    response = client.get(url("import", transfer))
    page = response.content.decode()
    assert HOSTILE not in page
    assert "The row has no id." in page
    assert "&lt;script&gt;alert(1)" in page
    assert "digest_queue" in page
    assert len(response.content) < 60_000
    item = response.context["page"].items[0]
    whole = client.get(reverse("frames:import-item", args=["acme", transfer.id, item.id]))
    assert len(whole.content) > 100_000
    assert whole.headers["Content-Disposition"].startswith("attachment")
    assert whole.headers["X-Content-Type-Options"] == "nosniff"


def test_rows_of_one_kind_are_paged(alice, acme, login):
    transfer = report(acme)
    client = login(alice)
    query = {"kind": "adjusted:events:duplicate_seq"}
    seen = set()
    while True:
        page = client.get(url("import", transfer), query).context["page"]
        seen |= {item.source_id for item in page}
        if not page.next:
            break
        query["cursor"] = page.next
    assert seen == {f"e{n}" for n in range(60)}
    odd = client.get(url("import", transfer), {"kind": "no:such:kind", "cursor": "x"})
    assert odd.context["chosen"].category == "set_aside"


def test_the_number_of_queries_does_not_grow(alice, bob, acme, login):
    transfer = report(acme, rows=400)
    project = make_project(acme)
    for _ in range(40):
        transfer_of(acme, project=project, created_by=bob, tables=transfer.tables)
    client = login(alice)
    for path in (
        reverse("frames:imports", args=["acme"]),
        reverse("frames:import-new", args=["acme"]),
        url("import", transfer),
        url("import-progress", transfer),
    ):
        with few_queries():
            assert client.get(path).status_code == 200


def test_no_imports_teach_the_first_one(alice, viola, acme, login):
    path = reverse("frames:imports", args=["acme"])
    assert "--workspace acme" in login(alice).get(path).content.decode()
    assert "Owners and admins" in login(viola).get(path).content.decode()
