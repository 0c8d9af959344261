"""Hearing from the database that something was written: one listener a process, for all who wait.

PostgreSQL notifies on a connection of the listener's own, outside Django's and outside a pool: a
pooler in transaction mode hands connections on and would lose what is heard, so behind one
DATABASE_DIRECT_URL names the database itself. SQLite has nothing of the kind; there the listener
looks whether the file has changed. Both say when they may have missed something, and whoever waits
then reads what is new from rows; nothing rests on a notification arriving.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Awaitable, Callable
from typing import Any

import psycopg
from django.conf import settings
from django.db import connections
from django.db.utils import Error

from stackmemory.lib import measures
from stackmemory.lib.database_url import database_settings

logger = logging.getLogger(__name__)
NAME = "stackmemory listener"
# A server that went away without a word is noticed after so long.
SILENCE = 10.0
PATIENCE = 5.0
FIRST_WAIT, LONGEST_WAIT = 0.1, 1.0
# How often a SQLite file is looked at: a look costs microseconds.
LOOK_EVERY = 0.1

Heard = Callable[[str], None]
# Called after every (re)connection, before anything is heard on it: something may have been missed.
Missed = Callable[[], Awaitable[None]]


class Listener:
    """Runs until it is cancelled. `connected` says whether it hears now."""

    def __init__(self, channel: str, heard: Heard, missed: Missed) -> None:
        self.channel, self.heard, self.missed = channel, heard, missed
        self.connected = False

    async def run(self) -> None:
        """Listen; after a failure, again, waiting a little longer each time up to LONGEST_WAIT."""
        wait = FIRST_WAIT
        while True:
            try:
                await self._listen()
            except (Error, psycopg.Error, sqlite3.Error, OSError, TimeoutError) as problem:
                if self.connected:
                    measures.listener_cuts.inc()
                    wait = FIRST_WAIT
                logger.warning(
                    "The listener lost the database (%s); trying again in %.1f s",
                    str(problem).strip().partition("\n")[0] or type(problem).__name__,
                    wait,
                )
            finally:
                if self.connected:
                    measures.listeners.dec()
                self.connected = False
            await asyncio.sleep(wait)
            wait = min(wait * 2, LONGEST_WAIT)

    async def _listen(self) -> None:
        raise NotImplementedError

    async def _is_connected(self) -> None:
        self.connected = True
        measures.listeners.inc()
        await self.missed()
        logger.info("The listener hears the database")


class PostgresListener(Listener):
    async def _listen(self) -> None:
        connection = await psycopg.AsyncConnection.connect(**direct_parameters(), autocommit=True)
        async with connection:
            await connection.execute(f'LISTEN "{self.channel}"')
            await self._is_connected()
            while True:
                async for notice in connection.notifies(timeout=SILENCE):
                    self.heard(notice.payload)
                await asyncio.wait_for(connection.execute("SELECT 1"), PATIENCE)


class SqliteListener(Listener):
    async def _listen(self) -> None:
        file = sqlite3.connect(
            f"file:{settings.DATABASES['default']['NAME']}?mode=ro", uri=True, timeout=PATIENCE
        )
        try:
            seen = None
            while True:
                # Another number whenever somebody else has committed.
                [(now,)] = file.execute("PRAGMA data_version").fetchall()
                if now != seen:
                    seen = now
                    await self._look()
                await asyncio.sleep(LOOK_EVERY)
        finally:
            file.close()

    async def _look(self) -> None:
        if self.connected:
            await self.missed()
        else:
            await self._is_connected()


def listener(channel: str, heard: Heard, missed: Missed) -> Listener:
    """The listener for the database we have."""
    kind = PostgresListener if connections["default"].vendor == "postgresql" else SqliteListener
    return kind(channel, heard, missed)


def direct_parameters() -> dict[str, Any]:
    """What psycopg needs to reach the database itself, past any pooler."""
    config = settings.DATABASES["default"]
    if settings.DATABASE_DIRECT_URL:
        config = database_settings(settings.DATABASE_DIRECT_URL, require_tls=settings.PRODUCTION)
    known = {option.keyword.decode() for option in psycopg.pq.Conninfo.get_defaults()}
    given = {
        "dbname": config["NAME"],
        "user": config.get("USER"),
        "password": config.get("PASSWORD"),
        "host": config.get("HOST"),
        "port": config.get("PORT"),
    } | {key: value for key, value in config.get("OPTIONS", {}).items() if key in known}
    return {
        "connect_timeout": int(PATIENCE),
        "application_name": NAME,
        "keepalives_idle": int(SILENCE),
    } | {key: value for key, value in given.items() if value not in (None, "")}
