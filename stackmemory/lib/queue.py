"""Jobs: asked for in a transaction and begun after it commits; tried again; given up in sight.

A job is the dotted path of a function, and ids and words to call it with. The row an id names is
the truth: a job only nudges, may run twice and must bear it. lib/broker.py hands jobs to workers;
here is what a worker does with one.
"""

from __future__ import annotations

import json
import logging
import threading
import time
import traceback
from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import Error, InterfaceError, OperationalError, connection, connections, transaction
from django_q.conf import Conf
from django_q.exceptions import TimeoutException
from django_q.signals import pre_execute
from django_q.tasks import async_task

from stackmemory.lib.broker import QUICK, insert, later, now, put

logger = logging.getLogger(__name__)
ATTEMPTS = 5
FIRST_PAUSE, FACTOR = 10.0, 4  # seconds before the second attempt; then 40, 160, 640
ERROR_LENGTH = 4000
KEPT_DAYS = 7


class Busy(Exception):
    """Somebody else may be doing what the job is for: it is tried again, as one that failed."""


def enqueue(job: str, *ids: UUID | str, ahead: bool = False) -> None:
    """Run `job` (a dotted path) in a worker once this transaction commits.

    It is a row of that transaction: a rollback takes it back, and after the commit no crash of any
    process loses it. `ahead` is for what somebody watches a page for: it does not stand behind the
    hundreds of jobs by which search follows an import.
    """
    words = list(map(str, ids))
    if settings.Q_CLUSTER["sync"]:
        transaction.on_commit(partial(async_task, job, *words))
    else:
        put(job, words, queue=str(Conf.CLUSTER_NAME), ahead=ahead)


def enqueue_once(word: str, job: str, *ids: UUID | str) -> bool:
    """As enqueue(), unless a job of this word is waiting or running: then False."""
    return insert(job, list(map(str, ids)), queue=str(Conf.CLUSTER_NAME), once=word) is not None


def waits(job: str, *ids: UUID | str, or_runs: bool = False) -> bool:
    """Whether one with these words has yet to begin; `or_runs`, whether one is alive at all."""
    which = "state = 'waiting' AND attempts = 0"  # one that failed may wait for minutes
    which = "state IN ('waiting', 'running')" if or_runs else which
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT 1 FROM stackmemory_job"
            f" WHERE queue = %s AND name = %s AND {which} AND args = %s LIMIT 1",
            [str(Conf.CLUSTER_NAME), job, json.dumps(list(map(str, ids)))],
        )
        return cursor.fetchone() is not None


def run(job: str, *ids: str) -> None:
    """In a worker: carry out the job that was just handed to this process.

    Its outcome is written here, beside the work, and not by django-q2's monitor.
    """
    claim = _handed.__dict__.pop("claim", None)
    if claim is None:
        _function(job)(*ids)
        return
    id_, lease = claim
    try:
        attempt = _start(id_, lease)
    except (OperationalError, InterfaceError):
        logger.warning("The database is away; job %s begins when its lease is over", id_)
        connection.close()
        return
    if attempt is None:
        return  # waited for a worker for longer than its lease: somebody else has it
    if attempt > ATTEMPTS:
        _write(id_, "dead", "It was begun again and again, and whoever ran it never came back.")
        logger.error("job given up id=%s job=%s attempts=%s: its workers die", id_, job, ATTEMPTS)
        return
    began = time.monotonic()
    try:
        with _renewal.of(id_):
            _function(job)(*ids)
    except (Exception, TimeoutException):
        error = traceback.format_exc()
        for each in connections.all(initialized_only=True):
            if not each.in_atomic_block:
                each.close_if_unusable_or_obsolete()
        _failed(id_, job, attempt, error)
    else:
        _write(id_, "done", "")
        took = (time.monotonic() - began) * 1000
        logger.info("job done id=%s job=%s attempt=%s ms=%.0f", id_, job, attempt, took)


def retry(ids: list[int]) -> int:
    """Begin again with jobs that were given up, as if they were new; for operators."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE stackmemory_job SET state = 'waiting', attempts = 0, ended_at = NULL,"
            f" due_at = {now()} WHERE state = 'dead' AND id IN ({_marks(ids)})"
            " AND (once IS NULL OR once NOT IN (SELECT o.once FROM stackmemory_job o"
            " WHERE o.once IS NOT NULL AND o.state IN ('waiting', 'running')))",
            ids,
        )
        count = cursor.rowcount
        if connection.vendor == "postgresql":
            cursor.execute("SELECT pg_notify('stackmemory_jobs', '')")
    return int(count)


def discard(ids: list[int]) -> int:
    """Forget jobs that were given up."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"DELETE FROM stackmemory_job WHERE state = 'dead' AND id IN ({_marks(ids)})", ids
        )
        return int(cursor.rowcount)


def forget_ended() -> int:
    """For the worker: drop what was done a week ago. What was given up stays for an operator."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"DELETE FROM stackmemory_job WHERE state = 'done' AND ended_at < {later()}",
            [-KEPT_DAYS * 86_400],
        )
        return int(cursor.rowcount)


def pause_after(attempt: int) -> float:
    """Seconds until a job is tried again that has failed so many times."""
    return float(FIRST_PAUSE * FACTOR ** (attempt - 1))


# --- One job in one worker ----------------------------------------------------------------------
_handed = threading.local()


def note_claim(func: Any, task: dict[str, Any], **kwargs: Any) -> None:
    """django-q2 is about to call run(): keep which job that is, and have nobody else settle it."""
    if func is not run:
        return
    claim, task["ack_id"] = task.get("ack_id"), None
    if claim is not None:
        _handed.claim = claim


pre_execute.connect(note_claim, dispatch_uid="stackmemory.queue")


def _start(id_: int, lease: Any) -> int | None:
    """Count an attempt and return its number; None if the job is not ours any more."""
    row = _change(
        f"state = 'running', attempts = attempts + 1, started_at = {now()}, due_at = {later()}",
        "id = %s AND due_at = %s AND state IN ('waiting', 'running')",
        [settings.JOBS_LEASE, id_, lease],
        returning="attempts",
    )
    return int(row[0]) if row else None


def _failed(id_: int, job: str, attempt: int, error: str) -> None:
    if attempt >= ATTEMPTS:
        _write(id_, "dead", error)
        logger.error("job given up id=%s job=%s attempt=%s\n%s", id_, job, attempt, error)
        return
    pause = pause_after(attempt)
    values = [error[-ERROR_LENGTH:], pause, id_]
    _patiently(
        lambda: _change(f"state = 'waiting', error = %s, due_at = {later()}", "id = %s", values)
    )
    logger.warning(
        "job failed id=%s job=%s attempt=%s again_in=%.0fs\n%s", id_, job, attempt, pause, error
    )


def _write(id_: int, state: str, error: str) -> None:
    values = [state, error[-ERROR_LENGTH:], id_]
    _patiently(lambda: _change(f"state = %s, error = %s, ended_at = {now()}", "id = %s", values))


def _patiently(write: Callable[[], Any]) -> None:
    """Write an outcome even if the database is away for a moment; else the job runs again."""
    for _ in range(int(settings.JOBS_LEASE)):
        try:
            write()
            return
        except (OperationalError, InterfaceError):
            logger.warning("The database is away; the outcome of a job waits for it")
            connection.close()
            time.sleep(1)
    write()


def _change(what: str, which: str, values: list[Any], returning: str = "id") -> Any:
    """One statement on one job, which no commit waits for the disk with."""
    also = f" FROM {QUICK}" if connection.vendor == "postgresql" else ""
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE stackmemory_job SET {what}{also} WHERE {which} RETURNING {returning}", values
        )
        return cursor.fetchone()


class _Renewal:
    """A thread of the worker that keeps the job it runs its own, over a connection of its own."""

    def __init__(self) -> None:
        self.job: int | None = None
        self.turn = threading.Lock()
        self.thread: threading.Thread | None = None

    def of(self, id_: int) -> _Renewal:
        self.job = id_
        return self

    def __enter__(self) -> None:
        if self.thread is None or not self.thread.is_alive():  # a fork takes no threads along
            self.turn = threading.Lock()
            self.thread = threading.Thread(target=self._keep, daemon=True, name="job lease")
            self.thread.start()

    def __exit__(self, *raised: object) -> None:
        with self.turn:  # a renewal under way ends before the outcome is written
            self.job = None

    def _keep(self) -> None:
        while True:
            time.sleep(settings.JOBS_LEASE / 4)
            with self.turn:
                try:
                    if self.job is None:
                        connection.close()
                    elif not self.renew():
                        logger.warning("job lost id=%s: it was taken for dead", self.job)
                except Error:
                    logger.warning("The lease of job %s could not be renewed", self.job)
                    connection.close()

    def renew(self) -> bool:
        values = [settings.JOBS_LEASE, self.job]
        return bool(_change(f"due_at = {later()}", "id = %s AND state = 'running'", values))


_renewal = _Renewal()


def _function(path: str) -> Callable[..., Any]:
    module, _, name = path.rpartition(".")
    function: Callable[..., Any] = getattr(import_module(module), name)
    return function


def _marks(ids: list[int]) -> str:
    return ", ".join(["%s"] * len(ids)) or "NULL"
