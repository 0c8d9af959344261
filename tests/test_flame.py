"""Where the bars of a flame graph go."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from frames import flame
from frames.models import Frame
from stackmemory.lib.uuid7 import uuid7

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
NOW = NOON + timedelta(days=1)


def minutes(n):
    return NOON + timedelta(minutes=n)


def frame(start, end=None, parent=None, **fields):
    """From one minute to another; without an end it is still open."""
    pk = uuid7()
    return Frame(
        id=pk, root_id=pk, parent=parent, name="f", started_at=minutes(start),
        state="active" if end is None else "closed",
        closed_at=None if end is None else minutes(end), **fields,
    )  # fmt: skip


def drawn(frames, **options):
    picture = flame.draw(frames, now=NOW, **options)
    return picture, {bar.frame.pk: bar for bar in picture.bars}


def test_children_lie_below_their_parents_and_within_them():
    root = frame(0, 100)
    child = frame(25, 50, root)
    grandchild = frame(30, 40, child)
    picture, bars = drawn([root, child, grandchild])
    assert [(bars[f.pk].x, bars[f.pk].width, bars[f.pk].row) for f in (root, child, grandchild)] == [
        (0, 100, 0), (25, 25, 1), (30, 10, 2),
    ]  # fmt: skip
    assert picture.rows == 3


def test_siblings_one_after_the_other_share_a_row():
    root = frame(0, 100)
    first, second = frame(0, 50, root), frame(50, 100, root)
    _, bars = drawn([root, first, second])
    assert bars[first.pk].row == bars[second.pk].row == 1


def test_siblings_at_the_same_time_do_not_hide_each_other():
    root = frame(0, 100)
    pair = [frame(10, 60, root), frame(30, 90, root)]
    below = [frame(35, 40, one) for one in pair]
    picture, bars = drawn([root, *pair, *below])
    assert sorted(bars[f.pk].row for f in pair) == [1, 2]
    assert sorted(bars[f.pk].row for f in below) == [3, 4]
    assert [band.lanes for band in picture.bands] == [1, 2, 2]


def test_no_two_bars_of_a_row_overlap():
    root = frame(0, 100)
    many = [frame(n * 7 % 90, n * 7 % 90 + n % 11, root) for n in range(80)]
    picture, _ = drawn([root, *many])
    for row in range(picture.rows):
        bars = sorted((bar for bar in picture.bars if bar.row == row), key=lambda bar: bar.x)
        for left, right in pairwise(bars):
            assert left.x + left.width <= right.x + 1e-3


def test_an_open_frame_runs_to_its_last_activity():
    root = frame(0, last_event_at=minutes(10))
    child = frame(5, parent=root, last_event_at=minutes(40))
    done = frame(0, 80)
    _, bars = drawn([root, child, done])
    assert bars[root.pk].end == minutes(40)
    assert bars[child.pk].end == minutes(40)


def test_a_frame_of_no_duration_is_visible():
    root, blink = frame(0, 100), frame(99.999, 99.999)
    _, bars = drawn([root, blink])
    assert bars[blink.pk].width == flame.MIN_WIDTH
    assert bars[blink.pk].x + bars[blink.pk].width <= 100
    assert flame.draw([frame(0, 0)], now=NOW).bars[0].width > 0


def test_a_name_may_run_to_the_next_bar_of_its_row():
    root = frame(0, 100)
    first, second = frame(10, 11, root), frame(60, 61, root)
    _, bars = drawn([root, first, second])
    assert (bars[first.pk].room, bars[second.pk].room) == (50, 40)


def test_an_end_before_the_start_is_no_negative_width():
    _, bars = drawn([frame(0, 100), odd := frame(50, 40)])
    assert bars[odd.pk].width == flame.MIN_WIDTH


def test_zoomed_in_the_others_are_clipped_or_gone():
    root = frame(0, 100)
    child, other = frame(20, 40, root), frame(60, 80, root)
    inside = frame(25, 30, child)
    picture, bars = drawn([root, child, other, inside], zoom=child.pk)
    assert (picture.start, picture.end) == (minutes(20), minutes(40))
    assert other.pk not in bars
    assert (bars[root.pk].x, bars[root.pk].width) == (0, 100)
    assert bars[root.pk].starts_before
    assert bars[root.pk].ends_after
    assert (bars[inside.pk].x, bars[inside.pk].width) == (25, 25)


def test_a_wrong_clock_does_not_squeeze_the_rest():
    lost = Frame(id=uuid7(), root_id=uuid7(), name="f", started_at=datetime(1970, 1, 2, tzinfo=UTC))
    picture, bars = drawn([lost, frame(0, 10)])
    assert picture.undrawn == [lost]
    assert len(bars) == 1
    assert flame.draw([lost], now=NOW) is None


def test_a_parent_elsewhere_and_a_ring_of_parents():
    stray = frame(0, 10, parent=frame(0, 10))
    a, b = frame(0, 10), frame(0, 10)
    a.parent, b.parent = b, a
    depths = flame.depths_within([stray, a, b])
    assert depths[stray.pk] == 0
    assert set(depths) == {stray.pk, a.pk, b.pk}


def test_a_deep_stack_has_a_row_a_level():
    frames = [frame(0, 1000)]
    for n in range(60):
        frames.append(frame(n, 900 - n, frames[-1]))
    picture, _ = drawn(frames)
    assert picture.rows == 61
    assert [bar.depth for bar in picture.bars] == list(range(61))


@pytest.mark.parametrize("seconds", [1, 7, 59, 600, 5000, 86_400, 10**7, 10**9])
def test_the_axis_has_a_few_round_marks(seconds):
    marks = flame.ticks(timedelta(seconds=seconds))
    assert 1 <= len(marks) <= flame.TICKS + 1
    assert marks[0].x == 0
    assert all(0 <= mark.x <= 100 for mark in marks)
