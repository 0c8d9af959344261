"""Moving events out: object first, read back, then the rows. Killed anywhere, it is simply run again.

WRITING  the object is being made; rows are untouched. Found left behind: it is thrown away.
WRITTEN  the object was read back and is what the rows were; from now on it counts. Rows go in
         batches. Found left behind: what is left of the rows goes.
COLD     the rows are gone.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.db.models import F, Q, TextField
from django.db.models.functions import Cast
from django.utils import timezone

from frames import partitions
from frames.cold import choosing, late, store
from frames.cold.choosing import Month
from frames.cold.container import Container, Row, columns
from frames.cold.errors import ColdLost
from frames.cold.manifest import PART, PART_CHARACTERS, Making, State, begin, throw_away
from frames.cold.merging import merge
from frames.models import ArchivedPeriod, Event, Frame, Project
from frames.retention import Policy
from stackmemory.lib.bulk import present
from stackmemory.lib.jsontext import OrderedJSONField
from stackmemory.lib.tenancy import system_scope
from workspaces import audit

logger = logging.getLogger(__name__)
FRAMES_AT_ONCE = 200
BATCH = 1_000
# One that has not been heard of for so long has died.
SILENCE = timedelta(minutes=10)
# Whoever began to read an object before its month came back has ended by then.
GRACE = timedelta(days=1)


@dataclass(frozen=True)
class Moved:
    """What one object came to."""

    period: ArchivedPeriod
    events: int


def archive_everywhere(now: datetime | None = None) -> int:
    """For the worker, daily: let the months go that are long past; how many events that were.

    Where that is off, only what was begun is brought to its end. A month of the table in which nothing
    is left is dropped.
    """
    with system_scope():
        found = Project.unscoped.filter(workspace__deleted_at=None).select_related("workspace")
        projects = list(found.order_by("pk"))
    moves = archive if choosing.is_on() else take_up
    total = 0
    for project in projects:
        try:
            total += sum(moved.events for moved in moves(project, now=now))
        except ColdLost as lost:  # the others' leave as ever
            logger.error("cold storage project=%s: %s", project.pk, lost.message)
    partitions.drop_empty()
    return total


def archive(
    project: Project, *, now: datetime | None = None, days: int | None = None
) -> Iterator[Moved]:
    """Move out what may leave of a project, object after object; first what was left half-way.

    `days` instead of the project's own lets everything go that is older, its month over or not.
    Another one at work on the same month is left to it.
    """
    at = now or timezone.now()
    yield from take_up(project, now=now)
    with system_scope():
        months = list(choosing.months(project, now=at, days=days))
    total = 0
    for month in months:
        while (moved := _move(month)) is not None:
            total += moved.events
            yield moved
    merge(project)
    if total:
        with system_scope():
            audit.record(
                workspace=project.workspace, action="project.archived", target=project,
                after={"events": total},
            )  # fmt: skip
        logger.info("events moved to cold storage project=%s events=%s", project.pk, total)


def outlook(
    project: Project, *, now: datetime | None = None, days: int | None = None
) -> list[tuple[date, int]]:
    """What archive() would move: (month, events)."""
    with system_scope():
        found = [
            (month.month, sum(month.events(ids).count() for ids in _in_parts(list(month.frames()))))
            for month in choosing.months(project, now=now or timezone.now(), days=days)
        ]
    return [(month, number) for month, number in found if number]


def take_up(project: Project, *, now: datetime | None = None) -> Iterator[Moved]:
    """Finish or throw away what somebody who died has left, and objects that count no more."""
    at = now or timezone.now()
    with system_scope():
        rows = ArchivedPeriod.unscoped.filter(project=project, workspace=project.workspace_id)
        left = rows.filter(state__in=(State.WRITING, State.WRITTEN), beat_at__lt=at - SILENCE)
        half = rows.filter(state=State.COLD, restored_at__lt=at - SILENCE)
        back = rows.filter(state=State.RESTORED, restored_at__lt=at - GRACE).exclude(object="")
        merged = rows.filter(state=State.REPLACED, beat_at__lt=at - GRACE)
        periods, halves = list(left.order_by("pk")), list(half)
        restored, replaced = list(back), list(merged)
    for period in periods:
        if not _is_ours(period):
            continue
        if period.state == State.WRITTEN:
            yield Moved(period, _let_rows_go(period, store.read(period)))
        else:
            throw_away(period)
    for period in halves:  # were to be brought back by somebody who died
        _let_rows_go(period, store.read(period))
    for period in replaced:
        throw_away(period)
    for period in restored:
        store.delete(period.object)
        with system_scope():
            ArchivedPeriod.unscoped.filter(pk=period.pk).update(object="", bytes=0)


def _is_ours(period: ArchivedPeriod) -> bool:
    """Take a period that was left; False where another one was quicker."""
    with system_scope():
        rows = ArchivedPeriod.unscoped.filter(pk=period.pk, beat_at=period.beat_at)
        return bool(rows.filter(state=period.state).update(beat_at=timezone.now()))


def _move(month: Month) -> Moved | None:
    """One object of a month, from its making to the last of its rows; None for nothing to move."""
    with system_scope():
        if not any(month.events(ids).exists() for ids in _in_parts(list(month.frames()))):
            return None
    period = begin(month.project.workspace_id, month.project.pk, month.month)
    if period is None:
        return None
    with Making(period) as making:
        for rows in _chunks(month):
            making.add(rows)
            making.beat()
        container = making.put() if making.frames else None
    if container is None or not _declare(period, container, making.frames, month.limit):
        throw_away(period)
        return None
    return Moved(period, _let_rows_go(period, container))


def _in_parts(frames: list[uuid.UUID]) -> Iterator[list[uuid.UUID]]:
    for start in range(0, len(frames), FRAMES_AT_ONCE):
        yield frames[start : start + FRAMES_AT_ONCE]


def _chunks(month: Month) -> Iterator[list[Row]]:
    """Up to PART rows in an object's order, each list read in one short transaction."""
    with system_scope():
        frames = list(month.frames())
    room, characters = PART, 0
    names = [field.attname for field in columns()]
    picked = [
        Cast(f.name, TextField()) if isinstance(f, OrderedJSONField) else f.attname
        for f in columns()
    ]
    for ids in _in_parts(frames):
        last = None
        while room > 0 and characters < PART_CHARACTERS:
            with system_scope():
                query = month.events(ids)
                query = _after(query, last) if last else query
                found = list(query.values_list(*picked)[: min(BATCH, room)])
            rows = [dict(zip(names, values, strict=True)) for values in found]
            if rows:
                yield rows
                room -= len(rows)
                characters += sum(len(row["payload"]) for row in rows)
                last = rows[-1]
            if len(rows) < BATCH:
                break


def _after(query: Any, row: Row) -> Any:
    rest = Q(occurred_at__gt=row["occurred_at"]) | Q(occurred_at=row["occurred_at"]) & (
        Q(seq__gt=row["seq"]) | Q(seq=row["seq"], id__gt=row["id"])
    )
    frame = row["frame_id"]
    return query.filter(Q(frame__gt=frame) | Q(frame=frame) & rest)


def _declare(
    period: ArchivedPeriod, container: Container, counted: dict[uuid.UUID, int], limit: datetime
) -> bool:
    """From here on the object counts. False where something of it may not leave any more.

    Frames are locked, as whoever erases or ages their events locks them: none that went meanwhile
    comes back by being in the object.
    """
    if container.events != sum(counted.values()):
        return False
    with system_scope():
        project = Project.unscoped.get(pk=period.project_id)
        ids = sorted(counted)
        frames = Frame.unscoped.select_for_update().filter(pk__in=ids).order_by("pk")
        if len(list(frames.values_list("pk"))) < len(ids) or Policy.of(project).hold:
            return False
        if choosing.leaving(project, limit).filter(pk__in=ids).count() < len(ids):
            return False
        events = [uuid.UUID(bytes=each) for each in container.id_set()]
        if len(events) < container.events or len(present(Event, events)) < len(events):
            return False
        now = timezone.now()
        period.state, period.moved_at, period.beat_at = State.WRITTEN, now, now
        period.save(force_update=True)
        by_count: dict[int, list[uuid.UUID]] = {}
        for frame, number in counted.items():
            by_count.setdefault(number, []).append(frame)
        for number, same in by_count.items():
            Frame.unscoped.filter(pk__in=same).update(cold_count=F("cold_count") + number)
    return True


def _let_rows_go(period: ArchivedPeriod, container: Container) -> int:
    """Delete the rows that the object holds; how many those are."""
    ids = [uuid.UUID(bytes=container.ids[n : n + 16]) for n in range(0, len(container.ids), 16)]
    for start in range(0, len(ids), BATCH):
        with system_scope():
            late.wait_for_writers(period.workspace_id)
            left = _as_it_was(period)
            if not left.update(beat_at=timezone.now()):
                return 0  # erased or restored meanwhile
            rows = Event.unscoped.filter(
                workspace=period.workspace_id, pk__in=ids[start : start + BATCH]
            )
            rows._raw_delete(rows.db)
    with system_scope():
        left = _as_it_was(period)
        left.update(state=State.COLD, beat_at=timezone.now(), restored_at=None)
    period.state = State.COLD
    return container.events


def _as_it_was(period: ArchivedPeriod) -> Any:
    rows = ArchivedPeriod.unscoped.filter(pk=period.pk, state=period.state)
    return rows.filter(restored_at=period.restored_at)
