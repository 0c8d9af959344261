"""A database that cannot: the answer says so and when to ask again, and nothing is half done."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from django.core.cache import cache
from django.db import OperationalError, connection

from frames.models import Project
from stackmemory.lib.broker import JobBroker
from tests.api.client import error_of, key_for, ok

pytestmark = pytest.mark.django_db


def failing(error: type[Exception], statement: str) -> Any:
    """While it lasts, statements that begin like this fail, as the database would have them fail."""

    def refuse(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.startswith(statement):
            raise OperationalError("the database says no") from error("the database says no")
        return execute(sql, params, many, context)

    return connection.execute_wrapper(refuse)


@pytest.mark.parametrize(
    "error",
    [psycopg.errors.DiskFull, psycopg.errors.LockNotAvailable, psycopg.errors.AdminShutdown],
)
def test_a_write_that_cannot_be_done_is_answered_and_leaves_nothing(acme, bob, error):
    agent = key_for(acme, bob, "read", "write")
    with failing(error, 'INSERT INTO "frames_project"'):
        refused = agent.post("projects", {"name": "Shop"})
    assert error_of(refused) == (503, "busy", None)
    assert refused["Retry-After"] == "1"
    assert not Project.objects.in_workspace(acme).exists()
    ok(agent.post("projects", {"name": "Shop"}), 201)


def test_workers_wait_for_a_database_that_is_away(monkeypatch, settings, caplog):
    slept: list[float] = []
    monkeypatch.setattr("stackmemory.lib.broker.time.sleep", slept.append)
    broker = JobBroker("stackmemory")
    monkeypatch.setattr(broker, "_close", lambda: None)

    def away() -> None:
        raise OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr(broker, "_claim", away)
    assert broker.dequeue() is None
    assert slept == [1]
    assert "The queue cannot be read; trying again" in caplog.text


@pytest.mark.postgresql_only
@pytest.mark.django_db(transaction=True)
def test_a_lock_that_is_held_too_long_costs_one_request(acme, bob):
    """A real one: somebody holds the row, and the request's patience is short."""
    cache.set("held", 1)
    parameters = connection.get_connection_params()
    with psycopg.connect(**parameters) as other:
        other.execute("UPDATE stackmemory_cacheentry SET expires = NULL")
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '50ms'")
        try:
            with pytest.raises(OperationalError, match="lock timeout"):
                cache.incr("held")
            other.rollback()
            assert cache.incr("held") == 2
        finally:
            with connection.cursor() as cursor:
                cursor.execute("RESET lock_timeout")
