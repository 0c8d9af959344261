"""/metrics, the page of this moment, the operators' page, and usage over a long time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from frames import rollup
from frames.ingest import count_activity
from frames.models import Activity
from stackmemory.lib.tenancy import workspace_scope
from stackmemory.lib.uuid7 import uuid7
from tests.pages import few_queries, make_project, make_session
from workspaces import news, pulse
from workspaces.models import History, Pulse, User

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 5, 20, 3, 30, tzinfo=UTC)


def test_metrics_are_for_whoever_shows_the_token(settings, acme, alice, login, as_application):
    login(alice).get("/w/acme/")
    settings.METRICS_NETWORKS, settings.METRICS_TOKEN = [], ""
    assert Client().get("/metrics").status_code == 404
    settings.METRICS_TOKEN = "abc"
    assert Client().get("/metrics").status_code == 401
    wrong = Client().get("/metrics", headers={"authorization": "Bearer abd"})
    assert wrong.status_code == 401
    with as_application():
        told = Client().get("/metrics", headers={"authorization": "Bearer abc", "host": "else"})
    assert told.status_code == 200
    text = told.content.decode()
    page = 'stackmemory_requests_total{method="GET",route="/w/<slug:workspace_slug>/",status="200"}'
    assert page in text
    for name in ("request_seconds_bucket", "streams", "listeners", "jobs_due", "database_up 1.0",
                 "jobs_age_seconds", 'jobs{state="dead"} 0.0', "cache_reads_total"):  # fmt: skip
        assert f"stackmemory_{name}" in text, name
    settings.METRICS_NETWORKS, settings.METRICS_TOKEN = ["127.0.0.0/8"], ""
    assert Client().get("/metrics").status_code == 200
    assert Client(REMOTE_ADDR="10.1.2.3", headers={"X-Forwarded-For": "127.0.0.1"}).get(
        "/metrics"
    ).status_code == 404  # fmt: skip


@pytest.mark.postgresql_only
def test_metrics_tell_of_months_and_connections(settings, db):
    settings.METRICS_NETWORKS = ["127.0.0.1/32"]
    text = Client().get("/metrics").content.decode()
    assert "stackmemory_partitions_ahead 3.0" in text
    assert "stackmemory_database_connections_max" in text


def test_now_shows_this_moment_to_whom_it_concerns(acme, alice, bob, login):
    project = make_project(acme)
    make_session(project, user=bob)
    for person, amount in ((None, 120), (bob.pk, 60)):
        news.tell(acme.pk, "event", "appended", [uuid7()] * amount, private_to=person)
    for _ in range(19):
        pulse.pulses.count(acme.pk, 0.02)
    pulse.pulses.count(acme.pk, 3.0, failed=True)
    pulse.pulses.flush()
    client = login(alice)
    with few_queries():
        page = client.get("/w/acme/now/")
    now = page.context["now"]
    assert (now.events, now.per_second, now.sessions) == (120, 2.0, 1)
    assert (now.requests, now.failures, now.p50, now.p95) == (20, 1, 25, 25)
    assert login(bob).get("/w/acme/now/").context["now"].events == 180
    assert Pulse.unscoped.filter(workspace=acme).count() == 2


def test_usage_is_rolled_up_once_and_corrected(acme, as_application):
    project = make_project(acme)
    day = NOW.replace(hour=0, minute=0)
    long_ago = NOW - timedelta(days=200)
    for at, events in ((NOW, 5), (NOW - timedelta(hours=2), 7), (long_ago, 11)):
        Activity.unscoped.create(
            workspace=acme, project=project, hour=at.replace(minute=0), events=events
        )
    for minute in range(20):
        Pulse.unscoped.create(
            workspace=acme,
            minute=NOW - timedelta(minutes=minute),
            ms=50 if minute else 2500,
            amount=1,
        )
    with as_application(), workspace_scope(acme.pk):
        assert rollup.roll_up(acme, now=NOW) == 8
        assert rollup.roll_up(acme, now=NOW) == 0
    figures = {(h.span, h.at, h.name): h.amount for h in History.unscoped.filter(workspace=acme)}
    assert figures["day", day, "events"] == 12
    assert figures["hour", NOW.replace(minute=0), "events"] == 5
    assert figures["day", long_ago.replace(hour=0, minute=0), "events"] == 11
    assert ("hour", long_ago.replace(minute=0), "events") not in figures
    assert (figures["day", day, "requests"], figures["day", day, "p95_ms"]) == (20, 50)
    with as_application(), workspace_scope(acme.pk):
        count_activity(acme, frames=[(project.pk, NOW)])
        Activity.unscoped.filter(hour=NOW.replace(minute=0)).update(events=6)
        assert rollup.roll_up(acme, now=NOW) == 4
    rollup.roll_up_all(NOW + timedelta(days=100))
    left = History.unscoped.filter(workspace=acme)
    assert not left.filter(span="hour").exists()
    assert left.get(span="day", at=day, name="events").amount == 13


def test_operators_see_what_is_slow_and_large(acme, alice, login, as_application):
    client = login(alice)
    assert client.get("/admin/operations/").status_code == 302
    User.objects.filter(pk=alice.pk).update(is_staff=True, is_superuser=True)
    page = client.get("/admin/operations/")
    assert page.status_code == 200
    text = page.content.decode()
    assert "Statements that took the most time" in text
    if page.context["engine"] == "postgresql":
        assert "frames_event_" in text
        assert any(t["name"] == "frames_event" for t in page.context["tables"])
        assert page.context["statements"] or page.context["why_none"]
    else:
        assert "SQLite keeps no statistics" in text
    assert "Operations" in client.get("/admin/").content.decode()


def test_old_pulses_are_forgotten(acme):
    for age in (1, 3):
        Pulse.unscoped.create(workspace=acme, minute=timezone.now() - timedelta(days=age), ms=5)
    pulse.forget()
    assert Pulse.unscoped.count() == 1


def test_timescale_is_refused_where_it_is_not(acme):
    project = make_project(acme)
    Activity.unscoped.create(workspace=acme, project=project, hour=NOW.replace(minute=0), events=5)
    rollup.roll_up(acme, now=NOW)
    with pytest.raises(CommandError, match=r"TimescaleDB is (not installed|an extension)"):
        call_command("install_timescale")
    call_command("install_timescale", "--undo")
    assert History.unscoped.filter(workspace=acme).count() == 2
