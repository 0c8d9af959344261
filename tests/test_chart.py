"""The activity chart counts in the reader's own days."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from frames.chart import activity_chart, nice
from frames.models import Activity
from tests.pages import few_queries, make_project

NOW = datetime(2026, 3, 30, 9, 30, tzinfo=UTC)


def activity(project, hour, events, **fields):
    Activity.unscoped.create(
        workspace_id=project.workspace_id, project=project, hour=hour, events=events, **fields
    )


def chart(workspace, zone="UTC", names=None):
    return activity_chart(workspace, names or {}, zone=ZoneInfo(zone), now=NOW)


def test_fourteen_days_up_to_today(acme):
    days = [day.date for day in chart(acme).days]
    assert days[0] == date(2026, 3, 17)
    assert days[-1] == date(2026, 3, 30)
    assert len(days) == 14


@pytest.mark.parametrize(
    ("zone", "day"),
    [("UTC", 28), ("Asia/Kathmandu", 29), ("America/Los_Angeles", 28), ("Pacific/Auckland", 29)],
)
def test_an_hour_belongs_to_the_readers_day(acme, zone, day):
    activity(make_project(acme), datetime(2026, 3, 28, 21, tzinfo=UTC), 5, errors=2, frames=1)
    drawn = chart(acme, zone)
    assert {d.date.day: d.total for d in drawn.days if d.total} == {day: 5}
    assert (drawn.total, drawn.errors, drawn.frames) == (5, 2, 1)


def test_a_day_of_23_hours_is_one_day(acme):
    """Europe's clocks went forward on 29 March 2026."""
    project = make_project(acme)
    for hour in range(22, 24):
        activity(project, datetime(2026, 3, 28, hour, tzinfo=UTC), 1)
    for hour in range(24):
        activity(project, datetime(2026, 3, 29, hour, tzinfo=UTC), 1)
    days = {d.date.day: d.total for d in chart(acme, "Europe/Berlin").days if d.total}
    assert days == {28: 1, 29: 23, 30: 2}


def test_beyond_four_projects_the_rest_share_a_colour(acme):
    projects = [make_project(acme, f"p{n}") for n in range(7)]
    for n, project in enumerate(projects):
        activity(project, datetime(2026, 3, 29, 1, tzinfo=UTC), 100 - n)
    with few_queries(1):
        drawn = chart(acme, names={p.id: p.name for p in projects})
    assert [s.label for s in drawn.series] == ["P0", "P1", "P2", "P3", "3 others"]
    assert sum(s.total for s in drawn.series) == drawn.total
    heights = [s.height for s in drawn.days[-2].segments]
    assert sum(heights) <= drawn.height + 0.1


def test_another_workspaces_activity_is_not_drawn(acme, globex):
    activity(make_project(globex), datetime(2026, 3, 29, 1, tzinfo=UTC), 9)
    assert chart(acme).total == 0


@pytest.mark.parametrize("value", [0, 1, 9, 10, 11, 99, 101, 149, 7001, 999_999])
def test_a_scale_ends_at_or_above_its_value_with_a_whole_middle(value):
    top = nice(value)
    assert top >= value
    assert top % 2 == 0
