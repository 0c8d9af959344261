"""What comes late: an event that is in cold storage is there already.

Whoever appends asks before it inserts, and then holds a lock that keeps rows from being deleted until
its transaction ends: what it did not find in cold storage is in the table, or nowhere.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any, Protocol, TypeVar

from django.utils import timezone

from frames import partitions
from frames.cold import store
from frames.models import ArchivedPeriod
from frames.partitions import month_of
from stackmemory.lib.locks import shared_transaction_lock, transaction_lock
from stackmemory.lib.uuid7 import first_at, time_of

# Nothing younger leaves, whatever is set, so that who appends what happens now need not ask.
LEAST_DAYS = 1
LEAST = timedelta(days=LEAST_DAYS)


class HasId(Protocol):
    id: uuid.UUID


New = TypeVar("New", bound=HasId)


def not_archived(workspace_id: uuid.UUID, rows: Sequence[New]) -> Sequence[New]:
    """Those of `rows`, which are to be inserted in this transaction, that are not in cold storage.

    Costs nothing where all of them are of the last day, and a few short statements otherwise: objects
    are read only of months that have some. The months of the others stay until then (partitions.py).
    """
    edge = first_at(timezone.now() - LEAST).int
    old = [row.id for row in rows if row.id.int < edge]
    if not old:
        return rows
    partitions.hold()
    shared_transaction_lock(_lock(workspace_id))
    there = archived(workspace_id, old)
    partitions.ensure(partitions.months_of([time_of(each) for each in old if each not in there]))
    return [row for row in rows if row.id not in there] if there else rows


def archived(workspace_id: uuid.UUID, ids: Iterable[uuid.UUID]) -> set[uuid.UUID]:
    """Those of `ids` that are in cold storage."""
    wanted = {each.bytes for each in ids}
    first, last = uuid.UUID(bytes=min(wanted)), uuid.UUID(bytes=max(wanted))
    found: set[bytes] = set()
    for period in periods_between(workspace_id, first, last):
        found |= wanted & store.load(period).id_set()
    return {uuid.UUID(bytes=each) for each in found}


def periods_between(
    workspace_id: uuid.UUID, first: uuid.UUID, last: uuid.UUID, **of: Any
) -> list[ArchivedPeriod]:
    """The objects that may hold events of these ids, in the order of their months."""
    if first >= first_at(timezone.now() - LEAST):
        return []
    rows = ArchivedPeriod.unscoped.filter(
        workspace=workspace_id, state__in=ArchivedPeriod.HOLDING,
        month__gte=month_of(time_of(first)), month__lte=month_of(time_of(last)),
        first_id__lte=last, last_id__gte=first, **of,
    )  # fmt: skip
    return list(rows.order_by("month", "part", "pk"))


def wait_for_writers(workspace_id: uuid.UUID) -> None:
    """Before rows are deleted: until whoever looked for them in cold storage has ended."""
    transaction_lock(_lock(workspace_id))


def _lock(workspace_id: uuid.UUID) -> str:
    return f"cold events {workspace_id}"
