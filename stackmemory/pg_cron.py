"""Handing schedules to pg_cron, PostgreSQL's own clock, and taking them back.

pg_cron lives in one database of the server (`cron.database_name`) and runs statements in any. What
it has is marked on our schedule by `repeats = 0`, which the worker's clock passes over.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from django.db import DatabaseError, connection, transaction
from django_q.models import Schedule

from stackmemory.schedules import IN_SQL, SCHEDULES

BY_CRON, BY_WORKER = 0, -1


class NoCron(Exception):
    """Why pg_cron cannot be used here, and the mend."""


@dataclass(frozen=True)
class Handed:
    name: str
    clock: str


def hand_over() -> list[Handed]:
    """Have pg_cron run what is SQL alone; again changes nothing. Raises NoCron."""
    with _cron() as (cron, database):
        for name, sql in IN_SQL.items():
            cron.execute(
                "SELECT cron.schedule_in_database(%s, %s, %s, %s)",
                [_job(database, name), clock(SCHEDULES[name][1]), sql, database],
            )
        _mark(list(IN_SQL), BY_CRON)
    return [Handed(name, clock(SCHEDULES[name][1])) for name in IN_SQL]


def take_back() -> list[str]:
    """Have the worker run everything again. Raises NoCron."""
    with _cron() as (cron, database):
        rows = cron.execute(
            "SELECT jobid, jobname FROM cron.job WHERE jobname LIKE %s",
            [_job(database, "").replace("_", "\\_") + "%"],
        ).fetchall()
        for id_, _ in rows:
            cron.execute("SELECT cron.unschedule(%s::bigint)", [id_])
        _mark(list(SCHEDULES), BY_WORKER)
    return sorted(name.partition(": ")[2] for _, name in rows)


def clock(minutes: int) -> str:
    """So many minutes as cron says it; daily things happen at night."""
    if minutes < 60:
        return f"*/{minutes} * * * *"
    return "7 * * * *" if minutes == 60 else "17 3 * * *"


@contextmanager
def _cron() -> Iterator[tuple[psycopg.Connection[Any], str]]:
    """A transaction in the database where pg_cron lives, which commits after ours."""
    if connection.vendor != "postgresql":
        raise NoCron("pg_cron is part of PostgreSQL, and this database is SQLite.")
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_database()")
        database = cursor.fetchone()[0]
    home = _home()
    if home is None:
        raise NoCron(
            "pg_cron is not loaded. Install it (Debian: postgresql-NN-cron), add pg_cron to"
            " shared_preload_libraries, and restart PostgreSQL."
        )
    given = connection.get_connection_params()  # type: ignore[attr-defined]
    try:
        with psycopg.connect(**given | {"dbname": home}) as cron, transaction.atomic():
            found = cron.execute(
                "SELECT has_schema_privilege(oid, 'USAGE') FROM pg_namespace WHERE nspname = 'cron'"
            ).fetchone()
            if found is None:
                raise NoCron(
                    f"The extension is missing. As a superuser, in the database “{home}”:"
                    " CREATE EXTENSION pg_cron;"
                )
            if not found[0]:
                raise NoCron(
                    f"This login may not use it. As a superuser, in the database “{home}”:"
                    f" GRANT USAGE ON SCHEMA cron TO {given['user']};"
                    " GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA cron TO"
                    f" {given['user']};"
                )
            yield cron, database
    except psycopg.Error as error:
        raise NoCron(f"pg_cron said: {str(error).strip().splitlines()[0]}") from error


def _home() -> str | None:
    """The database pg_cron lives in; None where it is not loaded."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT current_setting('cron.database_name', true)")
            home: str | None = cursor.fetchone()[0]
            return home
    except DatabaseError:  # it is there, and only superusers may read where
        return "postgres"


def _mark(names: list[str], repeats: int) -> None:
    Schedule.objects.filter(name__in=names).update(repeats=repeats)


def _job(database: str, name: str) -> str:
    return f"stackmemory {database}: {name}"
