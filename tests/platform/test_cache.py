"""Django's contract of a cache, kept by one table; and counting in it loses nothing."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.core.cache import CacheKeyWarning, cache, caches
from django.core.cache.backends.base import InvalidCacheKey
from django.db import connection, transaction

from stackmemory.lib.cache import DatabaseCache, forget_expired
from stackmemory.models import CacheEntry

pytestmark = pytest.mark.django_db


@pytest.fixture
def clock(monkeypatch: Any) -> Any:
    """clock(5): five seconds pass."""
    passed = [0.0]
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + passed[0])
    return lambda seconds: passed.__setitem__(0, passed[0] + seconds)


def test_values_of_every_kind_come_back_as_they_were():
    values = {
        "string": "für alle \x00 ☃",
        "bytes": b"\x00\xff",
        "whole": 42,
        "negative": -(2**63),
        "huge": 2**70,
        "true": True,
        "none": None,
        "float": 1.5,
        "list": [1, (2, {"3": {4}})],
        "function": len,
        "empty": "",
    }
    assert cache.set_many(values) == []
    assert cache.get_many([*values, "absent"]) == values
    for key, value in values.items():
        cache.set(key, "else")
        cache.set(key, value)
        assert cache.get(key, "default") == value
        assert type(cache.get(key)) is type(value)
        assert key in cache
    assert cache.get("absent") is None
    assert cache.get("absent", "default") == "default"
    assert "absent" not in cache


def test_each_operation_is_one_statement(django_assert_num_queries):
    for operation in (
        lambda: cache.set("a", 1),
        lambda: cache.get("a"),
        lambda: cache.add("a", 2),
        lambda: cache.incr("a"),
        lambda: cache.touch("a"),
        lambda: cache.set_many({str(n): n for n in range(150)}),
        lambda: cache.get_many([str(n) for n in range(150)]),
        lambda: cache.delete_many([str(n) for n in range(150)]),
        lambda: cache.delete("a"),
    ):
        with django_assert_num_queries(1):
            operation()


def test_add_sets_only_what_is_not_there(clock):
    assert cache.add("a", 1) is True
    assert cache.add("a", 2) is False
    assert cache.get("a") == 1
    cache.set("b", 1, 10)
    clock(11)
    assert cache.add("b", 2) is True
    assert cache.get("b") == 2


def test_get_or_set():
    assert cache.get_or_set("a", lambda: 1) == 1
    assert cache.get_or_set("a", 2) == 1
    assert cache.get_or_set("none", None) is None
    assert cache.get("none", "default") is None
    with pytest.raises(TypeError):
        cache.get_or_set("a")


def test_delete_says_whether_there_was_something(clock):
    cache.set("a", 1)
    assert cache.delete("a") is True
    assert cache.delete("a") is False
    cache.set("b", 1, 1)
    clock(2)
    assert cache.delete("b") is False
    cache.set_many({"c": 1, "d": 2})
    cache.delete_many(["c", "d", "absent"])
    assert cache.get_many(["c", "d"]) == {}
    cache.set("e", 1)
    cache.clear()
    assert cache.get("e") is None


def test_counting():
    cache.set("n", 41, 100)
    assert cache.incr("n") == 42
    assert cache.incr("n", 10) == 52
    assert cache.decr("n") == 51
    assert cache.incr("n", -50) == 1
    assert cache.get("n") == 1
    for missing in (cache.incr, cache.decr):
        with pytest.raises(ValueError, match="not found"):
            missing("absent")
    cache.set("text", "1")
    with pytest.raises(TypeError, match="whole number"):
        cache.incr("text")


def test_expiry(clock, settings):
    cache.set("default", 1)
    cache.set("short", 1, 10)
    cache.set("never", 1, None)
    cache.set("now", 1, 0)
    cache.set("past", 1, -1)
    assert (cache.get("now"), cache.get("past")) == (None, None)
    clock(9)
    assert cache.get("short") == 1
    cache.incr("short")
    clock(2)
    assert cache.get("short") is None, "incr must not prolong"
    assert "short" not in cache
    with pytest.raises(ValueError, match="not found"):
        cache.incr("short")
    clock(300)
    assert cache.get_many(["default", "never"]) == {"never": 1}


def test_touch(clock):
    cache.set("a", 1, 10)
    assert cache.touch("a", 100) is True
    clock(50)
    assert cache.get("a") == 1
    assert cache.touch("a", None) is True
    clock(10**6)
    assert cache.get("a") == 1
    assert cache.touch("a", 0) is True
    assert cache.get("a") is None
    assert cache.touch("absent") is False


def test_versions_and_prefixes_are_keys_of_their_own():
    cache.set("a", 1)
    cache.set("a", 2, version=2)
    assert (cache.get("a"), cache.get("a", version=2)) == (1, 2)
    assert cache.incr_version("a", version=2) == 3
    assert cache.get("a", version=2) is None
    assert cache.get("a", version=3) == 2
    other = DatabaseCache("", {"KEY_PREFIX": "other"})
    assert other.get("a") is None


def test_keys_that_others_refuse_are_warned_about():
    for key in ("key with spaces", "k" * 251):
        with pytest.warns(CacheKeyWarning):
            cache.set(key, 1)
    assert InvalidCacheKey


def test_a_rollback_takes_back_what_was_set():
    with transaction.atomic():
        cache.set("a", 1)
        transaction.set_rollback(True)
    assert cache.get("a") is None


def test_what_has_expired_is_deleted_by_the_clock(clock):
    cache.set_many({"a": 1, "b": 2}, 10)
    cache.set("c", 3, None)
    clock(11)
    assert forget_expired() == 2
    assert CacheEntry.objects.count() == 1


def test_the_application_may_use_it_and_its_crash_costs_no_log(as_application):
    with as_application():
        cache.set("a", {"workspace": "x"})
        assert cache.get("a") == {"workspace": "x"}
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT relname FROM pg_class WHERE relpersistence = 'u' AND relkind = 'r'"
            )
            unlogged = {name for (name,) in cursor.fetchall()}
        assert {"stackmemory_cacheentry", "django_session", "workspaces_bucket"} <= unlogged


@pytest.mark.postgresql_only
@pytest.mark.django_db(transaction=True)
def test_many_at_once_lose_nothing():
    cache.set("n", 0)
    added = []
    barrier = threading.Barrier(4)

    def work(number: int) -> None:
        mine = caches.create_connection("default")
        barrier.wait(10)
        try:
            for _ in range(50):
                mine.incr("n")
            added.append(mine.add("first", number))
            mine.set_many({f"k{n}": number for n in (range(20) if number % 2 else range(20)[::-1])})
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(work, range(4)))
    assert cache.get("n") == 200
    assert sorted(added) == [False, False, False, True]
    assert len(set(cache.get_many([f"k{n}" for n in range(20)]))) == 20
