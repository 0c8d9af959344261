"""Erasing from cold storage: an object is written anew without what is to go, or deleted."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Any

from django.db.models import Q

from frames.cold import store
from frames.cold.container import Container, Row, microseconds
from frames.cold.errors import ColdLost
from frames.cold.manifest import Making, State, begin, throw_away
from frames.cold.restoring import batches, counts, take_off
from frames.models import ArchivedPeriod, Event, Frame, Project
from stackmemory.lib.tenancy import system_scope
from stackmemory.lib.uuid7 import EPOCH
from workspaces.models import Workspace

# How often an object is looked at where others write at the same time.
AGAIN = 10
# What may go of an object at all, by its index; and which of its rows do.
Touches = Callable[[Container], bool]
Goes = Callable[[Row], bool]


def forget(
    workspace: Workspace,
    *,
    frames: Collection[uuid.UUID] = (),
    sessions: Collection[uuid.UUID] = (),
    project: Project | None = None,
) -> list[uuid.UUID]:
    """Erase the events of these frames and sessions, or of a project, from cold storage; their ids.

    For erasure: call it outside of any transaction, and after the rows in the table are gone, for it
    brings the counters of frames that stay in step with both. Objects are written anew without the
    events and the old ones deleted; killed anywhere, it is simply run again, and what it left behind
    the daily run deletes. What was brought back into the table but lies in the store still goes, too.
    Large payloads of the events are not touched (frames.sweeping.forget_events).
    """
    wanted, runs = set(frames), set(sessions)
    everything = project is not None

    def touches(container: Container) -> bool:
        return everything or bool(runs) or not wanted.isdisjoint(container.frames)

    def goes(row: Row) -> bool:
        return everything or row["frame_id"] in wanted or row["session_id"] in runs

    if not (wanted or runs or everything):
        return []
    of = Q(project=project) if project is not None else Q()
    gone = _without(workspace.pk, of, touches, goes)
    left = {row["frame_id"] for row in gone} - wanted
    for frame in sorted(left):
        recount(workspace.pk, frame)
    return [row["id"] for row in gone]


def let_go(project: Project, limits: Mapping[uuid.UUID, datetime | None]) -> list[uuid.UUID]:
    """For retention: of each frame what lies before its limit goes, all of it where that is None."""

    def touches(container: Container) -> bool:
        return any(
            limit is None or container.frames[frame][0][3] < microseconds(limit)
            for frame, limit in limits.items()
            if frame in container.frames
        )

    def goes(row: Row) -> bool:
        if row["frame_id"] not in limits:
            return False
        limit = limits[row["frame_id"]]
        return limit is None or row["occurred_at"] < limit

    gone = _without(project.workspace_id, Q(project=project), touches, goes)
    for frame in sorted({row["frame_id"] for row in gone}):
        recount(project.workspace_id, frame)
    return [row["id"] for row in gone]


def recount(workspace_id: uuid.UUID, frame: uuid.UUID) -> None:
    """Bring a frame's counters in step with its events, in the table and in cold storage."""
    with system_scope():
        rows = Frame.unscoped.select_for_update().filter(workspace=workspace_id, pk=frame)
        found = rows.values_list("project_id", flat=True).first()
        if found is None:
            return
        hot = Event.unscoped.filter(workspace=workspace_id, frame=frame)
        events = {pk: (at, bad) for pk, at, bad in hot.values_list("pk", "occurred_at", "is_error")}
        cold: dict[uuid.UUID, tuple[datetime, bool]] = {}
        for period in _holding(workspace_id).filter(project=found):
            container = store.load(period)
            for number, start, stop, *_ in container.frames.get(frame, ()):
                for row in store.block(period, container, number)[start:stop]:
                    cold[row["id"]] = (row["occurred_at"], row["is_error"])
        events |= cold
        times = [at for at, _ in events.values()]
        rows.update(
            event_count=len(events),
            error_count=sum(bad for _, bad in events.values()),
            first_event_at=min(times, default=None),
            last_event_at=max(times, default=None),
            cold_count=len(cold),
        )


def _holding(workspace_id: uuid.UUID) -> Any:
    return ArchivedPeriod.unscoped.filter(
        workspace=workspace_id, state__in=ArchivedPeriod.HOLDING
    ).order_by("month", "part", "pk")


def _without(workspace_id: uuid.UUID, of: Q, touches: Touches, goes: Goes) -> list[Row]:
    """Take rows out of all objects; those rows, without their payloads."""
    gone: dict[uuid.UUID, Row] = {}
    left: dict[uuid.UUID, int] = {}  # how often each may be tried yet
    while periods := _kept(workspace_id, of, without=[pk for pk, n in left.items() if not n]):
        for period in periods:
            taken = _rewrite(period, touches, goes)
            # What another one had at hand meanwhile is looked at again, or what came in its place.
            left[period.pk] = 0 if taken is not None else left.get(period.pk, AGAIN) - 1
            gone |= {row["id"]: row for row in taken or ()}
    return list(gone.values())


def _kept(workspace_id: uuid.UUID, of: Q, without: list[uuid.UUID]) -> list[ArchivedPeriod]:
    """Those that have an object, counting or not."""
    with system_scope():
        rows = ArchivedPeriod.unscoped.filter(of, workspace=workspace_id).exclude(pk__in=without)
        kept = rows.filter(state__in=(*ArchivedPeriod.HOLDING, *ArchivedPeriod.LEFT))
        return list(kept.exclude(object="").order_by("month", "part", "pk"))


def _rewrite(period: ArchivedPeriod, touches: Touches, goes: Goes) -> list[Row] | None:
    """Write an object anew without some rows; those. None where it is not what it was any more."""
    try:
        container = store.read(period)
    except ColdLost:
        with system_scope():
            rows = ArchivedPeriod.unscoped.filter(pk=period.pk, object=period.object)
            is_still = rows.filter(state=period.state).exists()
        if is_still and period.state in ArchivedPeriod.HOLDING:
            raise
        if is_still:  # it counts no more, and a restored backup does not have it
            store.delete(period.object)
        return [] if is_still else None
    if not touches(container):
        return []
    taken = [_bare(row) for row in store.rows(period, container) if goes(row)]
    if not taken:
        return []
    fresh, counts_on_it = None, period.state in ArchivedPeriod.HOLDING
    if counts_on_it and len(taken) < container.events:
        fresh = begin(period.workspace_id, period.project_id, period.month, alone=False)
        if fresh is None:
            return None
        with Making(fresh) as making:
            for kept in batches(r for r in store.rows(period, container) if not goes(r)):
                making.add(kept)
            making.put()
    if not _replace(period, fresh, container, taken):
        if fresh is not None:
            throw_away(fresh)
        return None
    period.state = State.WRITING
    throw_away(period)
    return taken if counts_on_it else []


def _replace(
    period: ArchivedPeriod, fresh: ArchivedPeriod | None, container: Container, taken: list[Row]
) -> bool:
    """The new object counts, and the old one is only waiting to be deleted, from one moment on."""
    with system_scope():
        rows = ArchivedPeriod.unscoped.select_for_update().filter(
            pk=period.pk, state=period.state, object=period.object
        )
        if not list(rows.values_list("pk")):
            return False
        if fresh is not None:
            fresh.state, fresh.moved_at = State(period.state), period.moved_at
            fresh.restored_at = period.restored_at
            fresh.save(force_update=True)
        if period.state in ArchivedPeriod.HOLDING:
            counted: dict[uuid.UUID, int] = {}
            for row in taken:
                counted[row["frame_id"]] = counted.get(row["frame_id"], 0) + 1
            take_off(counted if fresh is not None else counts(container))
        rows.update(state=State.WRITING, beat_at=EPOCH)
    return True


def _bare(row: Row) -> Row:
    return {name: row[name] for name in ("id", "frame_id", "session_id", "is_error", "occurred_at")}
