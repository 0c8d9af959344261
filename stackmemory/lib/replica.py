"""Reads that may lag go to a replica, where DATABASE_REPLICA_URL names one.

Only what is read inside of `reading_scope` goes there, and only if the replica has everything that
whoever asks has written: their last write left its place in the log in the cache. A replica that is
away is done without. Tables that are not logged are not on it.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from typing import Any

from django.core.cache import cache
from django.db import DEFAULT_DB_ALIAS, Error, connection, connections, transaction
from django.http import HttpRequest, HttpResponse

from stackmemory.lib.tenancy import person, workspace_scope

logger = logging.getLogger(__name__)
REPLICA = "replica"
# Seconds a write is remembered, and a replica that did not answer is left alone.
REMEMBERED, REST = 300, 5.0
UNLOGGED = frozenset({"sessions.session", "workspaces.bucket", "stackmemory.cacheentry"})
READS = ("GET", "HEAD", "OPTIONS")
_reading: ContextVar[bool] = ContextVar("reads go to the replica", default=False)
_away_until = 0.0


class Router:
    """Everything to the primary, but for reads in a reading scope."""

    def db_for_read(self, model: Any, **hints: Any) -> str:
        lags = _reading.get() and model._meta.label_lower not in UNLOGGED
        return REPLICA if lags else DEFAULT_DB_ALIAS

    def db_for_write(self, model: Any, **hints: Any) -> str:
        return DEFAULT_DB_ALIAS

    def allow_relation(self, one: Any, other: Any, **hints: Any) -> bool:
        return True

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool:
        return db != REPLICA


class RememberWrites:
    """After a request that may have written: until where a replica has to be for its person."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        writes = request.method not in READS and not getattr(request, "only_reads", False)
        if there_is_one() and writes and (who := who_asks(request)):
            remember_write(who)
        return response


def who_asks(request: HttpRequest) -> uuid.UUID | None:
    """The person behind a request, or else its key."""
    user, key = getattr(request, "user", None), getattr(request, "api_key", None)
    who: uuid.UUID | None = getattr(user, "pk", None) or getattr(key, "pk", None)
    return who


def there_is_one() -> bool:
    return REPLICA in connections.databases


def reading_page(request: HttpRequest) -> AbstractContextManager[None]:
    """What a page that only shows reads in, within its person's scope."""
    if request.method not in READS or not there_is_one():
        return nullcontext()
    return reading_scope(request.workspace.pk, who_asks(request))  # type: ignore[attr-defined]


def remember_write(who: uuid.UUID) -> None:
    """Call it after the commit."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_current_wal_insert_lsn()::text")
        cache.set(f"wrote:{who}", cursor.fetchone()[0], REMEMBERED)


@contextmanager
def reading_scope(workspace_id: uuid.UUID, who: uuid.UUID | None) -> Iterator[None]:
    """A workspace's scope that writes nothing, and may see what was a moment ago.

    `who` asks: what they wrote, they see.
    """
    with workspace_scope(workspace_id, reading=True):
        if not there_is_one() or not _has_all_of(who):
            yield
            return
        with transaction.atomic(using=REPLICA):
            with connections[REPLICA].cursor() as cursor:
                cursor.execute(
                    "SELECT set_config('app.workspace_id', %s, true),"
                    " set_config('app.person_id', %s, true)",
                    [str(workspace_id), person()],
                )
            token = _reading.set(True)
            try:
                yield
            finally:
                _reading.reset(token)


def _has_all_of(who: uuid.UUID | None) -> bool:
    """Whether the replica answers, and has what this person wrote last."""
    global _away_until
    if time.monotonic() < _away_until:
        return False
    written = cache.get(f"wrote:{who}") if who else None
    try:
        with connections[REPLICA].cursor() as cursor:
            cursor.execute(
                "SELECT pg_last_wal_replay_lsn() >= coalesce(%s::pg_lsn, '0/0')", [written]
            )
            return bool(cursor.fetchone()[0])
    except Error:
        logger.warning("The replica does not answer; reads go to the primary", exc_info=True)
        connections[REPLICA].close()
        _away_until = time.monotonic() + REST
        return False
