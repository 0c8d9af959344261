"""How quickly each workspace is answered: counted in memory, written every few seconds."""

from __future__ import annotations

import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime, timedelta

from django.conf import settings
from django.utils import timezone

from stackmemory.lib.bulk import add_up
from stackmemory.lib.tenancy import system_scope, workspace_scope
from workspaces.models import Pulse, Workspace

# Upper bounds in ms; the last is for whatever took longer.
STEPS = (5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 60_000)
# Soon enough to watch; a process that dies loses as much.
EVERY = 5.0
KEPT = timedelta(days=2)
Tally = dict[tuple[uuid.UUID, datetime, int], list[int]]


class Pulses:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tallies: Tally = defaultdict(lambda: [0, 0])
        self._written = time.monotonic()

    def count(self, workspace_id: uuid.UUID, seconds: float, *, failed: bool = False) -> None:
        minute = timezone.now().replace(second=0, microsecond=0)
        step = next((s for s in STEPS if seconds * 1000 <= s), STEPS[-1])
        with self._lock:
            tally = self._tallies[workspace_id, minute, step]
            tally[0] += 1
            tally[1] += failed
            # As for the count of requests: 0 leaves it to whoever calls flush().
            due = settings.USAGE_FLUSH_SECONDS and time.monotonic() - self._written >= EVERY
        if due:
            self.flush()

    def flush(self) -> None:
        """Write what has been counted; workspaces gone meanwhile are let go."""
        with self._lock:
            tallies, self._tallies = self._tallies, defaultdict(lambda: [0, 0])
            self._written = time.monotonic()
        if settings.READ_ONLY:
            return
        there = Workspace.objects.live().in_bulk({workspace_id for workspace_id, *_ in tallies})
        for workspace_id in there:
            with workspace_scope(workspace_id):
                add_up(
                    Pulse, ("workspace", "minute", "ms"), ("amount", "failures"),
                    {key: tally for key, tally in tallies.items() if key[0] == workspace_id},
                )  # fmt: skip


def quantile(steps: Mapping[int, int], share: float) -> int | None:
    """The step below which this share of requests was answered; None for no requests."""
    total, so_far = sum(steps.values()), 0
    for step in sorted(steps):
        so_far += steps[step]
        if so_far >= share * total and total:
            return step
    return None


def forget() -> None:
    """For the worker, every hour: minutes that are in the history by now."""
    with system_scope():
        Pulse.objects.across_workspaces().filter(minute__lt=timezone.now() - KEPT).delete()


pulses = Pulses()
