"""Limits and quotas: how many requests a key may make, how many events a workspace may append.

Amounts are rows: a plan's (PlanLimit), or a workspace's own (Limit), which goes before it. Counting
is one conditional statement on one row, so that however many ask at once, no more is given out than
there is, and being refused uses nothing up.
"""

from __future__ import annotations

import math
import time
import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import connection
from django.utils import timezone

from stackmemory.lib.refusal import Refusal
from stackmemory.lib.tenancy import system_scope
from stackmemory.lib.uuid7 import uuid7
from workspaces.models import Bucket, Limit, LimitName, Spending, Workspace

MINUTE = 60.0

# What a workspace may use of one thing: its own limit, or else its plan's.
AMOUNT = (
    "SELECT amount FROM (SELECT 0 AS place, amount FROM workspaces_limit"
    " WHERE workspace_id = %s AND name = %s"
    " UNION ALL SELECT 1 AS place, amount FROM workspaces_planlimit WHERE plan = %s AND name = %s"
    ") AS found ORDER BY place LIMIT 1"
)
# What a bucket holds by now: what was left, and what has flowed in since.
FILLED = (
    "(b.tokens + CASE WHEN excluded.stamp > b.stamp"
    f" THEN (excluded.stamp - b.stamp) * excluded.capacity / {MINUTE} ELSE 0 END)"
)
# One statement takes from every bucket a request needs one of: its key's, its person's, and that of
# the whole workspace, always in this order. Each row says how many are limited, so that one who
# gets fewer rows back knows of a refusal.
LIMITED = (
    "(SELECT asked.*, CASE WHEN own.id IS NULL THEN plan.amount ELSE own.amount END AS amount"
    " FROM (%s) AS asked"
    " LEFT JOIN workspaces_limit AS own ON own.workspace_id = %s AND own.name = asked.name"
    " LEFT JOIN workspaces_planlimit AS plan ON plan.plan = %s AND plan.name = asked.name)"
)
TAKE = (
    "INSERT INTO workspaces_bucket AS b"
    " (id, created_at, workspace_id, subject, capacity, tokens, stamp)"
    f" SELECT id, %s, %s, subject, amount, amount - 1, %s FROM {LIMITED} AS wanted"
    " WHERE amount >= 1 ORDER BY place"
    " ON CONFLICT (workspace_id, subject) DO UPDATE SET capacity = excluded.capacity,"
    f" tokens = CASE WHEN {FILLED} < excluded.capacity THEN {FILLED} ELSE excluded.capacity END - 1,"
    " stamp = CASE WHEN excluded.stamp > b.stamp THEN excluded.stamp ELSE b.stamp END"
    f" WHERE {FILLED} >= 1 RETURNING subject, capacity, tokens,"
    f" (SELECT count(amount) FROM {LIMITED} AS wanted)"
)
GIVE_BACK = (
    "UPDATE workspaces_bucket SET tokens = tokens + 1 WHERE workspace_id = %s AND subject = %s"
)
SPEND = (
    "INSERT INTO workspaces_spending AS s (id, created_at, workspace_id, name, period, amount)"
    " SELECT %s, %s, %s, %s, %s, %s WHERE %s <= %s"
    " ON CONFLICT (workspace_id, name, period) DO UPDATE SET amount = s.amount + excluded.amount"
    " WHERE s.amount + excluded.amount <= %s RETURNING amount"
)


class TooMany(Refusal):
    """More requests than one may make. `retry_after` seconds from now there is room again."""

    status = 429

    def __init__(self, allowance: Allowance, whose: str = LimitName.REQUESTS) -> None:
        self.allowance, self.retry_after = allowance, allowance.retry_after
        who = {
            LimitName.PERSON_REQUESTS.value: "All keys of this person together",
            LimitName.ALL_REQUESTS.value: "All keys of this workspace together",
        }.get(whose, "This key")
        super().__init__(
            "rate_limited",
            f"{who} may make {allowance.limit} requests a minute."
            f" Wait {self.retry_after} seconds, then go on.",
        )


class QuotaExceeded(Refusal):
    """The workspace has used up what it may write. Reading goes on."""

    status = 402


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a key may still do. `reset` is in how many seconds all of it is back."""

    limit: int
    remaining: int
    reset: int
    retry_after: int = 0


def take(
    workspace: Workspace,
    subject: uuid.UUID,
    now: float | None = None,
    *,
    person: uuid.UUID | None = None,
) -> Allowance | None:
    """Take one request from the buckets of a key, of its person and of the workspace.

    None where nothing is limited, else what is left of the one with the least. A full bucket holds
    a minute's requests and fills evenly. Raises TooMany, and then nothing was taken.
    """
    if settings.READ_ONLY:  # counting is writing
        return None
    now = time.time() if now is None else now
    wanted = {LimitName.REQUESTS.value: subject, LimitName.ALL_REQUESTS.value: workspace.pk}
    if person:
        wanted[LimitName.PERSON_REQUESTS.value] = person
    rows = _take(workspace, wanted, now)
    if rows and rows[0][3] == len(rows):
        capacity, tokens = min(((row[1], row[2]) for row in rows), key=lambda pair: pair[1])
        reset = math.ceil((capacity - tokens) * MINUTE / capacity)
        return Allowance(int(capacity), int(tokens), reset)
    had = {row[0] for row in rows}
    for each in had:
        with connection.cursor() as cursor:
            cursor.execute(GIVE_BACK, [_uuid(workspace.pk), each])
    for name, whose in wanted.items():
        limit = allowed(workspace, name) if _uuid(whose) not in had else None
        if limit is not None:
            raise TooMany(_refused(workspace, whose, limit, now), name)
    return None


def _take(workspace: Workspace, wanted: dict[str, uuid.UUID], now: float) -> list[Any]:
    asked = " UNION ALL ".join(
        ["SELECT %s AS id, %s AS subject, %s AS name, %s AS place"] * len(wanted)
    )
    # The narrowest first: two who meet in the workspace's bucket hold nothing the other waits for.
    order = (LimitName.REQUESTS, LimitName.PERSON_REQUESTS, LimitName.ALL_REQUESTS)
    values = [
        each
        for place, name in enumerate(order)
        if name in wanted
        for each in (_uuid(uuid7()), _uuid(wanted[name]), name.value, place)
    ]
    limited = [*values, _uuid(workspace.pk), workspace.plan]
    made = connection.ops.adapt_datetimefield_value(timezone.now())
    with connection.cursor() as cursor:
        cursor.execute(
            TAKE.replace("(%s) AS asked", f"({asked}) AS asked"),
            [made, _uuid(workspace.pk), now, *limited, *limited],
        )
        return cursor.fetchall()


def allowed(workspace: Workspace, name: str) -> int | None:
    """How much a workspace may use; None for as much as it likes."""
    with connection.cursor() as cursor:
        cursor.execute(AMOUNT, _asked(workspace, name))
        row = cursor.fetchone()
    return row[0] if row else None


def spend_events(workspace: Workspace, amount: int) -> None:
    """Count events against this month's quota. Raises QuotaExceeded, and then none is counted.

    Writers of one workspace queue here until they commit, so call it late in a transaction.
    """
    limit = allowed(workspace, LimitName.EVENTS)
    if limit is None or not amount:
        return
    counted = [LimitName.EVENTS.value, period(), amount]
    values = [*_new_row(workspace), *counted, amount, limit, limit]
    if _write(SPEND, values) is None:
        left = max(limit - spent(workspace, LimitName.EVENTS), 0)
        raise QuotaExceeded(
            "quota_exceeded",
            f"This workspace may append {limit} events a month and has {left} left; this would be"
            f" {amount}. Reading goes on. An owner can raise the quota.",
        )


def check_room(workspace: Workspace) -> None:
    """Raise QuotaExceeded when the month's quota is used up: then all writing rests."""
    limit = allowed(workspace, LimitName.EVENTS)
    if limit is not None and spent(workspace, LimitName.EVENTS) >= limit:
        raise QuotaExceeded(
            "quota_exceeded",
            f"This workspace has used up its {limit} events of this month. Reading goes on. An"
            " owner can raise the quota.",
        )


def spent(workspace: Workspace, name: str, now: datetime | None = None) -> int:
    """What a workspace has used in this period."""
    rows = Spending.objects.in_workspace(workspace).filter(name=name, period=period(now))
    return rows.values_list("amount", flat=True).first() or 0


def period(now: datetime | None = None) -> str:
    """The month in UTC, as Spending names it."""
    return (now or timezone.now()).strftime("%Y-%m")


def forget_full(now: float | None = None) -> int:
    """For the worker: drop the buckets that have long been full again."""
    with system_scope():
        rows = Bucket.objects.across_workspaces()
        old = rows.filter(stamp__lt=(time.time() if now is None else now) - 60 * MINUTE)
        return int(old._raw_delete(old.db))


def set_limit(workspace: Workspace, name: str, amount: int | None) -> None:
    """Give a workspace a limit of its own; None lets it use as much as it likes."""
    Limit.unscoped.update_or_create(workspace=workspace, name=name, defaults={"amount": amount})


def follow_plan(workspace: Workspace, name: str) -> None:
    """Take back a workspace's own limit."""
    Limit.objects.in_workspace(workspace).filter(name=name).delete()


def _refused(workspace: Workspace, subject: uuid.UUID, limit: int, now: float) -> Allowance:
    """How long until there is a token again."""
    if limit < 1:
        return Allowance(limit, 0, 60, 60)
    bucket = Bucket.objects.in_workspace(workspace).filter(subject=subject).first()
    tokens = bucket.tokens + max(now - bucket.stamp, 0) * limit / MINUTE if bucket else 0.0
    wait = math.ceil(max(1 - tokens, 0) * MINUTE / limit - 1e-6)  # not a second for a rounding
    return Allowance(limit, 0, math.ceil((limit - tokens) * MINUTE / limit), max(wait, 1))


def _write(sql: str, values: list[Any]) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return cursor.fetchone()


def _new_row(workspace: Workspace) -> list[Any]:
    """id, created_at and workspace, as the engine takes them."""
    now = connection.ops.adapt_datetimefield_value(timezone.now())
    return [_uuid(uuid7()), now, _uuid(workspace.pk)]


def _asked(workspace: Workspace, name: str) -> list[Any]:
    return [_uuid(workspace.pk), str(name), workspace.plan, str(name)]


def _uuid(value: uuid.UUID) -> Any:
    return value if connection.features.has_native_uuid_field else value.hex
