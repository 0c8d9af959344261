"""How times, durations, numbers, ids and names are written."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from django.template import Context, Template

from frames.models import Frame
from frames.templatetags import marks, reading
from workspaces.models import User

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"), (0.25, "250 ms"), (4, "4 s"), (4.21, "4.2 s"), (59, "59 s"), (60, "1 m"),
        (192, "3 m 12 s"), (3600, "1 h"), (3605, "1 h"), (7380, "2 h 3 m"), (90_000, "1 d 1 h"),
        (-5, "–"), (None, "–"),
    ],
)  # fmt: skip
def test_duration(seconds, text):
    assert reading.duration(seconds) == text
    if seconds is not None:
        assert reading.duration(timedelta(seconds=seconds)) == text


@pytest.mark.parametrize(
    ("back", "text"),
    [
        (timedelta(seconds=20), "just now"),
        (timedelta(minutes=4), "4 min ago"),
        (timedelta(minutes=59, seconds=50), "1 h ago"),
        (timedelta(hours=3), "3 h ago"),
        (timedelta(days=6), "6 d ago"),
        (timedelta(days=60), "23 Sep"),
        (timedelta(days=600), "1 Apr 2025"),
        (timedelta(hours=-3), "in 3 h"),
    ],
)
def test_relative_time(back, text):
    assert reading.relative(NOW - back, NOW) == text


@pytest.mark.parametrize("year", [1, 1970, 9999])
def test_times_at_the_edges_are_shown(year):
    html = reading.when(datetime(year, 12, 31, 23, 59, tzinfo=UTC))
    assert str(year) in html
    assert "<time" in html


def test_a_time_is_exact_on_hover_in_the_readers_zone():
    from django.utils import timezone as zone

    with zone.override(timezone(timedelta(hours=5, minutes=45), "+0545")):
        html = reading.when(datetime(2026, 3, 1, 23, 0, tzinfo=UTC), "exact")
    assert 'datetime="2026-03-01T23:00:00+00:00"' in html
    assert 'title="2026-03-02 04:45:00 +0545"' in html
    assert ">2 Mar 2026, 04:45<" in html


@pytest.mark.parametrize(
    ("number", "text"), [(7, "7"), (999, "999"), (12_412, "12.4 k"), (2_000_000, "2 M")]
)
def test_compact_numbers(number, text):
    html = reading.compact(number)
    assert f">{text}<" in html
    assert (f'title="{number:,}"' in html) is (number > 999)


def test_a_long_name_keeps_its_end_and_its_whole():
    name = "Investigate why the nightly job double-counts <b>refunds</b> in production"
    html = reading.middle(name)
    assert "&lt;b&gt;refunds&lt;/b&gt;" in html
    assert "<b>" not in html
    assert '<span class="mid-tail"> production</span>' in html or "in production</span>" in html


def test_a_megabyte_of_a_name_is_cut():
    assert len(reading.middle("x" * 1_000_000)) < 2000


def test_a_name_is_not_cut_inside_a_family_emoji():
    family = "\U0001f469\u200d\U0001f469\u200d\U0001f467"
    html = reading.middle("A name long enough to be cut somewhere " + family * 4)
    tail = html.rsplit('mid-tail">', 1)[1]
    assert not tail.startswith(("\u200d", "\U0001f467"))


def test_no_name_says_so():
    assert "(no name)" in reading.middle("")
    assert "(no name)" in reading.middle(" \n ")


def test_unknown_types_and_states_are_shown_as_they_are():
    assert "&lt;i&gt;HUNCH" in marks.anchor_type("<i>HUNCH")
    assert "stalled" in marks.state(Frame(state="stalled", name="x"))
    assert len(marks.anchor_type("T" * 100_000)) < 2000


def test_minutes_of_a_hostile_file():
    assert reading.minutes(42.5) == "42 m 30 s"
    assert {reading.minutes(n) for n in (None, float("nan"), float("inf"), -1, 1e300)} == {"–"}


def test_a_person_is_escaped():
    html = marks.person(User(name="<script>", email="a@example.com"))
    assert "<script>" not in html


def test_an_id_is_short_and_whole():
    html = reading.short_id("0192f3aa-7b1c-7000-8000-0000deadbeef")
    assert ">deadbeef<" in html
    assert 'data-copy="0192f3aa-7b1c-7000-8000-0000deadbeef"' in html


def test_tags_work_in_a_template():
    html = Template(
        "{% load reading marks %}{% when t %}{{ 192|duration }}{% lasted t t %}{% errors 2 %}"
    ).render(Context({"t": NOW}))
    assert "3 m 12 s" in html
    assert "2 errors" in html
