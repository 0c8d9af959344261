"""Pages of a timeline: in order, whole, pairs kept together, and few partitions read."""

import json
import re
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from types import SimpleNamespace

import pytest
from django.db import connection

from frames import timeline
from frames.entries import entries
from frames.pairing import pair
from stackmemory.lib.uuid7 import CEILING, FLOOR
from tests.pages import make_project
from tests.stacks import NOON, call, happen


@pytest.fixture
def frame(acme):
    frame = call(make_project(acme))
    frame.workspace = acme
    return frame


def walk_back(acme, frame):
    """All events, read page by page from the last."""
    stretch = timeline.stretch_of(frame)
    page = timeline.newest(acme, stretch)
    pages = [page]
    while page.older:
        page = timeline.before(acme, stretch, page.older)
        pages.insert(0, page)
    return pages


def walk_on(acme, frame):
    stretch = timeline.stretch_of(frame)
    page = timeline.since(acme, stretch, stretch.first)
    pages = [page]
    while page.newer:
        page = timeline.after(acme, stretch, page.newer)
        pages.append(page)
    return pages


@pytest.mark.parametrize("walk", [walk_back, walk_on])
def test_pages_give_every_event_once_and_in_order(acme, frame, walk):
    # twenty events a second, as local stores with whole seconds have them
    happen(acme, frame, [("note", {"n": n}, n // 20) for n in range(330)])
    pages = walk(acme, frame)
    lines = [line for page in pages for line in page.lines]
    assert [line.data["n"] for line in lines] == list(range(330))
    assert len(pages) == 7
    assert all(a.place < b.place for a, b in pairwise(lines))


def test_a_page_does_not_part_a_call_from_its_result(acme, frame):
    said = []
    for n in range(120):
        said += [("tool_call", {"tool_name": "t", "n": n}), ("tool_result", {"tool_name": "t"})]
    happen(acme, frame, [("note", {}), *said])
    for walk in (walk_back, walk_on):
        pages = walk(acme, frame)
        assert sum(len(page.lines) for page in pages) == 241
        shown = [entry for page in pages for entry in entries(page.lines)]
        assert len(shown) == 121
        assert all(entry.result for entry in shown if entry.kind == "tool")


def test_a_page_begins_at_a_moment(acme, frame):
    happen(acme, frame, [("note", {"n": n}, n) for n in range(100)])
    stretch = timeline.stretch_of(frame)
    page = timeline.since(acme, stretch, NOON + timedelta(seconds=30))
    assert page.lines[0].data == {"n": 30}
    assert page.older
    assert page.newer
    assert timeline.before(acme, stretch, page.older).lines[-1].data == {"n": 29}
    late = timeline.since(acme, stretch, NOON + timedelta(days=1))
    assert late.lines[-1].data == {"n": 99}
    assert not late.newer


@pytest.mark.parametrize(
    "at", [datetime(1970, 1, 1, 5, tzinfo=UTC), FLOOR, CEILING, datetime(2190, 5, 5, tzinfo=UTC)]
)
def test_times_that_no_id_can_carry_are_found(acme, frame, at):
    happen(acme, frame, [("note", {"n": 1}), ("note", {"n": 2}, 1)], start=at)
    happen(acme, frame, [("note", {"n": 3})])
    assert sorted(x.data["n"] for page in walk_back(acme, frame) for x in page.lines) == [1, 2, 3]
    near = timeline.between(acme, timeline.stretch_of(frame), at, at + timedelta(seconds=1))
    assert near.count() == 2


def test_events_of_many_frames_are_one_timeline(acme, frame):
    project = frame.project
    others = [call(project) for _ in range(30)]
    for n, other in enumerate(others):
        happen(acme, other, [("note", {"n": n * 10 + m}, n * 600 + m) for m in range(10)])
    stretch = timeline.stretch_of(frame, *others)
    page = timeline.since(acme, stretch, NOON)
    assert [line.data["n"] for line in page.lines] == list(range(timeline.PAGE))
    # Later frames cannot be on this page, and are not asked for.
    edge = stretch.horizon(NOON - timedelta(seconds=1), forwards=True)
    assert len(stretch.frames_between(NOON, edge)) == 7
    on = timeline.after(acme, stretch, page.newer)
    assert on.lines[0].data["n"] == timeline.PAGE


def test_of_a_huge_payload_the_beginning_is_read(acme, frame):
    story = "once upon a time " * 60_000
    happen(acme, frame, [("assistant_message", {"content": story})])
    line = timeline.newest(acme, timeline.stretch_of(frame)).lines[0]
    assert line.cut
    assert line.octets == len(json.dumps({"content": story}))
    assert 10_000 < len(line.head) <= timeline.HEAD
    assert story.startswith(line.data["content"].removesuffix("…"))


@pytest.mark.parametrize("text", ["", "x", "1.2", "1.2.3.4", "9e99.1.zz", f"{10**30}.1.{'0' * 32}"])
def test_a_place_that_is_none_is_none(text):
    assert timeline.Place.parse(text) is None


def test_a_place_survives_the_address(acme, frame):
    happen(acme, frame, [("note", {}, 0.123456)])
    place = timeline.newest(acme, timeline.stretch_of(frame)).lines[0].place
    assert timeline.Place.parse(str(place)) == place


@pytest.mark.postgresql_only
def test_only_the_months_asked_for_are_read(acme, frame):
    months = [datetime(2025, month, 3, tzinfo=UTC) for month in range(1, 13)]
    for start in months:
        happen(acme, frame, [("note", {"m": start.month})], start=start)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_inherits WHERE inhparent = 'frames_event'::regclass"
        )
        assert cursor.fetchone()[0] >= 12

    def partitions_read(first, last):
        stretch = timeline.stretch_of(frame)
        events = timeline.between(acme, stretch, first, last).order_by(
            "-occurred_at", "-seq", "-id"
        )
        return set(re.findall(r"frames_event_(\d{6})\b", events.explain()))

    assert partitions_read(months[4], months[5]) == {"202505", "202506"}
    assert partitions_read(months[0], months[0]) == {"202501"}
    # A page before a place reads from that month back, and no later one.
    place = timeline.Place(months[2], 0, frame.pk)
    page = timeline.before(acme, timeline.stretch_of(frame), place)
    assert [line.data["m"] for line in page.lines] == [1, 2]


# --- Calls and results --------------------------------------------------------------------------
def script(*said):
    """(type, payload) as events; a string is a call (c…) or a result (r…) of the tool after it."""
    events = []
    for one in said:
        if isinstance(one, str):
            one = ("tool_call" if one[0] == "c" else "tool_result", {"tool_name": one[1:]})
        events.append(SimpleNamespace(type=one[0], data=one[1], tool=""))
    return events


def test_a_call_is_answered_by_the_next_result_of_its_tool():
    assert pair(script("cA", "rA", "cB", "rB")) == {0: 1, 2: 3}
    assert pair(script("cA", ("decision", {}), "rA")) == {0: 2}
    assert pair(script("cA", "cB", "rB", "rA")) == {0: 3, 1: 2}


def test_calls_made_at_once_are_answered_in_their_order():
    assert pair(script("cA", "cA", "rA", "rA")) == {0: 2, 1: 3}


def test_a_call_never_answered_does_not_shift_the_others():
    assert pair(script("cA", ("user_message", {}), "cA", "rA", "cA", "rA")) == {2: 3, 4: 5}


def test_ids_decide_where_there_are_any():
    def said(kind, key):
        return (kind, {"tool_name": "A", "tool_use_id": key})

    events = script(
        said("tool_call", "1"), said("tool_call", "2"), said("tool_result", "2"),
        said("tool_result", "1"), said("tool_result", "3"),
    )  # fmt: skip
    assert pair(events) == {0: 3, 1: 2}


def test_a_result_without_a_name_answers_the_call_right_before_it():
    assert pair(script("cA", ("tool_result", {"content": "x"}))) == {0: 1}
    assert pair(script(("tool_result", {"content": "x"}), "cA")) == {}
