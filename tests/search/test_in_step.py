"""Documents follow what they are made of: by jobs, and by the clock where a job was lost."""

from __future__ import annotations

import io
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from frames import calls
from frames.anchoring import add_anchor, change_anchor, supersede
from frames.models import Event, Frame
from frames.signals import changed
from frames.tasking import change_status, create_task
from search import embedding, indexing, jobs, repair
from search.indexing import reindex
from search.models import Document, IndexedFrame
from search.searching import search
from stackmemory.lib import queue
from stackmemory.lib.refusal import Refusal
from stackmemory.lib.tenancy import workspace_scope
from stackmemory.models import Job
from tests.search.conftest import acting

pytestmark = pytest.mark.django_db


@pytest.fixture
def at_work(settings: Any, monkeypatch: Any, django_capture_on_commit_callbacks: Any) -> Any:
    """Jobs run as soon as a transaction has ended."""
    ran: list[tuple[Any, ...]] = []

    def run(job: str, *ids: str) -> None:
        ran.append((job, *ids))
        getattr(jobs, job.rpartition(".")[2])(*ids)

    monkeypatch.setattr("stackmemory.lib.queue.async_task", run)

    class Work:
        def __enter__(self) -> list[tuple[Any, ...]]:
            self.capture = django_capture_on_commit_callbacks(execute=True)
            self.capture.__enter__()
            return ran

        def __exit__(self, *raised: Any) -> None:
            self.capture.__exit__(*raised)

    return Work


def texts(workspace, **where):
    with workspace_scope(workspace.pk):
        rows = Document.objects.in_workspace(workspace).filter(**where)
        return sorted(rows.values_list("text", flat=True))


def one(workspace, **where):
    with workspace_scope(workspace.pk):
        return Document.objects.in_workspace(workspace).get(**where)


def test_what_verbs_write_can_be_found_after_the_job(shop, acme, at_work):
    with at_work():
        frame = shop.frame("Fix the till")
        shop.say(frame, "The drawer jams", "Oil helped")
        shop.anchor("Never open the drawer by force", "CONSTRAINT")
    assert texts(acme, kind="event") == ["Oil helped", "The drawer jams"]
    assert one(acme, kind="frame").title == "Fix the till"
    assert texts(acme, kind="anchor") == ["Never open the drawer by force"]


def test_jobs_carry_ids_alone_and_may_run_twice(shop, acme, at_work):
    with at_work() as ran:
        shop.say(shop.frame("Fix the till"), "The drawer jams")
    assert {job for job, *_ in ran} == {"search.jobs.index_changed"}
    before = list(Document.unscoped.order_by("pk").values_list("pk", "content_hash"))
    for _, *ids in ran:
        jobs.index_changed(*ids)
    assert list(Document.unscoped.order_by("pk").values_list("pk", "content_hash")) == before


def test_a_closed_frame_is_found_by_its_result(shop, acme, at_work):
    with at_work():
        frame = shop.frame("Fix the till")
    with at_work(), workspace_scope(acme.pk):
        calls.close_frame(actor=shop.actor, frame=frame, result="Oiled the rails")
    document = one(acme, kind="frame")
    assert "Oiled the rails" in document.text
    assert document.is_open is False


def test_a_changed_anchor_and_a_done_task_follow(shop, acme, at_work):
    with at_work():
        anchor = shop.anchor("Use SQLite")
        with workspace_scope(acme.pk):
            task, _ = create_task(
                actor=shop.actor, project=shop.project, title="Move", priority="high"
            )
    with at_work(), workspace_scope(acme.pk):
        change_anchor(actor=shop.actor, anchor=anchor, text="Use PostgreSQL", pinned=True)
        change_status(actor=shop.actor, task=task, status="completed")
    document = one(acme, kind="anchor")
    assert (document.text, document.pinned) == ("Use PostgreSQL", True)
    done = one(acme, kind="task")
    assert (done.type, done.is_open, done.score) == ("completed", False, 0.8)


def test_promoted_and_replaced_things_follow_without_a_job(shop, acme, monkeypatch, django_capture_on_commit_callbacks):  # fmt: skip
    frame = shop.frame("Secret", visibility="private")
    shop.say(frame, "hush")
    old = shop.anchor("Use SQLite")
    reindex(workspace=acme)
    assert one(acme, kind="event").private_to == shop.actor.user
    monkeypatch.setattr("stackmemory.lib.queue.async_task", lambda *given: None)
    with django_capture_on_commit_callbacks(execute=True), workspace_scope(acme.pk):
        calls.promote_frame(actor=shop.actor, frame=frame)
        add_anchor(actor=shop.actor, project=shop.project, text="Use PostgreSQL", supersedes=old)
    assert one(acme, kind="event").private_to is None
    assert one(acme, kind="anchor", object_id=old.pk).superseded is True


def test_what_is_erased_is_not_found_a_moment_longer(shop, acme, at_work, monkeypatch):
    gone = shop.anchor("Our password is swordfish")
    reindex(workspace=acme)
    monkeypatch.setattr("stackmemory.lib.queue.async_task", lambda *given: None)
    with workspace_scope(acme.pk):
        assert [hit.document.object_id for hit in search(actor=shop.actor, text="swordfish")] == [
            gone.pk
        ]
    erased = gone.pk
    with at_work(), workspace_scope(acme.pk):
        gone.delete()
        changed(acme, "anchor", [erased], at_once=True)
    with workspace_scope(acme.pk):
        assert search(actor=shop.actor, text="swordfish") == []
    assert texts(acme) == []


def test_a_refused_change_leaves_no_job(shop, acme, at_work):
    old = shop.anchor("Use SQLite")
    refused = pytest.raises(Refusal, match="replace itself")
    with at_work() as ran, workspace_scope(acme.pk), refused:
        supersede(actor=shop.actor, old=old, new=old)
    assert ran == []


def test_the_clock_finds_what_a_lost_job_left(shop, acme, globex, at_work, as_application):
    shop.say(shop.frame("Fix the till"), "The drawer jams")
    with as_application():
        assert repair.behind() == [acme.pk]
        with at_work() as ran:
            jobs.find_missing()
        assert ran == [("search.jobs.catch_up", str(acme.pk))]
        assert repair.behind() == []
    assert texts(acme, kind="event") == ["The drawer jams"]


def test_silent_events_are_looked_at_once(shop, acme, django_assert_max_num_queries):
    frame = shop.frame("Quiet")
    shop.say(frame, *["" for _ in range(30)])
    reindex(workspace=acme)
    assert texts(acme, kind="event") == []
    with workspace_scope(acme.pk):
        assert IndexedFrame.objects.in_workspace(acme).get().events == 30
    assert repair.behind() == []
    shop.say(frame, "at last")
    assert repair.behind() == [acme.pk]
    reindex(workspace=acme)
    assert texts(acme, kind="event") == ["at last"]


def test_stale_and_orphaned_documents_are_renewed(shop, acme, at_work):
    frame, gone = shop.frame("Fix the till"), shop.anchor("Gone")
    reindex(workspace=acme)
    Frame.unscoped.filter(pk=frame.pk).update(name="Mend the till")
    gone.delete()
    with at_work():
        jobs.check_fresh()
    assert one(acme, kind="frame").title == "Mend the till"
    assert texts(acme, kind="anchor") == []


def test_documents_get_vectors_in_the_job(shop, acme, at_work, with_meaning):
    with at_work():
        shop.say(shop.frame("Fix the till"), "The drawer jams")
    with workspace_scope(acme.pk):
        documents = Document.objects.in_workspace(acme)
        assert documents.count() == documents.filter(embeddings__dimension=384).count() == 2
    jobs.catch_up(str(acme.pk))
    assert repair.behind() == []


def test_much_is_caught_up_with_in_portions_and_nothing_twice(
    shop, acme, settings, monkeypatch, with_meaning
):
    """A worker is kept for one; between them goes what waits. Killed anywhere, the next goes on."""
    settings.Q_CLUSTER = settings.Q_CLUSTER | {"sync": False}
    monkeypatch.setattr(jobs, "PORTION", 0)
    monkeypatch.setattr(indexing, "BATCH", 10)
    monkeypatch.setattr(embedding, "BATCH", 10)
    wrote, plain = [], indexing.index

    def index(**asked):
        if len(wrote) == 3 and None not in wrote:
            wrote.append(None)
            raise KeyboardInterrupt
        wrote.append(plain(**asked))
        return wrote[-1]

    monkeypatch.setattr(indexing, "index", index)
    frame = shop.frame("Fix the till")
    shop.say(frame, *[f"Word {number}" for number in range(35)], *[""] * 25)
    Job.objects.all().delete()
    jobs.find_missing()
    jobs.find_missing()
    begun, missing = 0, Job.objects.filter(name="search.jobs.catch_up", state="waiting")
    while job := missing.first():
        assert missing.count() == 1
        if begun == 4:  # somebody's import ends: one of the two does for both
            queue.enqueue(jobs.CATCH_UP, acme.pk)
        begun += 1
        Job.objects.filter(pk=job.pk).update(state="running", attempts=1)
        try:
            jobs.catch_up(*job.args)
        except KeyboardInterrupt:
            Job.objects.filter(pk=job.pk).update(state="waiting", attempts=0)
            continue
        jobs.find_missing()
        Job.objects.filter(pk=job.pk).update(state="done")
    assert sum(filter(None, wrote)) == Document.unscoped.count() == 36
    assert Document.unscoped.filter(embeddings__isnull=False).count() == 36
    assert 8 <= begun <= 14
    assert repair.behind() == []


def test_another_team_s_ids_index_nothing(shop, acme, globex):
    frame = shop.frame("Fix the till")
    jobs.index_changed(str(globex.pk), "frame", str(frame.pk))
    assert Document.unscoped.count() == 0


def test_reindex_command_tells_and_repeats(shop, acme, globex, as_application):
    shop.say(shop.frame("Fix the till"), "The drawer jams")
    assert Event.unscoped.count() == 1
    with as_application():
        out = io.StringIO()
        call_command("reindex", workspace="acme", stdout=out)
        assert "acme: 2 documents written" in out.getvalue()
        out = io.StringIO()
        call_command("reindex", stdout=out)
        assert "acme: 0 documents written" in out.getvalue()
        assert "globex: 0 documents written" in out.getvalue()
        with pytest.raises(CommandError, match="no workspace “nobody”"):
            call_command("reindex", workspace="nobody")


def test_acting_is_by_role(acme, alice):
    assert "write" in acting(acme, alice).permissions
    assert "write" not in acting(acme, alice, "viewer").permissions
