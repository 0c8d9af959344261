"""How the database and the background are: for /metrics and for the operators' page.

Figures come from PostgreSQL's own statistics; SQLite has few, and says the rest in a sentence.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.db.models import Count, Min, Sum
from django.db.models.functions import Greatest
from django.utils import timezone

from frames import partitions
from frames.models import ArchivedPeriod
from stackmemory.models import Job

MOST = 40
TABLES = """
SELECT coalesce(parent.relname, c.relname) AS name,
       sum(pg_total_relation_size(c.oid))::bigint AS total,
       sum(pg_indexes_size(c.oid))::bigint AS indexes,
       sum(s.n_live_tup)::bigint AS live, sum(s.n_dead_tup)::bigint AS dead,
       max(greatest(s.last_autovacuum, s.last_vacuum)) AS vacuumed
  FROM pg_class c JOIN pg_stat_user_tables s ON s.relid = c.oid
  LEFT JOIN pg_inherits i ON i.inhrelid = c.oid
  LEFT JOIN pg_class parent ON parent.oid = i.inhparent
 GROUP BY 1 ORDER BY 2 DESC LIMIT %s
"""
INDEXES = """
SELECT s.indexrelname, s.relname, pg_relation_size(s.indexrelid), s.idx_scan
  FROM pg_stat_user_indexes s ORDER BY 3 DESC LIMIT %s
"""
PARTITIONS = """
SELECT parent.relname, c.relname, pg_total_relation_size(c.oid), c.reltuples::bigint
  FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
  JOIN pg_class parent ON parent.oid = i.inhparent
 WHERE parent.relkind = 'p' ORDER BY 1, 2
"""
CONNECTIONS = """
SELECT coalesce(nullif(application_name, ''), '(no name)'), coalesce(state, '(hidden)'), count(*)
  FROM pg_stat_activity WHERE datname = current_database() GROUP BY 1, 2 ORDER BY 3 DESC
"""
SLOWEST = """
SELECT query, calls, total_exec_time, mean_exec_time, rows FROM pg_stat_statements
 WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
   AND query IS NOT NULL AND query <> '<insufficient privilege>'
 ORDER BY total_exec_time DESC LIMIT %s
"""


def backlog() -> dict[str, Any]:
    """Jobs by state, and how long the one that is due longest has waited, in seconds."""
    now = timezone.now()
    states = dict(Job.objects.order_by().values_list("state").annotate(n=Count("pk")))
    due = Job.objects.filter(state="waiting", due_at__lte=now)
    found = due.aggregate(first=Min(Greatest("due_at", "created_at")), n=Count("pk"))
    age = (now - found["first"]).total_seconds() if found["first"] else 0.0
    return {
        "states": {state: states.get(state, 0) for state in Job.State.values},
        "due": found["n"],
        "age": max(age, 0.0),
    }


def months_ahead() -> int | None:
    """For how many months to come events have a place; None where they need none."""
    if connection.vendor != "postgresql":
        return None
    there, month = partitions.existing(), partitions.month_of(timezone.now())
    count = 0
    while (month := partitions.next_month(month)) in there:
        count += 1
    return count


def connections() -> tuple[list[tuple[str, str, int]], int]:
    """(program, state, how many) of this database, and how many there may be in all."""
    if connection.vendor != "postgresql":
        return [], 0
    most = _rows("SELECT current_setting('max_connections')::int")[0][0]
    return _rows(CONNECTIONS), most


def tables() -> list[dict[str, Any]]:
    if connection.vendor != "postgresql":
        return []
    names = ("name", "total", "indexes", "live", "dead", "vacuumed")
    return [dict(zip(names, row, strict=True)) for row in _rows(TABLES, MOST)]


def indexes() -> list[tuple[Any, ...]]:
    """(index, its table, bytes, how often it was used), the largest first."""
    return _rows(INDEXES, MOST) if connection.vendor == "postgresql" else []


def partition_list() -> list[tuple[Any, ...]]:
    """(table, partition, bytes, rows as last estimated)."""
    return _rows(PARTITIONS) if connection.vendor == "postgresql" else []


def cold_months() -> list[tuple[Any, ...]]:
    """(month, state, objects, events, bytes) of cold storage, the newest first."""
    rows = ArchivedPeriod.unscoped.order_by("-month", "state").values_list("month", "state")
    told = rows.annotate(parts=Count("pk"), sum=Sum("events"), size=Sum("bytes"))
    return list(told[:MOST])


def slowest() -> tuple[list[dict[str, Any]], str]:
    """The statements that took most of the time, and where there are none, why.

    Seen are those of the role we ask as; ask outside of a scope for the application's own.
    """
    if connection.vendor != "postgresql":
        return [], "SQLite keeps no statistics of statements."
    names = ("query", "calls", "total_ms", "mean_ms", "rows")
    try:
        with transaction.atomic():
            return [dict(zip(names, row, strict=True)) for row in _rows(SLOWEST, 20)], ""
    except DatabaseError:
        return [], (
            "pg_stat_statements is not there. Add it to shared_preload_libraries, restart"
            " PostgreSQL, and run CREATE EXTENSION pg_stat_statements in this database."
        )


def size() -> int:
    """Bytes of the database."""
    if connection.vendor == "postgresql":
        return int(_rows("SELECT pg_database_size(current_database())")[0][0])
    file = Path(str(settings.DATABASES["default"]["NAME"]))
    parts = [file, file.with_name(file.name + "-wal")]
    return sum(part.stat().st_size for part in parts if part.is_file())


def _rows(sql: str, *values: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return list(cursor.fetchall())
