"""The sample: believable, the same every time, loaded once."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from frames.models import Activity, AgentSession, Anchor, Event, Frame, Project, Task
from frames.sample.load import load_sample
from frames.sample.parse import parse
from tests.conftest import make_person, make_workspace
from workspaces.models import Membership, User, Workspace

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 20, 15, 30, tzinfo=UTC)


@pytest.fixture(scope="module")
def acme(stage) -> Workspace:
    return make_workspace("acme")


@pytest.fixture(scope="module")
def alice(acme) -> User:
    return make_person("alice", acme, "owner")


@pytest.fixture(scope="module")
def sample(acme, alice):
    assert load_sample(workspace=acme, owner=alice, now=NOW)
    return acme


def test_it_is_a_few_weeks_of_several_people_in_three_projects(sample):
    frames = Frame.objects.in_workspace(sample)
    assert 150 <= frames.count() <= 300
    assert 3_000 <= Event.objects.in_workspace(sample).count() <= 6_000
    assert Project.objects.in_workspace(sample).count() == 3
    assert Counter(frames.values_list("owner__name", flat=True)).keys() == {
        "Alice", "Maya Lindqvist", "Tomás Ortega", "Priya Raman", "Jonas Weber",
    }  # fmt: skip
    clients = AgentSession.objects.in_workspace(sample).values_list("client", flat=True)
    assert set(clients) == {"claude-code", "cursor", "codex"}
    assert max(frames.values_list("depth", flat=True)) >= 4
    first = frames.order_by("started_at").first()
    assert timedelta(days=20) < NOW - first.started_at < timedelta(days=35)
    types = set(Anchor.objects.in_workspace(sample).values_list("type", flat=True))
    assert types == {"DECISION", "CONSTRAINT", "FACT", "RISK", "TODO", "INTERFACE_CONTRACT"}
    statuses = set(Task.objects.in_workspace(sample).values_list("status", flat=True))
    assert statuses == {"pending", "in_progress", "blocked", "completed", "cancelled"}


def test_it_ends_now(sample):
    events = Event.objects.in_workspace(sample)
    last = events.order_by("-occurred_at").first()
    assert timedelta() <= NOW - last.occurred_at < timedelta(minutes=5)
    assert not Frame.objects.in_workspace(sample).filter(started_at__gt=NOW).exists()
    assert not Frame.objects.in_workspace(sample).filter(closed_at__gt=NOW).exists()


def test_someone_works_now_and_something_is_stuck(sample):
    open_frames = Frame.objects.in_workspace(sample).active()
    at_work = open_frames.filter(last_event_at__gt=NOW - timedelta(minutes=5))
    assert sorted(at_work.values_list("depth", flat=True))[-1] == 3  # a stack four frames high
    stuck = open_frames.filter(last_event_at__lt=NOW - timedelta(days=2))
    assert {frame.root_id for frame in stuck} != {frame.root_id for frame in at_work}
    assert AgentSession.objects.in_workspace(sample).filter(ended_at=None).count() >= 2


def test_private_frames_are_for_their_owner(sample, alice, bob):
    private = Frame.objects.in_workspace(sample).filter(visibility="private")
    assert private.count() == 2
    assert private.visible_to(alice).count() == 1
    assert private.visible_to(bob).count() == 0


def test_a_decision_has_been_superseded_by_a_later_one(sample):
    old = Anchor.objects.in_workspace(sample).exclude(superseded_by=None).get()
    assert "Redis" in old.text
    assert "PostgreSQL" in old.superseded_by.text
    assert old.noted_at < old.superseded_at == old.superseded_by.noted_at


def test_children_lie_within_their_parents_and_events_within_their_frames(sample):
    frames = Frame.objects.in_workspace(sample).select_related("parent")
    for frame in frames:
        if frame.parent:
            assert frame.depth == frame.parent.depth + 1
            assert frame.root_id == frame.parent.root_id
            assert frame.started_at >= frame.parent.started_at
            if frame.parent.closed_at:
                assert frame.closed_at <= frame.parent.closed_at
        if frame.event_count:
            assert frame.started_at <= frame.first_event_at
            assert frame.closed_at is None or frame.last_event_at <= frame.closed_at


def test_counters_tell_the_truth(sample):
    frames = Frame.objects.in_workspace(sample)
    events = Event.objects.in_workspace(sample)
    assert Counter(events.values_list("frame", flat=True)) == dict(
        frames.exclude(event_count=0).values_list("id", "event_count")
    )
    errors = events.filter(is_error=True)
    assert sum(frames.values_list("error_count", flat=True)) == errors.count() > 50
    anchors = Anchor.objects.in_workspace(sample).values_list("frame", flat=True)
    assert Counter(anchors) == dict(
        frames.exclude(anchor_count=0).values_list("id", "anchor_count")
    )
    children = frames.exclude(parent=None).values_list("parent", flat=True)
    assert Counter(children) == dict(frames.exclude(child_count=0).values_list("id", "child_count"))
    hours = Activity.objects.in_workspace(sample)
    assert sum(hours.values_list("events", flat=True)) == events.count()
    assert sum(hours.values_list("frames", flat=True)) == frames.count()


def test_every_tool_call_has_its_result(sample):
    calls: dict[str, str] = {}
    for event in Event.objects.in_workspace(sample).filter(tool__gt="").order_by("occurred_at"):
        data = event.data
        if event.type == "tool_call":
            calls[data["tool_use_id"]] = data["tool_name"]
            assert data["arguments"]
        else:
            assert calls.pop(data["tool_use_id"]) == data["tool_name"]
            assert event.is_error is not data["success"]
            assert data["error" if event.is_error else "result"]
    assert calls == {}


def test_loading_again_changes_nothing(sample, alice):
    before = [m.objects.in_workspace(sample).count() for m in (Frame, Event, Anchor, Task)]
    assert not load_sample(workspace=sample, owner=alice)
    fresh = Workspace.objects.get(pk=sample.pk)
    assert not load_sample(workspace=fresh, owner=alice)
    assert before == [m.objects.in_workspace(sample).count() for m in (Frame, Event, Anchor, Task)]


def test_it_is_the_same_every_time(sample, globex, alice, django_assert_max_num_queries):
    Membership.unscoped.create(workspace=globex, user=alice, role="owner")
    with django_assert_max_num_queries(600):
        load_sample(workspace=globex, owner=alice, now=NOW)

    def told(workspace: Workspace) -> list[object]:
        frames = Frame.objects.in_workspace(workspace).order_by("started_at", "name")
        events = Event.objects.in_workspace(workspace).order_by("occurred_at", "seq")
        return [
            list(frames.values_list("name", "started_at", "closed_at", "event_count")),
            [
                {k: v for k, v in json.loads(p).items() if k != "anchor_id"}
                for p in events.values_list("payload", flat=True)
            ],
        ]

    assert told(sample) == told(globex)


def test_people_cannot_log_in(sample):
    members = Membership.objects.in_workspace(sample).exclude(user__email="alice@example.com")
    people = [member.user for member in members.select_related("user")]
    assert len(people) == 4
    assert not any(person.has_usable_password() for person in people)


@pytest.mark.parametrize(
    "line", ["hm, what is this", "### task | too deep", "DECISION without a priority: x"]
)
def test_a_story_that_is_not_understood_is_refused(line):
    with pytest.raises(ValueError, match=r"not understood|deep"):
        parse(f"session p me claude-code main days=1 hour=9\n# task | a\n{line}\n")
