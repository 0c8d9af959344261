"""Sessions: opened once for each run, with a stack of what is open in it."""

from __future__ import annotations

import pytest

from tests.api.client import error_of, key_for, ok
from tests.pages import few_queries, make_session
from workspaces.models import Workspace

pytestmark = pytest.mark.django_db


@pytest.fixture
def run(agent, shop):
    given = {"project": "shop", "source_id": "run-1", "client": "claude-code", "branch": "main"}
    return ok(agent.post("sessions", given), 201)


def test_the_same_run_is_one_session(agent, run):
    again = ok(agent.post("sessions", {"project": "shop", "source_id": "run-1", "branch": "fix"}))
    assert again["id"] == run["id"]
    assert (again["branch"], again["client"]) == ("fix", "claude-code")
    assert again["last_seen_at"] >= run["last_seen_at"]
    assert again["user"] == "bob@example.com"


def test_without_an_id_every_session_is_new(agent, shop):
    first, second = (ok(agent.post("sessions", {"project": "shop"}), 201) for _ in range(2))
    assert first["id"] != second["id"]


def test_two_projects_may_have_runs_of_one_name(agent, run):
    ok(agent.post("projects", {"name": "Other"}), 201)
    other = ok(agent.post("sessions", {"project": "other", "source_id": "run-1"}), 201)
    assert other["id"] != run["id"]
    assert ok(agent.get("sessions/run-1"))["id"] == other["id"], "the one last seen"


def test_ending_and_going_on(agent, run):
    ended = ok(agent.post("sessions/run-1/end"))
    assert ended["ended_at"] == ended["last_seen_at"]
    assert [s["id"] for s in ok(agent.get("sessions", active="false"))["items"]] == [run["id"]]
    assert ok(agent.get("sessions", active="true"))["items"] == []
    again = ok(agent.post("sessions", {"project": "shop", "source_id": "run-1"}))
    assert again["ended_at"] is None


def test_the_stack_is_what_is_open_from_the_root_on(agent, run):
    names = ["Feature", "Part", "Detail"]
    ids = [
        ok(agent.post("frames", {"name": name, "session": "run-1"}), 201)["id"] for name in names
    ]
    stack = ok(agent.get("sessions/run-1/stack"))["frames"]
    assert [frame["name"] for frame in stack] == names
    assert [frame["depth"] for frame in stack] == [0, 1, 2]
    assert [frame["parent"] for frame in stack] == [None, *ids[:2]]
    ok(agent.post(f"frames/{ids[2]}/close"))
    assert [f["id"] for f in ok(agent.get("sessions/run-1/stack"))["frames"]] == ids[:2]
    ok(agent.post(f"frames/{ids[0]}/close"))
    assert ok(agent.get("sessions/run-1/stack"))["frames"] == []


def test_a_stack_costs_the_same_however_deep_it_is(agent, run):
    for number in range(30):
        ok(agent.post("frames", {"name": f"{number}", "session": "run-1"}), 201)
    with few_queries(9):
        assert len(ok(agent.get("sessions/run-1/stack"))["frames"]) == 30


def test_events_bring_a_session_back(agent, run):
    frame = ok(agent.post("frames", {"name": "x", "session": "run-1"}), 201)
    ok(agent.post("sessions/run-1/end"))
    ok(agent.post("events", {"frame": frame["id"], "type": "note"}), 201)
    assert ok(agent.get("sessions/run-1"))["ended_at"] is None


def test_a_session_is_of_a_project_the_key_may_see(agent, run, acme: Workspace, bob):
    other = ok(agent.post("projects", {"name": "Other"}), 201)
    tied = key_for(acme, bob, "read", "write", project_id=other["id"])
    assert error_of(tied.get("sessions/run-1"))[0] == 404
    assert ok(tied.get("sessions"))["items"] == []
    assert error_of(tied.post("frames", {"name": "x", "session": "run-1"})) == (
        404, "not_found", "session",
    )  # fmt: skip


def test_a_list_asks_little_of_the_database(agent, shop, acme):
    project = acme.projects.get(slug="shop")
    for number in range(60):
        make_session(project, source_id=f"s{number}")
    with few_queries(6):
        assert len(ok(agent.get("sessions", limit=60))["items"]) == 60
