"""How much a workspace stores and is asked, by day and project: measured, added up, drawn.

Days are UTC here, for all three: requests are only ever counted by it.
"""

from __future__ import annotations

import logging
import uuid
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from django.db.models import Sum
from django.db.models.functions import Coalesce, TruncDate

from frames.chart import HEIGHT, SERIES, WIDTH, Chart, Day, Segment, Series, nice
from frames.cold import reading
from frames.models import Activity, Event
from stackmemory.lib.blobs import Lost
from stackmemory.lib.octets import Octets
from stackmemory.lib.tenancy import workspace_scope
from stackmemory.lib.uuid7 import CEILING, FLOOR, first_at
from workspaces import usage
from workspaces.models import NO_PROJECT, Usage, Workspace

logger = logging.getLogger(__name__)
Kind = Usage.Kind
Amounts = dict[tuple[date, uuid.UUID], int]
ONE_DAY = timedelta(days=1)
GAP = 6


def measure_all() -> None:
    """For the worker, every hour: bring every workspace's measures up to date."""
    for workspace in Workspace.objects.live():
        try:
            with workspace_scope(workspace.pk):
                measure(workspace)
        except Lost as lost:  # the others' are measured as ever
            logger.error("usage workspace=%s: %s", workspace.pk, lost.message)


def measure(workspace: Workspace) -> int:
    """Count bytes of the (day, project)s whose number of rows changed since; returns how many.

    Rows come from the activity that appending keeps; only bytes are asked of the events.
    """
    rows = _rows(workspace)
    known = _known(workspace, Kind.ROWS)
    changed = {key for key, amount in rows.items() if known.get(key, 0) != amount}
    if not changed:
        return 0
    found = _bytes(workspace, min(day for day, _ in changed), max(day for day, _ in changed))
    usage.put(
        workspace=workspace, kind=Kind.BYTES, amounts={key: found.get(key, 0) for key in changed}
    )
    usage.put(workspace=workspace, kind=Kind.ROWS, amounts={key: rows[key] for key in changed})
    return len(changed)


@dataclass(frozen=True)
class Figure:
    """One kind of use: its chart, and the amount per project, the largest first."""

    kind: str
    title: str
    chart: Chart
    projects: list[tuple[str, int]]

    @property
    def total(self) -> int:
        return sum(amount for _, amount in self.projects)


def figures(
    workspace: Workspace, names: Mapping[uuid.UUID, str], *, today: date, days: int
) -> list[Figure]:
    """Rows, bytes and requests of the last `days` days. Two queries."""
    first = today - timedelta(days=days - 1)
    by_kind: dict[str, Amounts] = {kind: {} for kind in Kind.values}
    for row in Usage.objects.in_workspace(workspace).filter(day__gte=first, day__lte=today):
        by_kind[row.kind][row.day, row.project_id] = row.amount
    by_kind[Kind.ROWS] = _rows(workspace, since=first)  # as they stand, not as last measured
    titles = {Kind.ROWS: "Events", Kind.BYTES: "Bytes of events", Kind.REQUESTS: "Requests"}
    return [
        _figure(kind, title, by_kind[kind], names, first, days) for kind, title in titles.items()
    ]


def _rows(workspace: Workspace, since: date | None = None) -> Amounts:
    rows = Activity.objects.in_workspace(workspace)
    if since:
        rows = rows.filter(hour__gte=datetime.combine(since, time(), UTC))
    counted = (
        rows.order_by()
        .annotate(day=TruncDate("hour", tzinfo=UTC))
        .values_list("day", "project_id")
        .annotate(amount=Sum("events"))
    )
    return {(day, project_id): amount for day, project_id, amount in counted}


def _known(workspace: Workspace, kind: str) -> Amounts:
    rows = Usage.objects.in_workspace(workspace).filter(kind=kind)
    return {(row.day, row.project_id): row.amount for row in rows}


def _bytes(workspace: Workspace, first: date, last: date) -> Amounts:
    """Bytes of payload of the events of these days; ids carry the time, and spare other months."""
    low = max(datetime.combine(first, time(), UTC) - ONE_DAY, FLOOR)
    high = min(datetime.combine(last, time(), UTC) + 2 * ONE_DAY, CEILING)
    counted = (
        Event.objects.in_workspace(workspace)
        .filter(id__gte=first_at(min(low, CEILING)), id__lt=first_at(max(high, FLOOR + ONE_DAY)))
        .order_by()
        .annotate(day=TruncDate("occurred_at", tzinfo=UTC))
        .values_list("day", "frame__project_id")
        .annotate(amount=Sum(Coalesce("stored_octets", Octets("payload"))))
    )
    found = Counter({(day, project_id): amount for day, project_id, amount in counted})
    for day, project_id, amount in reading.octets(workspace.pk, low, high):
        found[day, project_id] += amount
    return dict(found)


def _figure(
    kind: str,
    title: str,
    amounts: Amounts,
    names: Mapping[uuid.UUID, str],
    first: date,
    days: int,
) -> Figure:
    totals: Counter[uuid.UUID] = Counter()
    by_day: defaultdict[date, Counter[uuid.UUID]] = defaultdict(Counter)
    for (day, project_id), amount in amounts.items():
        totals[project_id] += amount
        by_day[day][project_id] += amount
    ranked = [project_id for project_id, amount in totals.most_common() if amount]
    labels = {pk: _label(pk, names) for pk in ranked}
    top = nice(max((sum(day.values()) for day in by_day.values()), default=0))
    step = WIDTH / days
    drawn = [
        _day(by_day[first + timedelta(days=n)], ranked, labels, top, first, n, step)
        for n in range(days)
    ]
    chart = Chart(drawn, _series(ranked, labels, totals), top, round(step - GAP, 2))
    return Figure(kind, title, chart, [(labels[pk], totals[pk]) for pk in ranked])


def _day(
    counts: Counter[uuid.UUID],
    ranked: list[uuid.UUID],
    labels: dict[uuid.UUID, str],
    top: int,
    first: date,
    number: int,
    step: float,
) -> Day:
    """A day's bar: the largest projects each in its colour, the others together on top."""
    day = Day(date=first + timedelta(days=number), x=round(number * step + GAP / 2, 2))
    sums: Counter[int] = Counter()
    for place, project_id in enumerate(ranked):
        sums[min(place, SERIES)] += counts[project_id]
    floor = float(HEIGHT)
    for place in sorted(place for place, amount in sums.items() if amount):
        height = max(1.0, sums[place] / top * HEIGHT)
        floor -= height
        label = labels[ranked[place]] if place < SERIES else "others"
        day.segments.append(
            Segment(place + 1, label, sums[place], round(floor, 2), round(height, 2))
        )
        day.total += sums[place]
    return day


def _series(
    ranked: list[uuid.UUID], labels: dict[uuid.UUID, str], totals: Counter[uuid.UUID]
) -> list[Series]:
    named = [Series(n + 1, labels[pk], totals[pk]) for n, pk in enumerate(ranked[:SERIES])]
    rest = ranked[SERIES:]
    if rest:
        others = f"{len(rest)} others" if len(rest) > 1 else labels[rest[0]]
        named.append(Series(SERIES + 1, others, sum(totals[pk] for pk in rest)))
    return named


def _label(project_id: uuid.UUID, names: Mapping[uuid.UUID, str]) -> str:
    if project_id == NO_PROJECT:
        return "the whole workspace"
    return names.get(project_id, "a deleted project")
