"""Counting what a workspace uses, and the page that shows it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from django.utils import timezone

from frames import usage as measures
from frames.models import Activity, Event, Frame, Project
from frames.partitions import ensure, month_of
from stackmemory.lib.uuid7 import derived, uuid7
from workspaces import usage
from workspaces.models import NO_PROJECT, Usage

pytestmark = pytest.mark.django_db
TODAY = date(2026, 5, 20)


@pytest.fixture
def project(acme) -> Project:
    return Project.unscoped.create(workspace=acme, slug="api", name="Api <b>")


def happen(project: Project, payloads: list[str], at: datetime) -> None:
    """Events and the activity that appending would have kept."""
    ensure([month_of(at)])
    pk = uuid7()
    frame = Frame.unscoped.create(
        id=pk, root_id=pk, workspace=project.workspace, project=project, name="x"
    )
    for number, payload in enumerate(payloads):
        Event.unscoped.create(
            id=derived(at, str(pk), str(number)), workspace=project.workspace, frame=frame,
            type="note", payload=payload, occurred_at=at,
        )  # fmt: skip
    activity, _ = Activity.unscoped.get_or_create(
        workspace=project.workspace,
        project=project,
        hour=at.replace(minute=0, second=0, microsecond=0),
    )
    Activity.unscoped.filter(pk=activity.pk).update(events=activity.events + len(payloads))


def amounts(workspace, kind) -> dict:
    rows = Usage.objects.in_workspace(workspace).filter(kind=kind)
    return {(row.day, row.project_id): row.amount for row in rows}


def test_adding_adds_up(acme, globex):
    for amount in (1, 2, 3):
        usage.add(workspace=acme, kind="requests", amount=amount, day=TODAY)
    usage.add(workspace=globex, kind="requests", amount=5, day=TODAY)
    assert amounts(acme, "requests") == {(TODAY, NO_PROJECT): 6}
    assert amounts(globex, "requests") == {(TODAY, NO_PROJECT): 5}


def test_requests_are_counted_in_memory_and_written_at_once(login, alice, charlie, acme, globex):
    usage.requests.flush()
    Usage.unscoped.all().delete()
    ours, theirs = login(alice), login(charlie)
    for _ in range(3):
        ours.get("/w/acme/settings/")
    theirs.get("/w/globex/settings/")
    theirs.get("/w/acme/settings/")  # not let in, so not counted as theirs or ours
    assert not Usage.unscoped.exists()
    usage.requests.flush()
    assert sum(amounts(acme, "requests").values()) == 3
    assert sum(amounts(globex, "requests").values()) == 1


def test_measuring_counts_rows_and_bytes_by_day_and_project(acme, project):
    at = datetime(2026, 5, 20, 23, 30, tzinfo=UTC)
    happen(project, ["é", "x" * 1000], at)
    happen(project, ["yy"], at + timedelta(hours=1))
    assert measures.measure(acme) == 2
    days = (TODAY, project.pk), (TODAY + timedelta(days=1), project.pk)
    assert amounts(acme, "rows") == {days[0]: 2, days[1]: 1}
    assert amounts(acme, "bytes") == {days[0]: 1002, days[1]: 2}


def test_measuring_again_asks_only_about_what_changed(acme, project, django_assert_num_queries):
    at = datetime(2026, 5, 20, 10, tzinfo=UTC)
    happen(project, ["abc"], at)
    measures.measure(acme)
    with django_assert_num_queries(2):
        assert measures.measure(acme) == 0
    happen(project, ["defg"], at)
    assert measures.measure(acme) == 1
    assert amounts(acme, "bytes") == {(TODAY, project.pk): 7}


def test_rows_from_before_our_ids_begin_are_measured_too(acme, project):
    at = datetime(2011, 3, 4, 5, tzinfo=UTC)
    happen(project, ["abcd"], at)
    measures.measure(acme)
    assert amounts(acme, "bytes") == {(date(2011, 3, 4), project.pk): 4}


def test_the_job_measures_every_workspace_on_its_own(acme, globex, project, as_application):
    happen(project, ["abc"], timezone.now())
    with as_application():
        measures.measure_all()
    assert sum(amounts(acme, "bytes").values()) == 3
    assert amounts(globex, "bytes") == {}


def test_the_page_shows_the_figures_safely(login, viola, acme, project):
    happen(project, ["abc"] * 7, timezone.now())
    measures.measure(acme)
    page = login(viola).get("/w/acme/usage/")
    assert "Api &lt;b&gt;" in page.text
    assert "<b>" not in page.text.split("<main")[1]
    totals = {figure.kind: figure.total for figure in page.context["figures"]}
    assert totals == {"rows": 7, "bytes": 21, "requests": 0}


def test_another_teams_use_is_not_shown(login, charlie, acme, globex, project):
    happen(project, ["abc"], timezone.now())
    page = login(charlie).get("/w/globex/usage/")
    assert all(figure.total == 0 for figure in page.context["figures"])


@pytest.mark.parametrize("days", ["7", "90", "0", "-1", "9999999999", "x"])
def test_odd_spans_show_the_usual_one(login, alice, acme, days):
    page = login(alice).get("/w/acme/usage/", {"days": days})
    assert page.context["days"] == (int(days) if days in ("7", "90") else 30)


def test_many_projects_cost_few_queries(login, alice, acme, django_assert_max_num_queries):
    for number in range(40):
        one = Project.unscoped.create(workspace=acme, slug=f"p{number}", name=f"P{number}")
        Activity.unscoped.create(
            workspace=acme, project=one, hour=timezone.now(), events=number + 1
        )
    client = login(alice)
    client.get("/w/acme/members/")  # notes the visit, once a minute
    with django_assert_max_num_queries(12):
        page = client.get("/w/acme/usage/")
    assert "36 others" in page.text
