"""How much is used: counting requests cheaply, and reading the counts back."""

from __future__ import annotations

import datetime as dt
import threading
import time
import uuid
from collections import Counter

from django.conf import settings
from django.db.models import F
from django.utils import timezone

from stackmemory.lib.tenancy import workspace_scope
from workspaces.models import NO_PROJECT, Usage, Workspace

Kind = Usage.Kind


def add(
    *,
    workspace: Workspace,
    kind: str,
    amount: int,
    project_id: uuid.UUID = NO_PROJECT,
    day: dt.date | None = None,
) -> None:
    """Add to a day's count. Two at once both count."""
    key = {"kind": kind, "project_id": project_id, "day": day or timezone.now().date()}
    row = Usage.objects.in_workspace(workspace).filter(**key)
    if not row.update(amount=F("amount") + amount):
        Usage.unscoped.bulk_create([Usage(workspace=workspace, **key)], ignore_conflicts=True)
        row.update(amount=F("amount") + amount)


def put(*, workspace: Workspace, kind: str, amounts: dict[tuple[dt.date, uuid.UUID], int]) -> None:
    """Set the counts of (day, project) to what was measured, in one statement."""
    rows = [
        Usage(workspace=workspace, kind=kind, day=day, project_id=project_id, amount=amount)
        for (day, project_id), amount in amounts.items()
    ]
    Usage.unscoped.bulk_create(
        rows,
        batch_size=500,
        update_conflicts=True,
        unique_fields=["workspace", "day", "project_id", "kind"],
        update_fields=["amount"],
    )


class RequestCounter:
    """Requests per workspace, counted in memory and written once a minute.

    A request is worth counting but not worth a write. What a killed process had not written yet
    is lost: a minute's worth at most.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[tuple[uuid.UUID, uuid.UUID]] = Counter()
        self._written = time.monotonic()

    def count(self, workspace_id: uuid.UUID, project_id: uuid.UUID = NO_PROJECT) -> None:
        with self._lock:
            self._counts[workspace_id, project_id] += 1
            every = settings.USAGE_FLUSH_SECONDS
            due = every and time.monotonic() - self._written >= every
        if due:
            self.flush()

    def flush(self) -> None:
        """Write what has been counted; workspaces gone meanwhile are let go."""
        with self._lock:
            counts, self._counts = self._counts, Counter()
            self._written = time.monotonic()
        if settings.READ_ONLY:
            return
        there = Workspace.objects.live().in_bulk({workspace_id for workspace_id, _ in counts})
        for (workspace_id, project_id), amount in counts.items():
            if workspace := there.get(workspace_id):
                with workspace_scope(workspace_id):
                    add(
                        workspace=workspace,
                        kind=Kind.REQUESTS,
                        amount=amount,
                        project_id=project_id,
                    )


requests = RequestCounter()
