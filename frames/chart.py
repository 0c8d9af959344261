"""The activity chart: events of the last days, by project, in the reader's own days.

Only geometry and numbers are made here; the template draws them as SVG and as a table.
"""

from __future__ import annotations

import uuid
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from frames.models import Activity
from workspaces.models import Workspace

DAYS = 14
# Projects told apart by colour; the rest share the last one.
SERIES = 4
WIDTH, HEIGHT = 700, 132
GAP = 14


@dataclass(frozen=True)
class Segment:
    """One project's part of a day's bar, in the drawing's units, y downwards."""

    series: int
    label: str
    value: int
    y: float
    height: float


@dataclass
class Day:
    date: date
    x: float
    total: int = 0
    errors: int = 0
    frames: int = 0
    segments: list[Segment] = field(default_factory=list)


@dataclass(frozen=True)
class Series:
    number: int
    label: str
    total: int


@dataclass(frozen=True)
class Chart:
    days: list[Day]
    series: list[Series]
    top: int
    bar_width: float
    width: int = WIDTH
    height: int = HEIGHT

    @property
    def total(self) -> int:
        return sum(day.total for day in self.days)

    @property
    def errors(self) -> int:
        return sum(day.errors for day in self.days)

    @property
    def frames(self) -> int:
        return sum(day.frames for day in self.days)

    @property
    def middle(self) -> int:
        return self.top // 2


def activity_chart(
    workspace: Workspace,
    names: Mapping[uuid.UUID, str],
    *,
    zone: tzinfo,
    now: datetime,
    days: int = DAYS,
) -> Chart:
    """The last `days` days up to today as `zone` counts them. One query.

    `names` says what each project is called. A day that a clock change makes 23 or 25 hours long
    is still one day; an hour that a zone of half hours cuts in two counts where it begins.
    """
    today = now.astimezone(zone).date()
    first = today - timedelta(days=days - 1)
    since = datetime.combine(first, time(), zone).astimezone(UTC)
    rows = (
        Activity.objects.in_workspace(workspace)
        .filter(hour__gte=since, hour__lte=now)
        .values_list("hour", "project_id", "events", "errors", "frames")
    )
    by_day: defaultdict[date, Counter[uuid.UUID]] = defaultdict(Counter)
    errors: Counter[date] = Counter()
    frames: Counter[date] = Counter()
    totals: Counter[uuid.UUID] = Counter()
    for hour, project_id, events_n, errors_n, frames_n in rows:
        at = hour.astimezone(zone).date()
        by_day[at][project_id] += events_n
        totals[project_id] += events_n
        errors[at] += errors_n
        frames[at] += frames_n
    ranked = [project_id for project_id, total in totals.most_common() if total]
    place = {project_id: min(n, SERIES) for n, project_id in enumerate(ranked)}
    top = nice(max((sum(day.values()) for day in by_day.values()), default=0))
    step = WIDTH / days
    made = [
        Day(date=first + timedelta(days=n), x=round(n * step + GAP / 2, 2)) for n in range(days)
    ]
    labels = _labels(ranked, names)
    for day in made:
        day.errors, day.frames = errors[day.date], frames[day.date]
        sums: Counter[int] = Counter()
        for project_id, events_n in by_day[day.date].items():
            if events_n:
                sums[place[project_id]] += events_n
        _pile(day, sums, labels, top)
    series_totals: Counter[int] = Counter()
    for project_id in ranked:
        series_totals[place[project_id]] += totals[project_id]
    series = [
        Series(number + 1, labels[number], series_totals[number])
        for number in sorted(series_totals)
    ]
    return Chart(made, series, top, round(step - GAP, 2))


def _labels(ranked: list[uuid.UUID], names: Mapping[uuid.UUID, str]) -> dict[int, str]:
    # "Others" of one is that one.
    labels = {n: names.get(project_id, "?") for n, project_id in enumerate(ranked[: SERIES + 1])}
    if len(ranked) > SERIES + 1:
        labels[SERIES] = f"{len(ranked) - SERIES} others"
    return labels


def _pile(day: Day, sums: Counter[int], labels: Mapping[int, str], top: int) -> None:
    """Put a day's parts upon each other, the largest series at the bottom."""
    floor = float(HEIGHT)
    for number in sorted(sums):
        height = max(1.0, sums[number] / top * HEIGHT)
        floor -= height
        day.segments.append(
            Segment(number + 1, labels[number], sums[number], round(floor, 2), round(height, 2))
        )
        day.total += sums[number]


def nice(value: int) -> int:
    """The round, evenly halved number at or above `value` that a scale ends with."""
    if value <= 10:
        return 10
    power = 10 ** (len(str(value)) - 1)
    tops = (int(step * power) for step in (1, 1.5, 2, 3, 4, 6, 8, 10))
    return next(top for top in tops if top >= value and top % 2 == 0)
