"""A refused call says what is wrong and what would be accepted, and leaves nothing behind."""

from __future__ import annotations

import pytest

from tests.agents import Refused
from tests.test_mcp_keys import rows


@pytest.fixture(scope="module")
def agent(house):
    return house.agent("bob", path=f"/mcp/{house.new_project()}")


@pytest.fixture(scope="module")
def frame(agent):
    return agent.call("start_frame", name="Errors", session="errors")["frame"]["id"]


WRONG = {
    "no name": ("start_frame", {}, "invalid", "name", None),
    "empty name": ("start_frame", {"name": ""}, "invalid", "name", None),
    "blank name": ("start_frame", {"name": "  "}, "invalid", "name", None),
    "long name": ("start_frame", {"name": "x" * 501}, "invalid", "name", None),
    "name of a type": ("start_frame", {"name": ["x"]}, "invalid", "name", None),
    "misspelt": ("start_frame", {"name": "n", "parnet": "x"}, "invalid", "parnet", "parent"),
    "visibility": (
        "start_frame", {"name": "n", "visibility": "secret"}, "invalid", "visibility", "private",
    ),
    "parent": ("start_frame", {"name": "n", "parent": "nope"}, "not_found", "parent", None),
    "constraints": ("start_frame", {"name": "n", "constraints": [1]}, "invalid", "constraints[0]", None),
    "inputs": ("start_frame", {"name": "n", "inputs": "not JSON"}, "invalid", "inputs", None),
    "frame": ("close_frame", {"frame": "nope"}, "not_found", "frame", None),
    "NUL": ("get_frame", {"frame": "a\x00b"}, "not_found", "frame", None),
    "session": ("list_frames", {"session": "nope"}, "not_found", "session", "errors"),
    "project": ("list_frames", {"project": "nope"}, "not_found", "project", None),
    "priority": ("add_anchor", {"type": "FACT", "text": "t", "priority": 11}, "invalid", "priority", None),
    "no text": ("add_anchor", {"type": "FACT", "text": " "}, "invalid", "text", None),
    "supersedes": (
        "add_anchor", {"type": "FACT", "text": "t", "supersedes": "x"}, "not_found", "supersedes", None,
    ),
    "decision": ("add_decision", {"content": "c", "type": "idea"}, "invalid", "type", "learning"),
    "no events": ("append_events", {"events": []}, "invalid", "events", None),
    "many events": ("append_events", {"events": [{"type": "t"}] * 201}, "invalid", "events", None),
    "event": ("append_events", {"events": [{"typ": "t"}]}, "invalid", "events[0].typ", None),
    "event time": (
        "append_events",
        {"events": [{"type": "t", "occurred_at": "yesterday"}]},
        "invalid", "events[0].occurred_at", None,
    ),
    "event zone": (
        "append_events",
        {"events": [{"type": "t", "occurred_at": "2026-01-31T12:00:00"}]},
        "invalid", "events[0].occurred_at", None,
    ),
    "event id": ("get_timeline", {"event": "nope"}, "not_found", "event", None),
    "order": ("get_timeline", {"order": "random"}, "invalid", "order", "oldest"),
    "limit": ("get_timeline", {"limit": 0}, "invalid", "limit", None),
    "cursor": ("list_frames", {"cursor": "nope"}, "invalid", "cursor", None),
    "timeline cursor": ("get_timeline", {"cursor": "nope"}, "invalid", "cursor", None),
    "task cursor": ("get_active_tasks", {"cursor": "nope"}, "invalid", "cursor", None),
    "task": ("update_task_status", {"task": "x", "status": "completed"}, "not_found", "task", None),
    "status": ("update_task_status", {"task": "x", "status": "done"}, "invalid", "status", "completed"),
    "depends": ("create_task", {"title": "t", "depends_on": ["x"]}, "not_found", "depends_on", None),
    "minutes": ("create_task", {"title": "t", "estimated_minutes": -1}, "invalid", "estimated_minutes", None),
    "to": ("hand_off", {"to": "nobody@example.com"}, "not_found", "to", "alice@example.com"),
    "to oneself": ("hand_off", {"to": "bob@example.com"}, "already_theirs", "to", None),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_said_in_the_answer(house, agent, frame, case):
    tool, arguments, code, field, choice = WRONG[case]
    here = {"session": "errors"} if tool not in READING else {}
    before = rows(house)
    with pytest.raises(Refused) as refused:
        agent.call(tool, **{**here, **arguments})
    wrong = refused.value
    assert (wrong.code, wrong.field) == (code, field)
    assert str(wrong).endswith(".")
    assert choice is None or choice in wrong.choices
    assert rows(house) == before


READING = {"list_frames", "get_active_tasks", "get_hot_stack"}


def test_a_model_can_mend_its_call(agent, frame):
    """Wrong, read the answer, right."""
    with pytest.raises(Refused) as refused:
        agent.call("close_frame", session="errors-2", frame="nope")
    assert refused.value.choices[0] == {"id": frame, "name": "Errors"}
    found = agent.call("get_frame", frame=refused.value.choices[0]["id"])
    assert found["frame"]["name"] == "Errors"
    agent.call("start_frame", name="Elsewhere", session="errors-3")
    with pytest.raises(Refused) as refused:
        agent.call("list_frames", session="errors-4")
    assert refused.value.field == "session"
    assert "errors-3" in refused.value.choices


def test_a_run_that_is_new_has_nothing_open(agent):
    """What a model does first, in a run that nobody has heard of."""
    assert "stack" not in agent.call("get_hot_stack", session="brand-new")
    kept = agent.call("add_decision", content="Said before any frame", session="brand-new")
    assert "frame" not in kept["anchor"]
    with pytest.raises(Refused) as refused:
        agent.call("append_events", events=[{"type": "t"}], session="brand-new")
    assert refused.value.code == "no_open_frame"
    assert "Errors" in {choice["name"] for choice in refused.value.choices}


def test_a_failing_call_leaves_nothing_behind(house, agent, frame):
    """The anchor is written before its predecessor turns out to be replaced already."""
    here = {"session": "errors"}
    old = agent.call("add_anchor", type="FACT", text="Old", **here)["anchor"]["id"]
    new = agent.call("add_anchor", type="FACT", text="New", supersedes=old, **here)["anchor"]["id"]
    before = rows(house)
    counted = agent.call("get_frame", frame=frame)["frame"]["anchor_count"]
    with pytest.raises(Refused) as refused:
        agent.call("add_anchor", type="FACT", text="Other", supersedes=old, **here)
    assert refused.value.code == "superseded"
    with pytest.raises(Refused):  # a session would be made for a frame that is not
        agent.call("start_frame", name="x", parent=frame, session="errors-new", project="nope")
    assert rows(house) == before
    whole = agent.call("get_frame", frame=frame)
    assert whole["frame"]["anchor_count"] == counted == 2
    assert {a["text"]: a.get("superseded_by") for a in whole["anchors"]} == {
        "Old": new,
        "New": None,
    }


def test_events_are_answered_for_one_by_one(agent, frame):
    answer = agent.call(
        "append_events",
        frame=frame,
        events=[
            {"type": "note", "payload": "one", "source_id": "n1"},
            {"type": "note", "payload": "two", "frame": "nope"},
            {"type": "note", "payload": "one", "source_id": "n1"},
            {"type": "note", "occurred_at": "1999-12-31T00:00:00Z"},
        ],
    )
    assert [each["outcome"] for each in answer["outcomes"]] == [
        "created", "rejected", "duplicate", "rejected",
    ]  # fmt: skip
    assert [each.get("field") for each in answer["outcomes"]] == [
        None,
        "frame",
        None,
        "occurred_at",
    ]
    with pytest.raises(Refused, match=r"Nothing was stored\. There is no frame") as refused:
        agent.call("append_events", events=[{"type": "t", "frame": "nope"}])
    assert (refused.value.code, refused.value.field) == ("not_found", "events[0].frame")


def test_the_same_again_is_the_same(house, agent, frame):
    """Every retry with a source_id gives what it became."""
    calls = [
        ("start_frame", {"name": "Once"}, "frame"),
        ("add_anchor", {"type": "FACT", "text": "Once"}, "anchor"),
        ("add_decision", {"content": "Once"}, "anchor"),
        ("create_task", {"title": "Once"}, "task"),
    ]
    for tool, arguments, what in calls:
        given = {**arguments, "source_id": f"once-{tool}", "session": "errors"}
        first = agent.call(tool, **given)
        before = rows(house)
        second = agent.call(tool, **given)
        assert (first["made"], second["made"]) == (True, False)
        assert first[what]["id"] == second[what]["id"]
        assert rows(house) == before
    once = agent.call("close_frame", frame="once-start_frame")
    again = agent.call("close_frame", frame="once-start_frame")
    assert (once["was_open"], again["was_open"]) == (True, False)


def test_only_a_reason_that_found_a_place_is_called_kept(agent, house):
    lonely = house.agent("bob", path=f"/mcp/{house.new_project()}")
    task = lonely.call("create_task", title="Alone")["task"]["id"]
    said = lonely.words("update_task_status", task=task, status="blocked", reason="No idea")
    assert "no frame to keep the reason in" in said
    told = lonely.call("update_task_status", task=task, status="blocked", reason="Still")
    assert "event" not in told
