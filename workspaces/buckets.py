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

from django.db import connection
from django.db.models import F

from workspaces.models import Bucket

MINUTE = 60.0
# Of one request's share: what rounding and a changed limit may be off by.
TOLERANCE = 0.01
TAKE = (
    "INSERT INTO workspaces_bucket AS b (subject, full_at, seen_at) VALUES (%s, %s, %s)"
    " ON CONFLICT (subject) DO UPDATE SET full_at ="
    " CASE WHEN b.full_at + %s > excluded.full_at THEN b.full_at + %s ELSE excluded.full_at END,"
    " seen_at = CASE WHEN excluded.seen_at > b.seen_at THEN excluded.seen_at ELSE b.seen_at END"
    " WHERE b.full_at <= %s OR b.full_at <= b.seen_at + %s RETURNING full_at, seen_at"
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
    native = connection.features.has_native_uuid_field
    least: Taken | None = None
    with connection.cursor() as cursor:
        for place, each in enumerate(wanted):
            share = MINUTE / each.capacity if each.capacity else MINUTE
            row = None
            if each.capacity:
                key = each.subject if native else each.subject.hex
                most = MINUTE - share * (1 - TOLERANCE)
                cursor.execute(TAKE, [key, now + share, now, share, share, now + most, most])
                row = cursor.fetchone()
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
