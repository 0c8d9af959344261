"""Large payloads: in the object store before the row, once however often, and read whole."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.core.files.storage import storages
from django.core.management import call_command
from django.db import connection
from django.urls import reverse
from django.utils import timezone

from frames import ingest, large, sweeping
from frames.models import Event, Frame, PayloadUse, StoredPayload
from frames.models.event import PAYLOADS
from search.documents import telling
from stackmemory.archive.contents import part_named
from stackmemory.archive.rows import Reader
from stackmemory.lib import blobs, objects
from stackmemory.lib.tenancy import workspace_scope
from tests.api.client import key_for, ok
from tests.moving.cold import JUNE, move
from tests.pages import few_queries, make_frame, make_project
from tests.stacks import closed, happen
from workspaces import jobs
from workspaces.lifecycle import GRACE
from workspaces.models import Workspace

pytestmark = pytest.mark.django_db
SECRET = "AKIAIOSFODNN7EXAMPLE"
BIG = {
    "tool_input": {"content": "ü line\n" * 12_000, "list": list(range(3_000))},
    "tool_name": "Write", "file_path": "src/till.py", "key": SECRET,
}  # fmt: skip


def append(api, frame, payload=BIG, **fields):
    body = {"frame": frame["id"], "type": "tool_call", "payload": payload} | fields
    return ok(api.post("events", body), 201)["id"]


def objects_of(workspace) -> list[str]:
    return sorted(blobs.stored(PAYLOADS, workspace.pk))


def path_of(workspace, digest):
    return storages["objects"].path(blobs.name_of(PAYLOADS, workspace.pk, digest))


def test_a_large_payload_is_stored_once_redacted_and_read_whole(
    agent, frame, acme, login, bob, as_application
):
    ids = [append(agent, frame) for _ in range(2)]
    batch = [
        {"frame": frame["id"], "type": "tool_call", "payload": payload, "source_id": f"b-{n}"}
        for n, payload in enumerate((BIG, {"small": 1}, "w" * 70_000, BIG))
    ]
    for outcome in ("created", "duplicate"):
        told = ok(agent.post("events/batch", {"events": batch}))
        assert [r["outcome"] for r in told["results"]] == [outcome] * 4
    digests = objects_of(acme)
    assert len(digests) == 3  # a batch keeps its spelling
    assert PayloadUse.unscoped.filter(workspace=acme).count() == 5
    event = Event.unscoped.get(pk=ids[0])
    assert event.stored_digest in digests
    shown = json.loads(event.payload)
    assert len(event.payload) <= large.PREVIEW
    assert (list(shown), shown["file_path"]) == (list(BIG), "src/till.py")
    whole = blobs.get(PAYLOADS, acme.pk, event.stored_digest, event.stored_octets)
    assert SECRET not in whole
    assert blobs.digest_of(whole) == event.stored_digest
    assert json.loads(whole)["tool_input"] == BIG["tool_input"]
    assert (event.tool, telling(event)[1][:5]) == ("Write", "Write")
    stored = StoredPayload.unscoped.get(digest=event.stored_digest)
    assert 0 < stored.packed < stored.octets == len(whole.encode())
    # by the API whole; in lists and pages a preview that says so, at no cost
    got = ok(agent.get(f"events/{ids[0]}"))
    assert (got["payload"], got["preview"], got["octets"]) == (
        json.loads(whole), False, stored.octets,
    )  # fmt: skip
    items = ok(agent.get(f"frames/{frame['id']}/events"))["items"]
    assert [i["preview"] for i in items].count(True) == 5
    assert items[0]["payload"] == shown
    browser = login(bob)
    with few_queries():
        page = browser.get(reverse("frames:frame", args=["acme", frame["id"]]))
    assert page.status_code == 200
    url = reverse("frames:frame-event", args=["acme", frame["id"], ids[0]])
    assert browser.get(url + "?raw").content.decode() == whole
    assert "ü line" in browser.get(url).content.decode()
    # what the store has lost is said, and not made up for
    os.truncate(path_of(acme, event.stored_digest), 100)
    lost = agent.get(f"events/{ids[0]}")
    assert (lost.status_code, lost.json()["error"]["code"]) == (503, "payload_lost")
    assert event.stored_digest in lost.json()["error"]["message"]
    assert "Only a preview" in browser.get(url).content.decode()
    assert browser.get(url + "?raw").status_code == 503
    os.unlink(path_of(acme, event.stored_digest))
    with pytest.raises(SystemExit), as_application():
        call_command("verify_payloads")
    append(agent, frame)  # the same text brings it back
    with as_application():
        call_command("verify_payloads", workspace="acme")


def test_nobody_reads_another_teams_object(agent, frame, acme, stranger, globex, tmp_path):
    """Neither by naming it nor by sending what looks like a reference."""
    event = Event.unscoped.get(pk=append(agent, frame))
    theirs = ok(stranger.post("projects", {"name": "Den"}), 201)
    den = ok(stranger.post("frames", {"name": "Look", "project": theirs["slug"]}), 201)
    name = {"stored_digest": event.stored_digest, "stored_octets": event.stored_octets}
    read = ok(stranger.get(f"events/{append(stranger, den, name)}"))
    assert (read["payload"], read["preview"]) == (name, False)
    body = {"frame": den["id"], "type": "x", "payload": {}} | name
    assert stranger.post("events", body).status_code in (400, 422)
    refused = ok(stranger.post("events/batch", {"events": [body]}))["results"][0]
    assert refused["error"]["field"] in name
    assert objects_of(globex) == []
    forged = Event(workspace=globex, **name)
    with pytest.raises(blobs.Lost, match=str(globex.pk)):
        assert forged.text
    # the same text is each team's own
    append(stranger, den)
    assert objects_of(globex) == objects_of(acme) == [event.stored_digest]


def test_a_row_without_its_object_cannot_be(agent, frame, acme, monkeypatch, as_application):
    """Killed between the two an object is left, which goes when it has been there for a day."""
    with monkeypatch.context() as patch:
        patch.setattr(ingest, "insert_new", lambda *a: 1 / 0)
        assert (
            agent.post("events", {"frame": frame["id"], "type": "x", "payload": BIG}).status_code
            == 500
        )
    assert len(objects_of(acme)) == 1
    assert not StoredPayload.unscoped.exists()
    with as_application():
        assert sweeping.sweep_everywhere() == 0
        assert sweeping.sweep_everywhere(timezone.now() + 2 * sweeping.GRACE) == 1
    assert objects_of(acme) == []
    with monkeypatch.context() as patch:  # and where the object cannot be written, no row
        patch.setattr(objects.Folder, "_save", lambda *a: 1 / 0)
        assert (
            agent.post("events", {"frame": frame["id"], "type": "x", "payload": BIG}).status_code
            == 500
        )
    assert not Event.unscoped.exists()
    append(agent, frame)
    with as_application():
        assert sweeping.sweep_everywhere(timezone.now() + 2 * sweeping.GRACE) == 0
    assert len(objects_of(acme)) == 1


def test_what_no_event_uses_goes(agent, frame, acme, globex, as_application):
    """With an event, with a frame, with the workspace; not while another event has the same text."""
    other = ok(agent.post("frames", {"name": "Other", "project": "shop"}), 201)
    first, second = append(agent, frame), append(agent, other)
    append(agent, other, "y" * 70_000)
    with as_application(), workspace_scope(acme.pk):
        sweeping.forget_events(acme, [first])
    with as_application():
        assert sweeping.forget_unreferenced(acme) == 0
    # an event that has moved to cold storage is a use still
    Event.unscoped.filter(pk=second)._raw_delete("default")
    with as_application():
        assert sweeping.forget_unreferenced(acme) == 0
    assert len(objects_of(acme)) == 2
    Event.unscoped.filter(frame=other["id"])._raw_delete("default")
    Frame.unscoped.get(pk=other["id"]).delete()
    with as_application():
        assert sweeping.forget_unreferenced(acme) == 2
    assert objects_of(acme) == []
    append(agent, frame)
    Workspace.objects.filter(pk=acme.pk).update(deleted_at=timezone.now() - GRACE)
    with as_application():
        assert jobs.erase_due() == ["acme"]
    assert not os.path.exists(storages["objects"].path(f"{PAYLOADS}/{acme.pk}"))


def test_an_erased_run_takes_its_objects_along(
    admin, acme, as_application, django_capture_on_commit_callbacks
):
    """Those of its frames, and of its events in frames of other runs."""
    ok(admin.post("projects", {"name": "Shop"}), 201)
    frames = [
        ok(admin.post("frames", {"name": n, "project": "shop", "session": run["id"]}), 201)
        for n in ("Mine", "Other")
        for run in [ok(admin.post("sessions", {"project": "shop", "source_id": n}), 201)]
    ]
    append(admin, frames[0], "x" * 70_000)
    moved = append(admin, frames[1], "y" * 70_000)
    append(admin, frames[1], "z" * 70_000)
    Event.unscoped.filter(pk=moved).update(session=frames[0]["session"])
    with django_capture_on_commit_callbacks(execute=True):
        ok(admin.post("sessions/Mine/erasure", {"confirm": "erase"}))
    with as_application():
        sweeping.sweep_everywhere()
    assert len(objects_of(acme)) == PayloadUse.unscoped.count() == 1


@pytest.mark.postgresql_only
@pytest.mark.django_db(transaction=True)
def test_no_object_goes_while_an_event_of_it_comes(acme, as_application):
    """Whoever takes it up holds its row; the sweep passes that by, and looks again behind its lock."""
    text, came = json.dumps(BIG), []
    with workspace_scope(acme.pk):
        large.put_down(acme.pk, [text])
    digest = objects_of(acme)[0]

    def sweep():
        came.append(sweeping.forget_unreferenced(acme))
        connection.close()

    with ThreadPoolExecutor(1) as beside, workspace_scope(acme.pk):
        large.put_down(acme.pk, [text])
        beside.submit(sweep).result()
        assert came == [0]
        assert objects_of(acme) == [digest]
    assert sweeping.forget_unreferenced(acme) == 1


def test_a_preview_is_json_and_short():
    deep = json.dumps({"a": 1}).replace("1", "[" * 900 + "]" * 900)
    for text in (
        json.dumps(BIG), json.dumps(list(range(50_000))), json.dumps({str(n): "v" for n in range(20_000)}),
        deep + " " * 70_000, json.dumps({"half": "\ud83d" * 20_000}), json.dumps("x" * 90_000),
    ):  # fmt: skip
        short = large.preview(text)
        json.loads(short)
        assert len(short.encode()) <= 4 * large.PREVIEW
    assert large.preview("no json " * 9_000) == ("no json " * 9_000)[: large.PREVIEW]


def test_an_event_in_cold_storage_keeps_its_object(acme, bob, tmp_path, as_application):
    """Its row moves with the reference; it is read, exported and swept as before."""
    project = make_project(acme)
    cold = make_frame(project, **closed(started_at=JUNE))
    happen(acme, cold, [("note", BIG), ("note", {"n": 1})], start=JUNE)
    event = Event.unscoped.get(stored_digest__isnull=False)
    before = list(Reader(acme).blocks(part_named("frames.event")))
    assert move() == 2
    assert not Event.unscoped.exists()
    with as_application():
        assert sweeping.sweep_everywhere(timezone.now() + 2 * sweeping.GRACE) == 0
    reader = key_for(acme, bob, "read")
    got = ok(reader.get(f"events/{event.pk}"))
    assert (got["payload"], got["preview"]) == (BIG, False)
    assert ok(reader.get(f"frames/{cold.pk}/events"))["items"][0]["preview"] is True
    assert list(Reader(acme).blocks(part_named("frames.event"))) == before
    Frame.unscoped.get(pk=cold.pk).delete()
    with as_application():
        assert sweeping.forget_unreferenced(acme) == 1
