"""Several small objects of a month become one, so that reading through the month fetches few.

Late events leave in a part of their own, and so does what comes back and leaves again. Written and read
back like any object; from one commit on it counts instead of them. Killed anywhere, the next run throws
away what was left and begins anew.
"""

from __future__ import annotations

import heapq
import logging
from datetime import date
from itertools import takewhile
from operator import itemgetter
from typing import Any

from django.db.models import Count
from django.utils import timezone

from frames.cold import store
from frames.cold.container import Container
from frames.cold.errors import ColdLost
from frames.cold.manifest import PART, PART_CHARACTERS, Making, State, begin, throw_away
from frames.cold.reading import once
from frames.cold.restoring import batches, counts, take_off
from frames.models import ArchivedPeriod, Project
from stackmemory.lib.tenancy import system_scope

logger = logging.getLogger(__name__)
# So many small ones a month may have.
FEW = 4
IN_ORDER = itemgetter("frame_id", "occurred_at", "seq", "id")


def merge(project: Project) -> int:
    """Make one of the small objects of each month that has more than a few; how many went."""
    with system_scope():
        rows = _cold(project).order_by().values("month").annotate(n=Count("pk"))
        months = sorted(rows.filter(n__gt=FEW).values_list("month", flat=True))
    gone = 0
    for month in months:
        try:
            gone += _merge(project, month)
        except ColdLost as lost:  # whoever reads it is told
            logger.error("not merged project=%s: %s", project.pk, lost.message)
    return gone


def _merge(project: Project, month: date) -> int:
    with system_scope():
        periods = _small(list(_cold(project).filter(month=month).order_by("events", "part")))
    fresh = begin(project.workspace_id, project.pk, month) if len(periods) > FEW else None
    if fresh is None:
        return 0
    try:
        read = [(period, store.read(period)) for period in periods]
        with Making(fresh) as making:
            streams = (store.rows(period, container) for period, container in read)
            for rows in batches(once(heapq.merge(*streams, key=IN_ORDER))):
                making.add(rows)
                making.beat()
            merged = making.put()
        held = set().union(*(container.id_set() for _, container in read))
        if merged.id_set() == held and _replace(periods, fresh, [c for _, c in read], merged):
            logger.info("cold storage merged project=%s month=%s", project.pk, month)
            return len(periods)
    except ColdLost:
        throw_away(fresh)
        raise
    throw_away(fresh)
    return 0


def _cold(project: Project) -> Any:
    rows = ArchivedPeriod.unscoped.filter(workspace=project.workspace_id, project=project)
    return rows.filter(state=State.COLD, restored_at=None)


def _small(periods: list[ArchivedPeriod]) -> list[ArchivedPeriod]:
    """The smallest, as many as make one object."""
    events = octets = 0

    def has_room(period: ArchivedPeriod) -> bool:
        nonlocal events, octets
        events, octets = events + period.events, octets + period.payload_bytes
        return events <= PART and octets <= PART_CHARACTERS

    return list(takewhile(has_room, periods))


def _replace(
    periods: list[ArchivedPeriod],
    fresh: ArchivedPeriod,
    containers: list[Container],
    merged: Container,
) -> bool:
    """From one moment on the new object counts and those are only waiting to be deleted."""
    with system_scope():
        rows = _cold(fresh.project).filter(pk__in=[period.pk for period in periods])
        locked = dict(rows.select_for_update().values_list("pk", "object"))
        if locked != {period.pk: period.object for period in periods}:
            return False  # erased from, or brought back meanwhile
        fresh.state = State.COLD
        fresh.moved_at = max(period.moved_at for period in periods if period.moved_at)
        fresh.save(force_update=True)
        once_each = counts(merged)
        twice = {frame: -number for frame, number in once_each.items()}
        for container in containers:
            for frame, number in counts(container).items():
                twice[frame] += number
        take_off({frame: number for frame, number in twice.items() if number})
        rows.update(state=State.REPLACED, beat_at=timezone.now())
    return True
