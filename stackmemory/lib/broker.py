"""django-q2's broker over the table of jobs: who gets which job, and for how long.

A claimed job belongs to its claimer for LEASE seconds, and for as long as it is renewed while it
runs. A worker, a cluster or a machine that dies stops renewing, and the job is handed out again.

PostgreSQL: claims by FOR UPDATE SKIP LOCKED, a batch at a time, and waits by LISTEN. SQLite: one
writer at a time needs no locks, and waiting is asking again.
"""

from __future__ import annotations

import json
import logging
import time
from typing import Any

import psycopg
from django.conf import settings
from django.db import Error, connection
from django.utils import timezone
from django_q.brokers import Broker
from django_q.conf import Conf
from django_q.humanhash import uuid
from django_q.signing import SignedPackage

from stackmemory.lib.along import carry_out
from stackmemory.lib.listen import direct_parameters

logger = logging.getLogger(__name__)
CHANNEL = "stackmemory_jobs"
RUN = "stackmemory.lib.queue.run"
# Seconds by which a job is due earlier that somebody sits and waits for: the queue goes by that time.
AHEAD = 86_400
# Without a notice, how long until the queue is looked at again: retries and leases fall due.
IDLE, POLL = 0.5, 0.2
# What is lost with these writes in a crash of the server is done again.
QUICK = "(SELECT set_config('synchronous_commit', 'off', true)) AS quick"


def now() -> str:
    """The database's own clock, which machines with other clocks agree on."""
    if connection.vendor == "postgresql":
        return "now()"
    return "strftime('%%Y-%%m-%%d %%H:%%M:%%f', 'now')"


def later() -> str:
    """The database's clock so many seconds on, which is a parameter."""
    if connection.vendor == "postgresql":
        return "(now() + make_interval(secs => %s))"
    return "strftime('%%Y-%%m-%%d %%H:%%M:%%f', 'now', %s || ' seconds')"


def insert(name: str, args: list[Any], *, queue: str, once: str | None = None) -> int | None:
    """Put a job into the queue, in the transaction we are in; None if `once` has one already."""
    with connection.cursor() as cursor:
        cursor.execute(_insertion(), [queue, name, json.dumps(args), 0, once])
        row = cursor.fetchone()
    return int(row[0]) if row else None


def put(name: str, args: list[Any], *, queue: str, ahead: bool = False) -> None:
    """As insert(), for whom it is enough that it will be there; `ahead` of what waits already."""
    carry_out(_insertion(), [queue, name, json.dumps(args), -AHEAD if ahead else 0, None])


def _insertion() -> str:
    sql = (
        "INSERT INTO stackmemory_job"
        " (queue, name, args, state, due_at, attempts, error, once, created_at)"
        f" VALUES (%s, %s, %s, 'waiting', {later()}, 0, '', %s, {now()})"
        " ON CONFLICT DO NOTHING RETURNING id"
    )
    if connection.vendor == "postgresql":
        sql = f"WITH job AS ({sql}) SELECT id, pg_notify('{CHANNEL}', '') FROM job"
    return sql


class JobBroker(Broker):
    """What django-q2 asks for. A job's ack id is its id and the lease it was claimed with."""

    listener: psycopg.Connection[Any] | None = None

    @staticmethod
    def get_connection(list_key: str | None = None) -> Any:
        return None

    def enqueue(self, task: str) -> int | None:
        """From async_task, which schedules use: `group` is the word of which one may be alive."""
        package: dict[str, Any] = SignedPackage.loads(task)
        name, args = package["func"], list(package["args"])
        if name == RUN:
            name, args = args[0], args[1:]
        if not isinstance(name, str) or set(package["kwargs"]) - {"q_options"}:
            raise TypeError("a job is the dotted path of a function of ids and words")
        return insert(name, args, queue=self.list_key, once=package.get("group"))

    def dequeue(self) -> list[tuple[Any, str]] | None:
        """The next jobs; after a while None. A database that does not answer is waited for."""
        try:
            rows = self._claim()
            if not rows:
                self._wait()
                return None
        except (Error, psycopg.Error):
            logger.exception("The queue cannot be read; trying again")
            self._close()
            time.sleep(1)
            return None
        return [((id_, lease), self._package(id_, name, args)) for id_, lease, name, args in rows]

    def _claim(self) -> list[tuple[Any, ...]]:
        due = "queue = %s AND state IN ('waiting', 'running') AND due_at <= "
        chosen = (
            f"SELECT id, due_at FROM stackmemory_job WHERE {due} {now()} ORDER BY due_at LIMIT %s"
        )
        values: list[Any] = [self.list_key, Conf.BULK]
        if connection.vendor == "postgresql":
            self._listen()  # before looking, so that nothing falls between
            sql = (
                f"WITH next AS MATERIALIZED ({chosen} FOR UPDATE SKIP LOCKED)"
                f" UPDATE stackmemory_job AS j SET due_at = {later()} FROM next, {QUICK}"
                " WHERE j.id = next.id RETURNING next.due_at, j.id, j.due_at, j.name, j.args"
            )
            with connection.cursor() as cursor:
                cursor.execute(sql, [*values, settings.JOBS_LEASE])
                return [row[1:] for row in sorted(cursor.fetchall(), key=lambda row: row[:2])]
        sql = (
            f"UPDATE stackmemory_job SET due_at = {later()}"
            f" WHERE id IN (SELECT id FROM ({chosen}))"
            " RETURNING id, CAST(due_at AS text), name, args"
        )
        with connection.cursor() as cursor:  # asking is cheap; claiming keeps others waiting
            cursor.execute(chosen, values)
            order = {id_: (due_at, id_) for id_, due_at in cursor.fetchall()}
            if not order:
                return []
            cursor.execute(sql, [settings.JOBS_LEASE, *values])
            # One that another process left to us meanwhile was not in the first answer.
            last = max(order.values())
            return sorted(cursor.fetchall(), key=lambda row: order.get(row[0], last))

    def _package(self, id_: int, name: str, args: Any) -> str:
        args = json.loads(args) if isinstance(args, str) else args
        task = {
            "id": uuid()[1],
            "name": f"{name} {id_}",
            "func": RUN,
            "args": (name, *args),
            "kwargs": {},
            "started": timezone.now(),
            "save": False,
        }
        return str(SignedPackage.dumps(task))

    def _wait(self) -> None:
        if self.listener is None:
            time.sleep(POLL)
            return
        for _ in self.listener.notifies(timeout=IDLE, stop_after=1):
            pass

    def _listen(self) -> None:
        """A connection of our own: behind a transaction pooler, notices reach a direct one alone."""
        if self.listener is not None:
            return
        self.listener = psycopg.connect(**direct_parameters(), autocommit=True)
        self.listener.execute(f"LISTEN {CHANNEL}")

    def _close(self) -> None:
        if self.listener is not None:
            self.listener.close()
            self.listener = None
        connection.close()

    def fail(self, task_id: tuple[int, Any]) -> None:
        """A package that cannot be opened, though it was made a moment ago in this very process."""
        logger.error("Job %s could not be handed on", task_id[0])

    def queue_size(self) -> int:
        return self._count("state = 'waiting'")

    def lock_size(self) -> int:
        return self._count("state = 'running'")

    def purge_queue(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "DELETE FROM stackmemory_job WHERE queue = %s AND state = 'waiting'",
                [self.list_key],
            )

    delete_queue = purge_queue

    def _count(self, condition: str) -> int:
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT count(*) FROM stackmemory_job WHERE queue = %s AND {condition}",
                [self.list_key],
            )
            return int(cursor.fetchone()[0])

    def ping(self) -> bool:
        return True

    def info(self) -> str:
        return "StackMemory's jobs"
