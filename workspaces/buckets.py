"""Buckets of requests: a minute's worth each, filling evenly, taken from by one exact statement.

A bucket is one number, the time at which it will be full again (the generic cell rate algorithm):
each request moves it on by a minute's share, and none is let through that would move it further
than a minute ahead. An upsert with that condition is all there is to it, and whoever is refused
changes nothing.
"""

from __future__ import annotations

import math
import time
import uuid
from dataclasses import dataclass
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.models import F

from workspaces.models import Bucket

MINUTE = 60.0
# Of one request's share: what rounding and a changed limit may be off by.
TOLERANCE = 0.01
# Numbers and a UUID are all that is put into the text: binding them would cost a fifth of it all.
TAKE = (
    "INSERT INTO workspaces_bucket AS b (subject, full_at, seen_at)"
    " VALUES ('{key}', {full_at!r}, {now!r}) ON CONFLICT (subject) DO UPDATE SET"
    " full_at = {greatest}(b.full_at + {share!r}, excluded.full_at),"
    " seen_at = {greatest}(b.seen_at, excluded.seen_at)"
    " WHERE b.full_at <= {greatest}(b.seen_at, excluded.seen_at) + {most!r}"
    " RETURNING full_at, seen_at"
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A bucket to take from: which limit it is of, whose it is, and how much it holds."""

    name: str
    subject: uuid.UUID
    capacity: int


@dataclass(frozen=True, slots=True)
class Taken:
    """What is left in the bucket with the least, or how long to wait for the one that refused."""

    of: Wanted
    left: int
    full_in: int
    wait: int = 0


def take(wanted: list[Wanted], now: float) -> Taken:
    """Take one from each bucket, or from none.

    They are taken from in the order given, which all callers share: two who meet in one hold
    nothing that the other waits for.
    """
    database = connections[DEFAULT_DB_ALIAS]  # `connection` would look it up at every word
    greatest = "greatest" if database.vendor == "postgresql" else "max"
    now = float(now)
    least: Taken | None = None
    for place, each in enumerate(wanted):
        share = MINUTE / each.capacity if each.capacity else MINUTE
        row = None
        if each.capacity:
            row = _answer(
                database,
                TAKE.format(
                    key=each.subject.hex,
                    now=now,
                    full_at=now + share,
                    share=share,
                    most=MINUTE - share * (1 - TOLERANCE),
                    greatest=greatest,
                ),
            )
        if row is None:
            for other in wanted[:place]:
                _give_back(other)
            return _refusal(each, share, now)
        ahead = row[0] - row[1]
        left = int((MINUTE - ahead) / share + TOLERANCE)
        if least is None or left < least.left:
            least = Taken(each, left, math.ceil(ahead))
    assert least is not None
    return least


def _answer(database: Any, sql: str) -> tuple[float, float] | None:
    """When the bucket is full, and when it was last looked at; None if it has none left to give."""
    if database.vendor == "postgresql" and not database.queries_logged:
        row = database.ask(sql)
        return (float(row[0]), float(row[1])) if row else None
    with database.cursor() as cursor:
        cursor.execute(sql)
        found: tuple[float, float] | None = cursor.fetchone()
    return found


def forget_full(now: float | None = None) -> int:
    """For the worker: drop the buckets that are full again."""
    return int(Bucket.objects.filter(full_at__lt=time.time() if now is None else now).delete()[0])


def _give_back(wanted: Wanted) -> None:
    share = MINUTE / wanted.capacity
    Bucket.objects.filter(subject=wanted.subject).update(full_at=F("full_at") - share)


def _refusal(wanted: Wanted, share: float, now: float) -> Taken:
    """How long until there is room for one, and until all is back."""
    if not wanted.capacity:
        return Taken(wanted, 0, 60, 60)
    row = Bucket.objects.filter(subject=wanted.subject).first()
    ahead = row.full_at - max(now, row.seen_at) if row else 0.0
    wait = math.ceil(ahead + share - MINUTE - 1e-6)  # not a second for a rounding
    return Taken(wanted, 0, math.ceil(ahead), max(wait, 1))
