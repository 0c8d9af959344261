"""A frame is erased: what goes, what stays, who may, and that nothing brings it back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.conf import settings as django_settings

from frames import calls
from frames.anchoring import add_anchor
from frames.cold import reading
from frames.cold.moving import archive
from frames.erasing import going
from frames.models import (
    AgentSession,
    Anchor,
    Event,
    Export,
    Frame,
    Project,
    Revision,
    StoredPayload,
    Task,
)
from frames.retention import Policy
from frames.transfer.importing import Options, import_stackmemory
from frames.transfer.verifying import verify_import
from search import erasing
from search.context.compile import compile_context, items_of
from search.indexing import reindex
from search.models import ContextBundle, Document, Word
from stackmemory.erasing import doing, jobs
from stackmemory.lib.objects import folder
from stackmemory.lib.tenancy import workspace_scope
from stackmemory.lib.uuid7 import first_at
from tests.api.client import error_of, key_for
from tests.moving.cold import JUNE
from tests.pages import few_queries, make_frame, make_project, make_session
from tests.search.conftest import Store, acting, by_words_alone
from tests.stacks import call, closed, happen
from tests.stores import Store as LocalStore
from workspaces import audit
from workspaces.models import Audit

__all__ = ["by_words_alone"]
pytestmark = pytest.mark.django_db
SECRET = "zanzibar"


@pytest.fixture
def shop(acme, alice) -> Store:
    return Store(acting(acme, alice))


def nowhere(word: str = SECRET) -> None:
    for model, name in (
        (Frame, "name"), (Event, "payload"), (Anchor, "text"), (Task, "title"), (Document, "text"),
        (ContextBundle, "text"), (Word, "text"), (Audit, "details"),
    ):  # fmt: skip
        assert not model.unscoped.filter(**{f"{name}__icontains": word}).exists(), model


def test_a_frame_is_gone_from_everywhere_and_stays_gone(
    shop, acme, alice, login, django_capture_on_commit_callbacks
):
    api = key_for(acme, alice, "admin")
    with django_capture_on_commit_callbacks(execute=True):
        root = shop.frame("Ship the shop")
        body = {
            "name": f"Try {SECRET}",
            "project": "shop",
            "parent": str(root.pk),
            "source_id": "f-1",
        }
        made = api.post("frames", body, idempotency_key="once").json()
        frame = Frame.unscoped.get(pk=made["id"])
        below = shop.frame(f"Below {SECRET}", parent=frame)
        shop.say(frame, f"The password is {SECRET}")
        with workspace_scope(acme.pk):
            add_anchor(
                actor=shop.actor,
                project=shop.project,
                frame=below,
                type="DECISION",
                text=f"Use {SECRET}",
            )
            add_anchor(
                actor=shop.actor,
                project=shop.project,
                frame=root,
                type="DECISION",
                text="Use apples",
            )
            Task.unscoped.create(workspace=acme, project=shop.project, frame=frame, title=SECRET)
            calls.close_frame(actor=shop.actor, frame=frame, result=f"It was {SECRET}")
            root.refresh_from_db()
            calls.close_frame(actor=shop.actor, frame=root)
        reindex(workspace=acme)
    with workspace_scope(acme.pk):
        bundle = compile_context(actor=shop.actor, project=shop.project, query="password")
    assert SECRET in bundle.text
    assert Word.unscoped.filter(text=SECRET).exists()
    folder = Path(django_settings.MEDIA_ROOT) / "exports" / str(acme.pk)
    export = Export.unscoped.create(
        workspace=acme, format="archive", created_by=alice, state="done", file="x"
    )
    (folder / str(export.pk)).mkdir(parents=True)

    goes = api.get("frames/f-1/erasure").json()
    assert (goes["frames"], goes["events"], goes["anchors"], goes["tasks"]) == (2, 1, 1, 1)
    assert goes["quoted"] == 1
    assert goes["state"] == "preview"
    browser = login(alice)
    # An event of one context may be in cold storage by now, or gone by age.
    end = len(bundle.text)
    old = bundle.items[0] | {"kind": "event", "id": str(first_at(JUNE)), "from": end, "to": end}
    ContextBundle.unscoped.filter(pk=bundle.pk).update(items=[*bundle.items, old])
    with few_queries():
        page = browser.get(f"/w/acme/f/{frame.pk}/erasure/")
    assert '<span class="num">1</span> context that' in page.content.decode()
    assert error_of(api.post("frames/f-1/erasure", {"confirm": "yes"}))[0] == 400
    with django_capture_on_commit_callbacks(execute=True):
        assert api.post("frames/f-1/erasure", {"confirm": "erase"}).json()["state"] == "erased"

    nowhere()
    assert not Revision.unscoped.filter(object_id__in=[frame.pk, below.pk]).exists()
    root.refresh_from_db()
    assert (root.child_count, root.digest["children"]) == (0, [])
    bundle.refresh_from_db()
    texts = {item.text for item in items_of(bundle)}
    assert "(erased)" in texts
    assert any("Use apples" in text for text in texts)
    export.refresh_from_db()
    assert export.state == "cancelled"
    assert not (folder / str(export.pk)).exists()
    entry = Audit.unscoped.filter(workspace=acme).latest("seq")
    assert (entry.action, entry.data["target"]) == ("frame.erased", "a frame")
    assert list(audit.faults(acme)) == []
    # no way back
    assert error_of(api.post("frames", body))[:2] == (410, "erased")
    assert api.post("frames", body, idempotency_key="once").status_code == 410
    again = api.post("events", {"frame": "f-1", "type": "note", "payload": {"text": SECRET}})
    assert again.status_code == 404
    nowhere()


def test_hooks_of_an_erased_session_are_heard_and_not_kept(acme, alice, shop, login):
    api = key_for(acme, alice, "admin")

    def hook(name, **more):
        data = {"hook_event_name": name, "session_id": "run-9", "cwd": "/x/shop", **more}
        return api.post("hooks/claude-code", data).status_code

    assert hook("SessionStart", source="startup") == 200
    assert hook("UserPromptSubmit", prompt=f"Say {SECRET}", prompt_id="p1") == 200
    assert Frame.unscoped.count() == 2
    browser = login(alice)
    with few_queries():
        page = browser.get(f"/w/acme/s/{AgentSession.unscoped.get().pk}/erasure/")
    assert "still open" in page.content.decode()
    done = api.post("sessions/run-9/erasure", {"confirm": "erase"}).json()
    assert (done["frames"], done["events"], done["open"]) == (2, 2, 2)
    nowhere()
    assert hook("Stop", prompt_id="p1") == 200
    assert hook("UserPromptSubmit", prompt=f"Again {SECRET}", prompt_id="p2") == 200
    past = {"reports": [{"hook": {"hook_event_name": "UserPromptSubmit", "session_id": "run-9",
            "prompt": SECRET, "cwd": "/x/shop"}, "at": "2026-11-20T12:00:00Z", "delivery": "d"}]}  # fmt: skip
    assert api.post("hooks/claude-code/past", past).json()["rejected"][0]["code"] == "erased"
    assert error_of(api.post("sessions", {"source_id": "run-9", "project": "shop"}))[0] == 410
    assert not Frame.unscoped.exists()


def test_a_store_that_is_imported_again_does_not_bring_it_back(acme, alice, tmp_path, shop):
    store = LocalStore(tmp_path / "context.db")
    for name, parent in (("top", None), ("bad", "top"), ("worse", "bad")):
        store.add("frames", frame_id=name, run_id="r", project_id="p", parent_frame_id=parent,
                  type="task", name=f"{name} {SECRET if parent else ''}", state="active", created_at=1_790_000_000)  # fmt: skip
        store.add("events", event_id=f"e-{name}", run_id="r", frame_id=name, seq=1,
                  event_type="note", payload=f'{{"t": "{name}"}}', ts=1_790_000_000)  # fmt: skip
    store.add("anchors", anchor_id="a", frame_id="worse", type="FACT", text=SECRET, created_at=1)
    store.add("traces", id="t", type="x", summary=SECRET, frame_id="bad")
    store.add("tool_calls", id="c", trace_id="t", tool=SECRET)
    store.add("task_cache", id="k", frame_id="bad", title=SECRET, status="pending")
    store.db.execute("COMMIT")
    take = {"workspace": acme, "path": store.path, "options": Options(project="shop")}
    import_stackmemory(**take)
    frame = Frame.unscoped.get(source_id="bad")
    with workspace_scope(acme.pk):
        doing.take(doing.find(shop.actor, frame))
    assert set(Frame.unscoped.values_list("source_id", flat=True)) == {"top"}
    store.db.execute("BEGIN")
    store.add("frames", frame_id="worst", run_id="r", project_id="p", parent_frame_id="worse",
              type="task", name=SECRET, state="active", created_at=1_790_000_001)  # fmt: skip
    store.add("events", event_id="e-2", run_id="r", frame_id="worst", seq=1, event_type="note",
              payload="{}", ts=1_790_000_001)  # fmt: skip
    store.db.execute("COMMIT")
    rows = import_stackmemory(**take)["rows"]
    erased = {table: counts["erased"] for table, counts in rows.items() if counts.get("erased")}
    assert erased == {
        "frames": 3, "events": 3, "anchors": 1, "tasks": 1, "traces": 1, "tool_calls": 1
    }  # fmt: skip
    assert (rows["frames"]["existing"], rows["frames"]["imported"]) == (1, 0)
    nowhere()
    assert not shop.project.kept_rows.exists()
    told = verify_import(workspace=acme, path=store.path)
    assert (told["status"], told["tables"]["events"]["erased"]) == ("ok", 3)
    assert Frame.unscoped.count() == 1


def test_what_moved_up_is_no_difference_to_its_store(acme, alice, bob, tmp_path, shop):
    store = LocalStore(tmp_path / "context.db")
    for depth, name in enumerate(("top", "bad", "kept", "deep")):
        store.add("frames", frame_id=name, run_id="r", project_id="p", type="task", name=name,
                  parent_frame_id=("top", "bad", "kept")[depth - 1] if depth else None,
                  depth=depth, state="active", created_at=1_790_000_000)  # fmt: skip
    store.db.execute("COMMIT")
    import_stackmemory(workspace=acme, path=store.path, options=Options(project="shop"))
    theirs = Frame.unscoped.filter(source_id__in=("kept", "deep"))
    theirs.update(visibility="private", owner=bob)
    with workspace_scope(acme.pk):
        doing.take(doing.find(shop.actor, Frame.unscoped.get(source_id="bad")))
    assert set(theirs.values_list("source_id", "depth")) == {("kept", 1), ("deep", 2)}
    told = verify_import(workspace=acme, path=store.path)
    counts = told["tables"]["frames"]
    assert (told["status"], counts["same"], counts["erased"]) == ("ok", 1, 3)
    theirs.filter(source_id="deep").update(name="another")
    assert verify_import(workspace=acme, path=store.path)["differing"][0]["id"] == "deep"


def test_who_may_and_what_stays(acme, alice, bob, login):
    project = make_project(acme)
    top = call(project, name="Team work")
    private = call(project, top, name="Bob's own", visibility="private", owner=bob)
    inner = call(project, private, name="Bob's deeper", visibility="private", owner=bob)
    happen(acme, inner, [("note", {"text": "mine"})])
    theirs = login(bob)
    assert theirs.get(f"/w/acme/f/{top.pk}/erasure/").status_code == 403
    page = login(alice).get(f"/w/acme/f/{top.pk}/erasure/")
    assert "1 frame below is not yours to erase" in page.text or "2 frames below are" in page.text
    url = f"/w/acme/f/{top.pk}/erasure/"
    assert login(alice).post(url, {"typed": "yes"}).status_code == 422
    Project.unscoped.update(settings={"retention": Policy(hold="Case 7").stored()})
    assert "under legal hold" in login(alice).post(url, {"typed": "erase"}).text
    assert Frame.unscoped.count() == 3
    Project.unscoped.update(settings={})
    client = login(alice)
    assert client.post(url, {"typed": "erase"}).status_code == 302
    private.refresh_from_db()
    inner.refresh_from_db()
    assert (private.parent_id, private.root_id, private.depth) == (None, private.pk, 0)
    assert (inner.parent_id, inner.root_id, inner.depth) == (private.pk, private.pk, 1)
    # what is one's own and private, a member erases; nobody else even sees it
    assert login(alice).get(f"/w/acme/f/{private.pk}/erasure/").status_code == 404
    client = login(bob)
    with few_queries():
        page = client.get(f"/w/acme/f/{private.pk}/erasure/")
    assert "Type <code>erase</code>" in page.text
    client.post(f"/w/acme/f/{private.pk}/erasure/", {"typed": "erase"})
    assert not Frame.unscoped.exists()
    assert not Event.unscoped.exists()


def test_much_is_left_to_a_worker_who_may_be_killed(
    acme, alice, shop, monkeypatch, as_application, django_capture_on_commit_callbacks
):
    monkeypatch.setattr(erasing, "MOST", 0)
    monkeypatch.setattr(going, "EVENTS", 2)
    frame = call(shop.project, name=SECRET, source_id="f-1")
    happen(acme, frame, [("note", {"text": SECRET}, n) for n in range(7)])
    whole = doing.erase_events

    def dies(doomed):
        whole(doomed)
        raise KeyboardInterrupt

    api = key_for(acme, alice, "admin")
    with workspace_scope(acme.pk):
        frame.refresh_from_db()
        for _ in range(2):
            compile_context(actor=shop.actor, project=shop.project)
    assert api.get("frames/f-1/erasure").json()["quoted"] is None
    with django_capture_on_commit_callbacks() as waiting:
        assert api.post("frames/f-1/erasure", {"confirm": "erase"}).json()["state"] == "erasing"
    monkeypatch.setattr(doing, "erase_events", dies)
    ids = [str(acme.pk), "frame", str(frame.pk), str(alice.pk), "team"]
    with as_application(), pytest.raises(KeyboardInterrupt):
        jobs.erase(*ids)
    assert Frame.unscoped.filter(pk=frame.pk).exists()
    assert not Event.unscoped.exists()
    monkeypatch.setattr(doing, "erase_events", whole)
    with as_application():
        jobs.erase(*ids)
        jobs.erase(*ids)
    nowhere()
    assert waiting


def test_old_events_and_large_payloads_go_from_the_object_store_too(
    acme, alice, settings, tmp_path, as_application, django_capture_on_commit_callbacks
):
    settings.STORAGES = settings.STORAGES | {"objects": folder(str(tmp_path))}
    june = datetime(2026, 6, 29, 12, tzinfo=UTC)
    project = make_project(acme)
    frames = [make_frame(project, name=name, **closed(started_at=june)) for name in (SECRET, "b")]
    for frame in frames:
        happen(
            acme, frame, [("note", {"text": f"{frame.name} said"}, n) for n in range(3)], start=june
        )
    Frame.unscoped.update(closed_at=june)
    with as_application():
        list(archive(project, now=june + timedelta(days=90), days=30))
    assert not Event.unscoped.exists()
    store = Store(acting(acme, alice))
    with django_capture_on_commit_callbacks(execute=True):
        store.say(frames[0], SECRET + "x" * 70_000)
        assert StoredPayload.unscoped.exists()
        with workspace_scope(acme.pk):
            frames[0].refresh_from_db()
            doing.take(doing.find(store.actor, frames[0]))
    assert {row["frame_id"] for row in reading.of_frames(acme.pk, [f.pk for f in frames])} == {
        frames[1].pk
    }
    assert not StoredPayload.unscoped.exists()
    assert Frame.unscoped.get().cold_count == 3


def test_a_run_takes_what_it_left_in_frames_of_others(acme, alice, shop):
    over, other = make_session(shop.project), make_session(shop.project)
    frame = call(shop.project, session=other, name="Somebody’s")
    happen(acme, frame, [("note", {"n": 1}, 0), ("error", {"n": 2}, 60)])
    Event.unscoped.filter(type="error").update(session=over)
    with workspace_scope(acme.pk):
        doing.take(doing.find(shop.actor, over))
    frame.refresh_from_db()
    assert (frame.event_count, frame.error_count, frame.last_event_at) == (
        1,
        0,
        frame.first_event_at,
    )
    assert list(shop.project.sessions.all()) == [other]
