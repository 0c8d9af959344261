"""Usage over a long time: hours and days in one partitioned table, brought up to date by the clock.

Events, errors and frames come from the activity that appending keeps, so what an import brought to
days long past is found too; requests, failures and their time from the last days' pulses. A figure
is written when it differs, under an id that derives from what it is a figure of; doing it again
changes nothing.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from django.db.models import Sum
from django.db.models.functions import TruncDate
from django.utils import timezone

from frames.models import Activity
from stackmemory.lib.tenancy import workspace_scope
from stackmemory.lib.uuid7 import derived
from workspaces import pulse
from workspaces.models import NO_PROJECT, History, Pulse, Workspace

HOURS_KEPT = timedelta(days=90)
# Looked at every hour; the whole past once a day.
LATELY = timedelta(days=3)
WHOLE_AT = 3
FIGURES = ("events", "errors", "frames")
HOUR, DAY = History.Span.HOUR, History.Span.DAY


class Figure(NamedTuple):
    at: datetime
    span: str
    name: str
    project: uuid.UUID = NO_PROJECT


def roll_up_all(now: datetime | None = None) -> None:
    """For the worker, every hour: every workspace's history up to now."""
    for workspace in Workspace.objects.live():
        with workspace_scope(workspace.pk):
            roll_up(workspace, now=now or timezone.now())


def roll_up(workspace: Workspace, *, now: datetime) -> int:
    """Write the hours and days whose figures differ; returns how many did."""
    history = History.objects.in_workspace(workspace)
    history.filter(span=HOUR, at__lt=now - HOURS_KEPT).delete()
    whole = now.hour == WHOLE_AT or not history.exists()
    since = None if whole else (now - LATELY).replace(hour=0, minute=0, second=0, microsecond=0)
    figures = {
        **dict(_activity(workspace, since, now)),
        **dict(_pulses(workspace, since, now)),
    }
    known = history.filter(at__gte=since) if since else history
    amounts = dict(known.values_list("pk", "amount"))
    ids = {_id(workspace, figure): figure for figure in figures}
    differs = [id_ for id_, figure in ids.items() if amounts.get(id_) != figures[figure]]
    # Not ON CONFLICT: as a hypertable it has no unique id alone.
    history.filter(pk__in=[id_ for id_ in differs if id_ in amounts]).delete()
    History.unscoped.bulk_create(
        [
            History(
                id=id_, workspace=workspace, at=ids[id_].at, span=ids[id_].span,
                name=ids[id_].name, project_id=ids[id_].project, amount=figures[ids[id_]],
            )
            for id_ in differs
        ],
        batch_size=500,
    )  # fmt: skip
    return len(differs)


def _id(workspace: Workspace, figure: Figure) -> uuid.UUID:
    return derived(
        figure.at, str(workspace.pk), "history", figure.span, figure.name, str(figure.project)
    )


def _activity(
    workspace: Workspace, since: datetime | None, now: datetime
) -> Iterator[tuple[Figure, int]]:
    rows = Activity.objects.in_workspace(workspace).order_by()
    hours = rows.filter(hour__gte=since or now - HOURS_KEPT)
    for at, project, *amounts in hours.values_list("hour", "project_id", *FIGURES):
        for name, amount in zip(FIGURES, amounts, strict=True):
            if amount:
                yield Figure(at, HOUR, name, project), amount
    days = rows.filter(hour__gte=since) if since else rows
    sums = {f"{name}_sum": Sum(name) for name in FIGURES}
    grouped = days.annotate(day=TruncDate("hour", tzinfo=UTC)).values("day", "project_id")
    for row in grouped.annotate(**sums):
        at = datetime(row["day"].year, row["day"].month, row["day"].day, tzinfo=UTC)
        for name in FIGURES:
            if amount := row[f"{name}_sum"]:
                yield Figure(at, DAY, name, row["project_id"]), amount


def _pulses(
    workspace: Workspace, since: datetime | None, now: datetime
) -> Iterator[tuple[Figure, int]]:
    """Of whole hours and days that pulses are still there for."""
    oldest = now - pulse.KEPT
    rows = Pulse.objects.in_workspace(workspace).filter(minute__gte=since or oldest)
    minutes = list(rows.values_list("minute", "ms", "amount", "failures"))
    for span in (HOUR, DAY):
        steps: defaultdict[datetime, defaultdict[int, int]]
        steps = defaultdict(lambda: defaultdict(int))
        failures: defaultdict[datetime, int] = defaultdict(int)
        for minute, ms, amount, failed in minutes:
            at = minute.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
            at = at.replace(hour=0) if span == DAY else at
            steps[at][ms] += amount
            failures[at] += failed
        for at, found in steps.items():
            if at < oldest:
                continue  # some of its minutes are forgotten; what is written stays
            yield Figure(at, span, "requests"), sum(found.values())
            yield Figure(at, span, "p95_ms"), pulse.quantile(found, 0.95) or 0
            if failures[at]:
                yield Figure(at, span, "failures"), failures[at]
