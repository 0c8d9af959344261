"""Home and the list of projects."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from frames.models import Activity, Anchor, Frame
from tests.pages import (
    ago,
    few_queries,
    make_anchor,
    make_frame,
    make_project,
    make_session,
    new_anchor,
    new_frame,
)

HOSTILE = "<script>alert(1)</script>"


def home(client, workspace, **kwargs):
    return client.get(reverse("frames:home", args=[workspace.slug]), **kwargs)


def test_an_empty_workspace_teaches_the_import(alice, acme, login):
    page = home(login(alice), acme).content.decode()
    assert "manage.py import_stackmemory" in page
    assert "--workspace acme" in page
    assert reverse("frames:import-new", args=["acme"]) in page


def test_who_may_not_import_is_told_whom_to_ask(viola, acme, login):
    page = home(login(viola), acme).content.decode()
    assert reverse("frames:import-new", args=["acme"]) not in page
    assert "Ask an owner or admin" in page


def test_an_outsider_finds_nothing(charlie, acme, login):
    assert home(login(charlie), acme).status_code == 404


def test_it_shows_projects_sessions_decisions_and_what_needs_a_look(alice, bob, acme, login):
    project = make_project(acme, name="Storefront")
    session = make_session(project, user=bob, client="claude-code")
    make_frame(project, session=session, name="Fix the refund", last_event_at=timezone.now())
    make_frame(project, name="Forgotten", started_at=ago(days=3), last_event_at=ago(days=2))
    make_frame(project, name="Broken", state="closed", closed_at=ago(hours=1), error_count=3)
    make_anchor(project, type="DECISION", text="Integer cents everywhere")
    make_anchor(project, type="FACT", text="CI is slow on Mondays")
    response = home(login(alice), acme)
    page = response.content.decode()
    for words in ("Storefront", "Bob", "Fix the refund", "Integer cents everywhere", "3 errors"):
        assert words in page
    assert "CI is slow on Mondays" not in page
    row = response.context["projects"][0]
    assert (row.open, row.closed, row.errors) == (2, 1, 3)
    assert [f.name for f in response.context["attention"]] == ["Broken", "Forgotten"]
    assert [s.id for s in response.context["live"]] == [session.id]


def test_a_frame_at_work_and_an_old_failure_need_no_look(alice, acme, login):
    project = make_project(acme)
    make_frame(project, started_at=ago(days=3), last_event_at=ago(hours=1))
    make_frame(project, started_at=ago(days=40), closed_at=ago(days=39), error_count=1)
    make_frame(project, started_at=ago(days=3), state="closed", closed_at=None)
    assert list(home(login(alice), acme).context["attention"]) == []


def test_a_silent_or_ended_session_is_not_active(alice, acme, login):
    project = make_project(acme)
    make_session(project, last_seen_at=ago(hours=2))
    make_session(project, ended_at=timezone.now())
    assert home(login(alice), acme).context["live"] == []


def test_private_work_is_its_owners_alone(alice, bob, acme, login):
    project = make_project(acme)
    session = make_session(project, user=bob)
    secret = make_frame(
        project,
        session=session,
        owner=bob,
        visibility="private",
        name="Secret work",
        error_count=1,
    )
    make_anchor(project, frame=secret, type="DECISION", text="Secret decision")
    for person, sees in ((bob, True), (alice, False)):
        response = home(login(person), acme)
        page = response.content.decode()
        assert ("Secret work" in page) is sees
        assert ("Secret decision" in page) is sees
        assert response.context["projects"][0].open == int(sees)


def test_superseded_decisions_are_not_the_latest(alice, acme, login):
    project = make_project(acme)
    newer = make_anchor(project, type="DECISION", text="Use Postgres")
    make_anchor(project, type="DECISION", text="Use Redis", superseded_by=newer)
    page = home(login(alice), acme).content.decode()
    assert "Use Postgres" in page
    assert "Use Redis" not in page


def test_imported_words_are_only_words(alice, acme, login):
    project = make_project(acme, name=HOSTILE)
    session = make_session(project, client=HOSTILE)
    make_frame(project, session=session, name=HOSTILE, error_count=1, type=HOSTILE)
    make_anchor(project, type="DECISION", text=HOSTILE)
    Activity.unscoped.create(
        workspace=acme,
        project=project,
        hour=timezone.now().replace(minute=0, second=0, microsecond=0),
        events=3,
    )
    page = home(login(alice), acme).content.decode()
    assert HOSTILE not in page
    assert page.count("&lt;script&gt;alert(1)") >= 5


@pytest.mark.parametrize(
    ("cookie", "zone"), [("Asia/Tokyo", "Asia/Tokyo"), ("../../etc/passwd", "UTC"), ("\x00", "UTC")]
)
def test_days_are_those_of_the_readers_zone(alice, acme, login, cookie, zone):
    make_project(acme)
    client = login(alice)
    client.cookies["tz"] = cookie
    response = home(client, acme)
    assert response.context["chart"].days[-1].date == timezone.now().astimezone(
        __import__("zoneinfo").ZoneInfo(zone)
    ).date()  # fmt: skip


def fill(workspace, owner, projects=12, frames=150):
    for n in range(projects):
        project = make_project(workspace, f"p{n}")
        session = make_session(project, user=owner)
        Frame.unscoped.bulk_create(
            new_frame(project, session=session, owner=owner, name=f"f{i}", error_count=i % 2)
            for i in range(frames)
        )
        Anchor.unscoped.bulk_create(new_anchor(project, type="DECISION") for _ in range(40))
        hour = timezone.now().replace(minute=0, second=0, microsecond=0)
        Activity.unscoped.bulk_create(
            Activity(workspace=workspace, project=project, hour=hour - timedelta(hours=i), events=i)
            for i in range(100)
        )


@pytest.mark.parametrize("name", ["home", "projects"])
def test_the_number_of_queries_does_not_grow(alice, acme, login, name):
    fill(acme, alice)
    client = login(alice)
    with few_queries():
        response = client.get(reverse(f"frames:{name}", args=["acme"]))
    assert response.status_code == 200


def test_projects_are_sorted_by_their_last_activity(alice, acme, login):
    for slug, days in (("old", 9), ("new", 1), ("middle", 4)):
        make_frame(make_project(acme, slug), started_at=ago(days=days))
    make_project(acme, "never")
    rows = login(alice).get(reverse("frames:projects", args=["acme"])).context["projects"]
    assert [row.project.slug for row in rows] == ["new", "middle", "old", "never"]


def test_the_theme_chosen_is_the_servers_too(alice, acme, login):
    client = login(alice)
    assert "data-theme" not in home(client, acme).content.decode().split(">", 2)[1]
    client.cookies["theme"] = "dark"
    assert '<html lang="en" data-theme="dark">' in home(client, acme).content.decode()
    client.cookies["theme"] = '"><script>'
    assert '<html lang="en">' in home(client, acme).content.decode()
