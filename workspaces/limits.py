"""Limits and quotas: how many requests a key may make, how many events a workspace may append.

Amounts are rows: a plan's (PlanLimit), or a workspace's own (Limit), which goes before it. Counting
is one conditional statement on one row, so that however many ask at once, no more is given out than
there is, and being refused uses nothing up.
"""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection
from django.utils import timezone

from stackmemory.lib.refusal import Refusal
from stackmemory.lib.uuid7 import uuid7
from workspaces import buckets
from workspaces.models import Limit, LimitName, PlanLimit, Spending, Workspace

# Seconds after which a change of a limit holds in every process.
FRESH = 2.0

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
    wanted = []
    amounts = _amounts(workspace)
    for name in _ORDER:
        if (amount := amounts.get(name)) is None:
            continue
        whose: uuid.UUID | None = subject
        if name == LimitName.ALL_REQUESTS:
            whose = workspace.pk
        elif name == LimitName.PERSON_REQUESTS:  # who works in two workspaces has two buckets
            whose = uuid.uuid5(workspace.pk, person.hex) if person else None
        if whose:
            wanted.append(buckets.Wanted(name, whose, amount))
    if not wanted:
        return None
    now = time.time() if now is None else now
    taken = buckets.take(wanted, now)
    allowance = Allowance(taken.of.capacity, taken.left, taken.full_in, taken.wait)
    if taken.wait:
        raise TooMany(allowance, taken.of.name)
    return allowance


# What was said of a workspace, and when it was read.
_known: dict[tuple[uuid.UUID, str], tuple[float, dict[str, int]]] = {}
# Limits of requests, the narrowest first.
_ORDER = [
    LimitName.REQUESTS.value,
    LimitName.PERSON_REQUESTS.value,
    LimitName.ALL_REQUESTS.value,
]


def _amounts(workspace: Workspace) -> dict[str, int]:
    """What is limited, and to how much: the plan's, or the workspace's own, which goes before it.

    Read anew every FRESH seconds, for it is asked before every call.
    """
    key, at = (workspace.pk, workspace.plan), time.monotonic()
    known = _known.get(key)
    if known is None or at - known[0] > FRESH:
        if len(_known) > 10_000:
            _known.clear()
        rows = dict(PlanLimit.objects.filter(plan=workspace.plan).values_list("name", "amount"))
        rows |= dict(Limit.objects.in_workspace(workspace).values_list("name", "amount"))
        amounts = {name: int(amount) for name, amount in rows.items() if amount is not None}
        known = _known[key] = (at, amounts)
    return known[1]


def allowed(workspace: Workspace, name: str) -> int | None:
    """How much a workspace may use; None for as much as it likes."""
    return _amounts(workspace).get(str(name))


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


def set_limit(workspace: Workspace, name: str, amount: int | None) -> None:
    """Give a workspace a limit of its own; None lets it use as much as it likes."""
    Limit.unscoped.update_or_create(workspace=workspace, name=name, defaults={"amount": amount})
    _known.clear()


def follow_plan(workspace: Workspace, name: str) -> None:
    """Take back a workspace's own limit."""
    Limit.objects.in_workspace(workspace).filter(name=name).delete()
    _known.clear()


def _write(sql: str, values: list[Any]) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return cursor.fetchone()


def _new_row(workspace: Workspace) -> list[Any]:
    """id, created_at and workspace, as the engine takes them."""
    now = connection.ops.adapt_datetimefield_value(timezone.now())
    return [_uuid(uuid7()), now, _uuid(workspace.pk)]


def _uuid(value: uuid.UUID) -> Any:
    return value if connection.features.has_native_uuid_field else value.hex
