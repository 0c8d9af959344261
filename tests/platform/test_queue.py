"""Jobs: in the transaction that asks for them, tried again, given up in sight, and never lost."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.urls import reverse
from django.utils import timezone
from django_q import tasks
from django_q.models import Schedule
from django_q.scheduler import scheduler
from django_q.signals import pre_execute
from django_q.signing import SignedPackage

from stackmemory import schedules, vitals
from stackmemory.lib import queue
from stackmemory.lib.broker import JobBroker
from stackmemory.lib.queue import enqueue, enqueue_once
from stackmemory.models import Job
from workspaces.models import User

pytestmark = pytest.mark.django_db
HERE = "tests.platform.test_queue"
done: list[tuple[str, ...]] = []
fails: list[bool] = []


def job(*ids: str) -> None:
    done.append(ids)
    if fails and fails.pop(0):
        raise ValueError("could not do it")


@pytest.fixture(autouse=True)
def queued(settings: Any, monkeypatch: Any) -> None:
    """As in production: jobs wait for a worker, which here is work()."""
    settings.Q_CLUSTER = settings.Q_CLUSTER | {"sync": False}
    monkeypatch.setattr(JobBroker, "_wait", lambda self: None)
    done.clear()
    fails.clear()


@pytest.fixture
def broker() -> Any:
    broker = JobBroker("stackmemory")
    yield broker
    if broker.listener:
        broker.listener.close()


def work(broker: JobBroker, claimed: Any = None) -> int:
    """What a worker process does with what the broker hands out."""
    claimed = broker.dequeue() or [] if claimed is None else claimed
    for ack_id, package in claimed:
        task = SignedPackage.loads(package) | {"ack_id": ack_id}
        pre_execute.send(sender="test", func=queue.run, task=task)
        assert task["ack_id"] is None, "django-q2's monitor would settle it too"
        queue.run(*task["args"])
    return len(claimed)


def due(**fields: Any) -> None:
    """Let time pass."""
    Job.objects.update(due_at=timezone.now() - timedelta(seconds=1), **fields)


def test_a_job_belongs_to_the_transaction_that_asks_for_it(broker):
    with transaction.atomic():
        enqueue(f"{HERE}.job", "never")
        transaction.set_rollback(True)
    enqueue(f"{HERE}.job", "1", "2")
    assert work(broker) == 1
    assert done == [("1", "2")]
    ended = Job.objects.get()
    assert (ended.state, ended.attempts, ended.error) == ("done", 1, "")
    assert ended.started_at <= ended.ended_at
    assert work(broker) == 0


def test_batches_are_claimed_once(broker):
    for number in range(14):
        enqueue(f"{HERE}.job", str(number))
    first, second = broker.dequeue(), broker.dequeue()
    assert (len(first), len(second)) == (10, 4)
    assert broker.dequeue() is None
    work(broker, second)
    work(broker, first)
    assert sorted(int(id_) for (id_,) in done) == list(range(14))


def test_what_somebody_waits_for_does_not_stand_behind_what_follows_a_backfill(broker):
    for number in range(12):
        enqueue(f"{HERE}.job", str(number))
    enqueue(f"{HERE}.job", "watched", ahead=True)
    assert vitals.backlog()["age"] < 60, "it is no day late"
    assert work(broker) == 10
    assert done[0] == ("watched",)


def test_a_failed_job_waits_longer_each_time_and_is_given_up_in_sight(broker, login):
    enqueue(f"{HERE}.job", "1")
    fails.extend([True] * 5)
    pauses = []
    for _ in range(5):
        assert work(broker) == 1
        pauses.append(Job.objects.get().due_at - timezone.now())
        assert work(broker) == 0
        due()
    assert [round(p.total_seconds(), -1) for p in pauses[:4]] == [10, 40, 160, 640]
    given_up = Job.objects.get()
    assert (given_up.state, given_up.attempts) == ("dead", 5)
    assert "ValueError: could not do it" in given_up.error

    browser = login(User.objects.create_superuser("o@example.com", "a long password"))
    page = browser.get(reverse("admin:stackmemory_job_changelist"), {"state": "dead"})
    assert "could not do it" in page.content.decode()
    address = reverse("admin:stackmemory_job_change", args=[given_up.pk])
    assert "Traceback" in browser.get(address).content.decode()
    assert browser.post(address, {"state": "done"}).status_code == 403

    def choose(action: str) -> str:
        form = {"action": action, "_selected_action": [given_up.pk]}
        address = reverse("admin:stackmemory_job_changelist")
        return browser.post(address, form, follow=True).content.decode()

    assert "1 job begins again." in choose("retry")
    assert "1 had not been given up" in choose("discard")
    assert work(broker) == 1
    assert Job.objects.get().state == "done"
    due(state="dead")
    assert "1 job was discarded." in choose("discard")
    assert not Job.objects.exists()


def test_a_job_whose_worker_died_is_handed_out_again_but_not_for_ever(broker):
    enqueue(f"{HERE}.job", "1")
    for attempt in range(1, 6):
        ((id_, lease), _package) = broker.dequeue()[0]
        assert queue._start(id_, lease) == attempt  # and then the worker is killed
        assert broker.dequeue() is None
        due()
    assert work(broker) == 1
    assert done == []
    given_up = Job.objects.get()
    assert given_up.state == "dead"
    assert "never came back" in given_up.error


def test_a_claim_that_waited_too_long_is_left_to_who_has_it_now(broker, settings):
    enqueue(f"{HERE}.job", "1")
    stale = broker.dequeue()
    due()
    settings.JOBS_LEASE += 1  # in this test's one transaction the clock stands still
    fresh = broker.dequeue()
    work(broker, stale)
    assert done == []
    work(broker, fresh)
    assert done == [("1",)]


def test_running_for_long_keeps_a_job_ones_own(broker, settings):
    enqueue(f"{HERE}.job", "1")
    ((id_, lease), _package) = broker.dequeue()[0]
    queue._start(id_, lease)
    before = Job.objects.get().due_at
    renewal = queue._Renewal()
    renewal.job = id_
    settings.JOBS_LEASE = 60
    assert renewal.renew()
    assert Job.objects.get().due_at > before + timedelta(seconds=30)


def test_what_is_no_plain_job_is_refused():
    with pytest.raises(TypeError, match="dotted path"):
        tasks.async_task(job, object(), sync=False)
    with pytest.raises(TypeError, match="ids and words"):
        tasks.async_task(f"{HERE}.job", why="not", sync=False)
    assert not Job.objects.exists()


def test_a_word_has_one_job_alive(broker):
    assert enqueue_once("tidy", f"{HERE}.job")
    assert not enqueue_once("tidy", f"{HERE}.job")
    claimed = broker.dequeue()
    assert not enqueue_once("tidy", f"{HERE}.job")
    work(broker, claimed)
    assert enqueue_once("tidy", f"{HERE}.job")


def test_what_is_done_is_forgotten_after_a_week_and_what_is_given_up_is_not():
    for state, days in (("done", 6), ("done", 8), ("dead", 99), ("waiting", 0)):
        ended = timezone.now() - timedelta(days=days) if days else None
        now = timezone.now()
        Job.objects.create(name=state, state=state, ended_at=ended, due_at=now, created_at=now)
    assert queue.forget_ended() == 1
    assert Job.objects.count() == 3


# --- By the clock -------------------------------------------------------------------------------


def test_two_clusters_and_a_person_make_one_run(broker, login, monkeypatch):
    name = "forget expired cache entries"
    monkeypatch.setattr("django_q.tasks.Conf.SYNC", False)
    monkeypatch.setattr("django_q.scheduler.close_old_django_connections", lambda: None)
    schedules.install(using=connection.alias)
    other = JobBroker("stackmemory")
    scheduler(broker=broker)
    scheduler(broker=other)
    assert Job.objects.filter(once__isnull=False).count() == len(schedules.SCHEDULES)
    assert not enqueue_once(name, schedules.SCHEDULES[name][0])
    assert set(Job.objects.values_list("state", flat=True)) == {"waiting"}

    browser = login(User.objects.create_superuser("o@example.com", "a long password"))
    address = reverse("admin:django_q_schedule_changelist")
    page = browser.get(address).content.decode()
    assert "close idle sessions" in page
    assert "10 minutes" in page
    chosen = Schedule.objects.filter(name=name).values_list("pk", flat=True)
    form = {"action": "run_now", "_selected_action": chosen}
    assert "waiting or running already" in browser.post(address, form, follow=True).content.decode()
    Job.objects.all().delete()
    assert "runs as soon as" in browser.post(address, form, follow=True).content.decode()
    assert work(broker) == 1
    assert Job.objects.get().state == "done"
    assert "Done" in browser.get(address).content.decode()
