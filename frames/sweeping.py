"""Objects of large payloads that no event uses any more: found, and deleted.

What an event uses, PayloadUse says, which stays when the event itself moves to cold storage: an object
is needed as long as there is one. No object goes while an event of it comes, for both hold the lock of
its StoredPayload; one without such a row was left by a transaction that came to nothing, and is taken up
when it has been there for GRACE.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db.models import Exists, OuterRef
from django.utils import timezone

from frames.large import lock_of
from frames.models import PayloadUse, StoredPayload
from frames.models.event import PAYLOADS
from stackmemory.lib import blobs
from stackmemory.lib.locks import transaction_lock
from stackmemory.lib.tenancy import system_scope
from workspaces.models import Workspace

logger = logging.getLogger(__name__)
GRACE = timedelta(hours=24)
BATCH = 500


def forget_events(workspace: Workspace, ids: Iterable[uuid.UUID]) -> None:
    """Events of these ids are erased, wherever they were: they use nothing any more.

    In the transaction that erases them. A frame takes its events' uses with it.
    """
    PayloadUse.unscoped.filter(workspace=workspace, event_id__in=list(ids)).delete()


def forget_unreferenced(workspace: Workspace) -> int:
    """Delete the objects of a workspace that no event uses, hot or cold; return how many.

    To be called when events were erased and that is committed; in batches of its own. Killed, it is
    simply run again.
    """
    gone = 0
    after: uuid.UUID | None = None
    while True:
        with system_scope():
            rows = StoredPayload.unscoped.filter(_unused(), workspace=workspace)
            rows = rows.filter(pk__gt=after) if after else rows
            # One that is locked is being taken up just now.
            rows = rows.select_for_update(skip_locked=True, of=("self",))
            found = {row.pk: row.digest for row in rows.order_by("pk")[:BATCH]}
            # Somebody may have taken one up between our reading and our lock.
            used = PayloadUse.unscoped.filter(workspace=workspace, payload__in=found)
            free = set(found) - set(used.values_list("payload_id", flat=True))
            for pk in free:
                blobs.delete(PAYLOADS, workspace.pk, found[pk])
            StoredPayload.unscoped.filter(pk__in=free).delete()
        gone += len(free)
        if len(found) < BATCH:
            return gone
        after = max(found)


def take_up_strays(workspace: Workspace, now: datetime | None = None) -> int:
    """Give a row to each object that has none, so that it is swept or found in use."""
    at = now or timezone.now()
    with system_scope():
        rows = StoredPayload.unscoped.filter(workspace=workspace)
        known = set(rows.values_list("digest", flat=True))
    strays = [
        digest
        for digest in blobs.stored(PAYLOADS, workspace.pk)
        if digest not in known
        and blobs.age(PAYLOADS, workspace.pk, digest, at) > GRACE.total_seconds()
    ]
    for start in range(0, len(strays), BATCH):
        part = strays[start : start + BATCH]
        with system_scope():
            StoredPayload.unscoped.bulk_create(
                [StoredPayload(workspace=workspace, digest=d, octets=0) for d in sorted(part)],
                ignore_conflicts=True,
            )
    return len(strays)


def sweep_everywhere(now: datetime | None = None) -> int:
    """For the worker, daily: let objects go that are used nowhere."""
    with system_scope():
        workspaces = list(Workspace.objects.filter(erased_at=None))
    gone = 0
    for workspace in workspaces:
        take_up_strays(workspace, now)
        gone += forget_unreferenced(workspace)
    gone += _forget_strangers(now or timezone.now())
    if gone:
        logger.info("large payloads swept: %s", gone)
    return gone


def _forget_strangers(now: datetime) -> int:
    """Delete what was put down for workspaces that came to nothing, such as an archive's."""
    gone = 0
    for workspace_id in blobs.workspaces(PAYLOADS):
        with system_scope():
            if Workspace.objects.filter(pk=workspace_id, erased_at=None).exists():
                continue
            transaction_lock(lock_of(workspace_id))
            if Workspace.objects.filter(pk=workspace_id, erased_at=None).exists():
                continue  # came while we waited
            for digest in list(blobs.stored(PAYLOADS, workspace_id)):
                if blobs.age(PAYLOADS, workspace_id, digest, now) > GRACE.total_seconds():
                    blobs.delete(PAYLOADS, workspace_id, digest)
                    gone += 1
    return gone


def _unused() -> Exists:
    return ~Exists(PayloadUse.unscoped.filter(payload=OuterRef("pk")))  # type: ignore[return-value]
