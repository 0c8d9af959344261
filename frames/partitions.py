"""The months of the events table: made before rows need them, dropped when nothing is left in them.

SQLite has one plain table; there every function here finds nothing to do.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime

from django.db import connections, transaction
from django.utils import timezone

from stackmemory.lib.uuid7 import CEILING, FLOOR

MONTHS_AHEAD = 3
SURE_FOR = 60.0  # seconds
_seen: dict[date, float] = {}


def month_of(at: datetime) -> date:
    """The month an event of this time is stored in: its own, within the ids' window."""
    at = min(max(at.astimezone(UTC), FLOOR), CEILING.replace(year=CEILING.year - 1, month=12))
    return date(at.year, at.month, 1)


def months_of(moments: Sequence[datetime]) -> set[date]:
    """The months of all of these; those of a batch are mostly of one."""
    if not moments:
        return set()
    ends = {month_of(min(moments)), month_of(max(moments))}
    return ends if len(ends) == 1 else {month_of(at) for at in moments}


def next_month(month: date) -> date:
    return date(month.year + month.month // 12, month.month % 12 + 1, 1)


def existing(*, using: str = "default") -> set[date]:
    """The months that have a partition."""
    connection = connections[using]
    if connection.vendor != "postgresql":
        return set()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT right(c.relname, 6) FROM pg_inherits i"
            " JOIN pg_class c ON c.oid = i.inhrelid"
            " WHERE i.inhparent = to_regclass('frames_event')"
        )
        return {date(int(name[:4]), int(name[4:]), 1) for (name,) in cursor.fetchall()}


def ensure(months: Iterable[date], *, using: str = "default") -> list[date]:
    """Make the months that are missing; return those. Safe to run from several places at once.

    Each takes a short lock on the whole table, so do this outside the transaction that writes.
    """
    missing = sorted(lacking(months, using=using))
    if missing:
        with connections[using].cursor() as cursor:
            for month in missing:
                cursor.execute("SELECT frames_event_make_month(%s)", [month])
    return missing


def lacking(months: Iterable[date], *, using: str = "default") -> set[date]:
    """Those of the months that have no partition and need one."""
    connection = connections[using]
    wanted = {f"frames_event_{month:%Y%m}": month for month in months}
    if connection.vendor != "postgresql" or not wanted:
        return set()
    with connection.cursor() as cursor:
        # By name, which is an index away: every append asks.
        cursor.execute(
            "SELECT relname FROM pg_class WHERE relname = ANY(%s) AND relispartition",
            [list(wanted)],
        )
        return {*wanted.values()} - {wanted[name] for (name,) in cursor.fetchall()}


def hold() -> None:
    """No month is dropped until this transaction ends: for whoever writes into months past, before it
    makes sure that they are there."""
    if connections["default"].vendor == "postgresql":
        with connections["default"].cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock_shared(hashtext('frames_event_months'))")


def drop_empty(now: datetime | None = None) -> list[date]:
    """Drop the months past that have nothing in them; those. Another time where somebody is writing."""
    if connections["default"].vendor != "postgresql":
        return []
    this, dropped = month_of(now or timezone.now()), []
    for month in sorted(month for month in existing() if month < this):
        with transaction.atomic(), connections["default"].cursor() as cursor:
            cursor.execute("SELECT frames_event_drop_month(%s)", [month])
            if cursor.fetchone()[0]:
                dropped.append(month)
                _seen.pop(month, None)
    return dropped


def be_sure_of(months: Iterable[date]) -> None:
    """ensure(), for whoever appends all the time and need not ask each time.

    A month that is not over is dropped by nobody: one that was there a moment ago is there.
    """
    this, now = month_of(timezone.now()), time.monotonic()
    unsure = [m for m in set(months) if m < this or now - _seen.get(m, -SURE_FOR) >= SURE_FOR]
    if unsure:
        made = ensure(unsure)  # which may be taken back with this transaction
        _seen.update(dict.fromkeys(set(unsure) - set(made), now))


def ahead(now: datetime | None = None) -> list[date]:
    """This month and the next MONTHS_AHEAD."""
    months = [month_of(now or timezone.now())]
    for _ in range(MONTHS_AHEAD):
        months.append(next_month(months[-1]))
    return months


def make_ahead(*, using: str = "default", now: datetime | None = None) -> list[date]:
    """Make this month and the coming ones; return those that were missing."""
    return ensure(ahead(now), using=using)


def missing(now: datetime | None = None) -> list[date]:
    """Of this month and the next, those without a partition. Not empty means trouble is near."""
    if connections["default"].vendor != "postgresql":
        return []
    return sorted(set(ahead(now)[:2]) - existing())
