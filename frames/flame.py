"""A session drawn as a flame graph: where each frame's bar goes. No drawing, no queries."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from frames.models import Frame

# A bar is never narrower than this share of the picture (about 3 px of 1,000), in percent.
MIN_WIDTH = 0.3
# Clocks that say a time before this, or after tomorrow, were wrong; one such frame would squeeze
# all others into a line, so it is listed instead of drawn.
FIRST_SANE = datetime(2000, 1, 1, tzinfo=UTC)
MIN_SPAN = timedelta(seconds=1)
# In px: the time axis on top, a row, the bar in it.
AXIS, ROW, BAR = 24, 26, 23
# Types that have a colour of their own (static/css/stack.css); all others share the last.
TINTS = {"task": 1, "subtask": 2, "debug": 3, "review": 4, "write": 5}
OTHER = 6
TICKS = 8
STEPS = [
    timedelta(seconds=s)
    for s in (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800)
] + [timedelta(hours=h) for h in (1, 2, 3, 6, 12, 24, 48, 96, 168, 336, 720, 2160, 8760)]  # fmt: skip


@dataclass(slots=True)
class Bar:
    """One frame in the picture; x and width are percentages of the time shown."""

    frame: Frame
    depth: int
    start: datetime
    end: datetime
    x: float = 0.0
    width: float = 0.0
    lane: int = 0
    row: int = 0
    # From where it begins to where the next of its row does: what its name may take.
    room: float = 0.0
    starts_before: bool = False
    ends_after: bool = False

    @property
    def duration(self) -> timedelta:
        return self.end - self.start

    @property
    def y(self) -> int:
        return AXIS + self.row * ROW

    @property
    def tint(self) -> int:
        return TINTS.get(self.frame.type, OTHER)


@dataclass(slots=True)
class Band:
    """All frames of one depth; as many lanes as run at the same time."""

    depth: int
    row: int
    lanes: int

    @property
    def y(self) -> int:
        return AXIS + self.row * ROW


@dataclass(slots=True)
class Tick:
    x: float
    offset: timedelta


@dataclass(slots=True)
class Flame:
    start: datetime
    end: datetime
    bars: list[Bar] = field(default_factory=list)
    bands: list[Band] = field(default_factory=list)
    ticks: list[Tick] = field(default_factory=list)
    # Frames whose clock was wrong: no place in the picture.
    undrawn: list[Frame] = field(default_factory=list)

    @property
    def rows(self) -> int:
        return sum(band.lanes for band in self.bands)

    @property
    def height(self) -> int:
        return AXIS + self.rows * ROW

    @property
    def span(self) -> timedelta:
        return self.end - self.start

    def x_of(self, at: datetime) -> float | None:
        """Where a moment lies in the picture, if it does."""
        x = 100 * ((at - self.start) / self.span)
        return round(x, 4) if 0 <= x <= 100 else None


def draw(frames: Sequence[Frame], *, now: datetime, zoom: uuid.UUID | None = None) -> Flame | None:
    """Place every frame, or, zoomed, those that run while the frame `zoom` does.

    None where there is nothing to draw. Rows go by depth *within these frames*; bars of one depth
    that run at the same time get lanes of their own, so that none hides another.
    """
    sane = [f for f in frames if FIRST_SANE <= f.started_at <= now + timedelta(days=1)]
    drawn = {f.id for f in sane}
    undrawn = [f for f in frames if f.id not in drawn]
    bars = _bars(sane)
    if not bars:
        return None
    target = next((bar for bar in bars if bar.frame.id == zoom), None)
    window = [target] if target else bars
    start = min(bar.start for bar in window)
    end = max(max(bar.end for bar in window), start + MIN_SPAN)
    flame = Flame(start=start, end=end, undrawn=undrawn)
    flame.bars = [
        bar for bar in bars if bar.start < end and (bar.end > start or bar.start >= start)
    ]
    _place(flame)
    flame.bands = _lanes(flame.bars)
    flame.ticks = ticks(flame.span)
    return flame


def _bars(frames: Sequence[Frame]) -> list[Bar]:
    """Bars with depth and time, in order of start; open frames run to their last activity."""
    depths = depths_within(frames)
    bars = {
        f.id: Bar(frame=f, depth=depths[f.id], start=f.started_at, end=_own_end(f)) for f in frames
    }
    for bar in sorted(bars.values(), key=lambda b: -b.depth):
        parent = bars.get(bar.frame.parent_id) if bar.frame.parent_id else None
        if parent is not None and parent.frame.is_open and parent.depth < bar.depth:
            parent.end = max(parent.end, bar.end)
    return sorted(bars.values(), key=lambda b: (b.start, b.depth, str(b.frame.id)))


def _own_end(frame: Frame) -> datetime:
    ends = frame.closed_at or frame.last_event_at or frame.started_at
    return max(ends, frame.started_at)


def depths_within(frames: Iterable[Frame]) -> dict[uuid.UUID, int]:
    """How deep each frame lies among these; one whose parent is elsewhere lies at 0.

    A ring of parents, which no import makes, does not hang this.
    """
    parents = {f.id: f.parent_id for f in frames}
    depths: dict[uuid.UUID, int] = {}
    for frame_id in parents:
        chain: list[uuid.UUID] = []
        at: uuid.UUID | None = frame_id
        seen: set[uuid.UUID] = set()
        while at is not None and at in parents and at not in depths and at not in seen:
            seen.add(at)
            chain.append(at)
            at = parents[at]
        base = depths.get(at, -1) if at is not None and at not in seen else -1
        for step, link in enumerate(reversed(chain), start=1):
            depths[link] = base + step
    return depths


def _place(flame: Flame) -> None:
    span = flame.span / timedelta(microseconds=1)
    for bar in flame.bars:
        bar.starts_before, bar.ends_after = bar.start < flame.start, bar.end > flame.end
        left = (max(bar.start, flame.start) - flame.start) / timedelta(microseconds=1)
        right = (min(bar.end, flame.end) - flame.start) / timedelta(microseconds=1)
        bar.x = 100 * left / span
        bar.width = max(100 * (right - left) / span, MIN_WIDTH)
        bar.x = round(max(min(bar.x, 100 - bar.width), 0), 4)
        bar.width = round(bar.width, 4)


def _lanes(bars: Sequence[Bar]) -> list[Band]:
    """Give every bar a lane in which it is alone, depth by depth; return the bands."""
    bands: list[Band] = []
    by_depth: dict[int, list[Bar]] = {}
    for bar in bars:
        by_depth.setdefault(bar.depth, []).append(bar)
    row = 0
    for depth in sorted(by_depth):
        taken: list[float] = []  # where each lane is free again
        for bar in sorted(by_depth[depth], key=lambda b: (b.x, -b.width)):
            free = (n for n, until in enumerate(taken) if until <= bar.x + 1e-9)
            bar.lane = next(free, len(taken))
            if bar.lane == len(taken):
                taken.append(0)
            taken[bar.lane] = bar.x + bar.width
            bar.row = row + bar.lane
        bands.append(Band(depth=depth, row=row, lanes=len(taken)))
        row += len(taken)
    _rooms(bars)
    return bands


def _rooms(bars: Sequence[Bar]) -> None:
    begins: dict[int, float] = {}
    for bar in sorted(bars, key=lambda b: -b.x):
        bar.room = round(begins.get(bar.row, 100) - bar.x, 4)
        begins[bar.row] = bar.x


def ticks(span: timedelta) -> list[Tick]:
    """Round moments along the time axis, as offsets from its beginning."""
    step = next((s for s in STEPS if span / s <= TICKS), STEPS[-1])
    while span / step > TICKS:
        step *= 2
    count = int(span / step)
    return [Tick(x=round(100 * (step * n / span), 4), offset=step * n) for n in range(count + 1)]
