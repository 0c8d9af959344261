"""How a workspace is doing this moment: events a second, sessions at work, how quickly it answers."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from django.db.models import F, IntegerField, Q, Sum
from django.db.models.functions import Cast

from frames.models import AgentSession
from frames.overview import LIVE
from workspaces import pulse
from workspaces.models import History, News, Pulse, User, Workspace

MINUTES, LATELY, DAYS = 30, 5, 14
MICRO = 1_000_000
WIDTH, HEIGHT = 600, 72


@dataclass
class Bar:
    minute: datetime
    amount: int
    x: float
    y: float
    height: float


@dataclass
class Now:
    per_second: float = 0.0
    bars: list[Bar] = field(default_factory=list)
    events: int = 0
    top: int = 0
    sessions: int = 0
    requests: int = 0
    failures: int = 0
    p50: int | None = None
    p95: int | None = None

    @property
    def per_minute(self) -> float:
        return self.requests / LATELY


def figures(workspace: Workspace, user: User, *, now: datetime) -> Now:
    """The last half hour. Events count that this person may see. Four queries."""
    found = Now()
    news = News.objects.in_workspace(workspace).filter(kind="event")
    news = news.filter(Q(owner_id=None) | Q(owner_id=user.pk)).order_by()
    this = now.replace(second=0, microsecond=0)
    first = this - timedelta(minutes=MINUTES - 1)
    grouped = (
        news.filter(position__gte=_position(first))
        .annotate(minute=Cast(F("position") / (60 * MICRO), IntegerField()))
        .values_list("minute")
        .annotate(amount=Sum("count"))
    )
    amounts = dict(grouped)
    last = news.filter(position__gte=_position(now - timedelta(seconds=60)))
    found.per_second = (last.aggregate(amount=Sum("count"))["amount"] or 0) / 60
    found.events, found.top = sum(amounts.values()), max(amounts.values(), default=0)
    step = WIDTH / MINUTES
    for number in range(MINUTES):
        minute = first + timedelta(minutes=number)
        amount = amounts.get(_position(minute) // (60 * MICRO), 0)
        height = max(1.5, amount / found.top * HEIGHT) if amount else 0.0
        x, y = round(number * step + 1, 2), round(HEIGHT - height, 2)
        found.bars.append(Bar(minute, amount, x, y, round(height, 2)))
    found.sessions = (
        AgentSession.objects.in_workspace(workspace)
        .filter(ended_at=None, last_seen_at__gt=now - LIVE)
        .count()
    )
    _answers(workspace, found, now)
    return found


def _answers(workspace: Workspace, found: Now, now: datetime) -> None:
    steps: Counter[int] = Counter()
    rows = Pulse.objects.in_workspace(workspace).filter(minute__gt=now - timedelta(minutes=LATELY))
    for ms, amount, failures in rows.values_list("ms", "amount", "failures"):
        steps[ms] += amount
        found.failures += failures
    found.requests = sum(steps.values())
    found.p50, found.p95 = pulse.quantile(steps, 0.5), pulse.quantile(steps, 0.95)


@dataclass
class Day:
    day: date
    events: int = 0
    errors: int = 0
    frames: int = 0
    requests: int = 0
    failures: int = 0
    p95_ms: int | None = None


def days(workspace: Workspace, *, now: datetime) -> list[Day]:
    """The last two weeks as they are in the history, the latest first. One query."""
    first = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    rows = History.objects.in_workspace(workspace).filter(
        span=History.Span.DAY, at__gte=first - timedelta(days=DAYS - 1)
    )
    by_day: defaultdict[date, Counter[str]] = defaultdict(Counter)
    for at, name, amount in rows.values_list("at", "name", "amount"):
        by_day[at.astimezone(UTC).date()][name] += amount
    return [
        Day(
            day, found["events"], found["errors"], found["frames"], found["requests"],
            found["failures"], found["p95_ms"] or None,
        )
        for day, found in sorted(by_day.items(), reverse=True)
    ]  # fmt: skip


def _position(at: datetime) -> int:
    return int(at.timestamp()) * MICRO
