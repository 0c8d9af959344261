"""Frames: started on a stack, closed with a digest, reopened, shown to the team."""

from __future__ import annotations

import pytest

from frames.models import Frame, Revision
from tests.api.client import error_of, key_for, ok
from tests.pages import few_queries, new_frame

pytestmark = pytest.mark.django_db


@pytest.fixture
def colleague(acme, alice):
    """A key of another member, who sees what the team sees."""
    return key_for(acme, alice, "read", "write")


def start(agent, name: str = "Work", **fields):
    return ok(agent.post("frames", {"name": name, "project": "shop"} | fields), 201)


def test_a_frame_is_what_it_was_started_with(agent, shop):
    given = {
        "name": "  Fix the till ", "type": "debug", "inputs": {"issue": 7, "z": [1.5, None]},
        "constraints": ["No downtime"], "source_id": "f-1", "started_at": "2026-01-31T12:00:00Z",
    }  # fmt: skip
    frame = start(agent, **given)
    assert frame["name"] == "Fix the till"
    assert (frame["type"], frame["state"], frame["visibility"]) == ("debug", "active", "team")
    assert frame["inputs"] == {"issue": 7, "z": [1.5, None], "constraints": ["No downtime"]}
    assert frame["started_at"] == "2026-01-31T12:00:00Z"
    assert (frame["owner"], frame["root"], frame["depth"]) == ("bob@example.com", frame["id"], 0)
    assert ok(agent.get(f"frames/{frame['id']}")) == ok(agent.get("frames/f-1")) == frame


def test_starting_it_again_gives_the_same_frame(agent, shop):
    first = start(agent, source_id="f-1")
    again = ok(agent.post("frames", {"name": "Other", "project": "shop", "source_id": "f-1"}), 200)
    assert again == first


def test_a_part_counts_in_the_frame_above(agent, frame):
    part = start(agent, parent=frame["id"])
    above = ok(agent.get(f"frames/{frame['id']}"))
    assert (part["parent"], part["root"], part["depth"]) == (frame["id"], frame["id"], 1)
    assert above["child_count"] == 1
    assert [f["id"] for f in ok(agent.get("frames", parent=frame["id"]))["items"]] == [part["id"]]


def test_the_project_is_that_of_the_frame_above_or_of_the_run(agent, frame):
    ok(agent.post("projects", {"name": "Other"}), 201)
    ok(agent.post("sessions", {"project": "other", "source_id": "r"}), 201)
    assert ok(agent.post("frames", {"name": "x", "parent": frame["id"]}), 201)["project"] == "shop"
    assert ok(agent.post("frames", {"name": "x", "session": "r"}), 201)["project"] == "other"


@pytest.mark.parametrize("field", ["parent", "session"])
def test_a_frame_cannot_be_of_two_projects(agent, frame, field):
    ok(agent.post("projects", {"name": "Other"}), 201)
    session = ok(agent.post("sessions", {"project": "shop"}), 201)
    body = {"name": "x", "project": "other"}
    body[field] = frame["id"] if field == "parent" else session["id"]
    assert error_of(agent.post("frames", body)) == (400, "invalid", field)


def test_a_stack_has_an_end(agent, frame, acme):
    Frame.unscoped.filter(pk=frame["id"]).update(depth=199)
    response = agent.post("frames", {"name": "x", "parent": frame["id"]})
    assert error_of(response) == (400, "invalid", "parent")


# --- Closing ------------------------------------------------------------------------------------


def test_closing_makes_a_digest(agent, frame):
    events = [
        {"type": "tool_call", "payload": {"tool_name": "Edit", "tool_input": {"file_path": "a.py"}}},
        {"type": "tool_call", "payload": {"tool_name": "Bash", "tool_input": {"command": "pytest"}}},
        {"type": "error", "payload": {"message": "Boom\nsecond line"}},
        {"type": "note", "payload": {"text": "fine now"}},
    ]  # fmt: skip
    body = {"events": [event | {"frame": frame["id"]} for event in events]}
    assert ok(agent.post("events/batch", body))["created"] == 4
    ok(agent.post("anchors", {"text": "Use psql", "type": "DECISION", "frame": frame["id"]}), 201)
    closed = ok(
        agent.post(f"frames/{frame['id']}/close", {"result": "Works", "outputs": {"pr": 12}})
    )
    assert (closed["state"], closed["also_closed"]) == ("closed", [])
    assert closed["closed_at"] >= closed["started_at"]
    assert closed["outputs"] == {"pr": 12, "result": "Works"}
    digest = closed["digest"]
    assert digest["tool_calls"] == {"Edit": 1, "Bash": 1}
    assert (digest["files"], digest["commands"]) == (["a.py"], ["pytest"])
    assert (digest["tests"], digest["errors"]) == (["pytest"], ["Boom"])
    assert (digest["decisions"], digest["outcome"]) == (["Use psql"], "done")
    assert digest["events"] == 4
    assert "Decided: Use psql" in closed["digest_text"]


def test_what_is_open_below_is_closed_first(agent, frame):
    part = start(agent, "Part", parent=frame["id"])
    detail = start(agent, "Detail", parent=part["id"])
    beside = start(agent, "Beside")
    closed = ok(agent.post(f"frames/{frame['id']}/close"))
    assert closed["also_closed"] == [detail["id"], part["id"]]
    assert closed["digest"]["children"] == ["Part (closed)"]
    states = {f["name"]: f["state"] for f in ok(agent.get("frames"))["items"]}
    assert states == {
        "Fix the till": "closed", "Part": "closed", "Detail": "closed", "Beside": "active",
    }  # fmt: skip
    assert beside["state"] == "active"


def test_closing_it_again_changes_nothing(agent, frame):
    first = ok(agent.post(f"frames/{frame['id']}/close", {"result": "a"}))
    again = ok(agent.post(f"frames/{frame['id']}/close", {"result": "b"}))
    assert again == first


def test_a_frame_does_not_close_before_it_began(agent, frame):
    early = ok(agent.post(f"frames/{frame['id']}/close", {"closed_at": "2020-01-01T00:00:00Z"}))
    assert early["closed_at"] == early["started_at"]


def test_reopening_keeps_what_it_had_returned(agent, frame):
    closed = ok(agent.post(f"frames/{frame['id']}/close", {"result": "a"}))
    opened = ok(agent.post(f"frames/{frame['id']}/reopen"))
    assert (opened["state"], opened["closed_at"], opened["digest_text"]) == ("active", None, "")
    kept = Revision.unscoped.get(object_id=frame["id"]).data
    assert kept["digest_text"] == closed["digest_text"]
    assert ok(agent.post(f"frames/{frame['id']}/reopen"))["state"] == "active"
    assert Revision.unscoped.count() == 1


# --- Private frames -----------------------------------------------------------------------------


def test_a_private_frame_exists_for_its_owner_alone(agent, colleague, shop):
    secret = start(agent, "Secret", visibility="private", source_id="s-1")
    event = ok(agent.post("events", {"frame": secret["id"], "type": "note"}), 201)
    ok(agent.post("anchors", {"text": "hidden", "frame": secret["id"]}), 201)
    ok(agent.post("tasks", {"title": "hidden", "frame": secret["id"]}), 201)
    for path in (
        f"frames/{secret['id']}", "frames/s-1", f"frames/{secret['id']}/events",
        f"events/{event['id']}",
    ):  # fmt: skip
        assert error_of(colleague.get(path))[0] == 404, path
        ok(agent.get(path))
    for path in ("frames", "anchors", "tasks"):
        assert ok(colleague.get(path))["items"] == [], path
        assert len(ok(agent.get(path))["items"]) == 1, path
    assert ok(colleague.get("tasks/metrics"))["total"] == 0
    assert error_of(colleague.post(f"frames/{secret['id']}/close"))[0] == 404
    batch = {"events": [{"frame": secret["id"], "type": "note"}]}
    assert ok(colleague.post("events/batch", batch))["rejected"] == 1


def test_parts_of_a_private_frame_are_private(agent, colleague, shop):
    secret = start(agent, "Secret", visibility="private")
    part = start(agent, "Part", parent=secret["id"])
    assert part["visibility"] == "private"
    assert ok(colleague.get("frames"))["items"] == []


def test_another_persons_source_id_gives_nothing_away(agent, colleague, shop):
    start(agent, "Secret", visibility="private", source_id="mine")
    response = colleague.post("frames", {"name": "x", "project": "shop", "source_id": "mine"})
    assert error_of(response) == (409, "source_id_taken", "source_id")


def test_showing_it_to_the_team(agent, colleague, shop):
    secret = start(agent, "Secret", visibility="private")
    part = start(agent, "Part", parent=secret["id"])
    assert error_of(colleague.post(f"frames/{secret['id']}/promote"))[0] == 404
    shown = ok(agent.post(f"frames/{secret['id']}/promote"))
    assert (shown["promoted"], shown["visibility"]) == (2, "team")
    assert {f["id"] for f in ok(colleague.get("frames"))["items"]} == {secret["id"], part["id"]}
    assert ok(agent.post(f"frames/{secret['id']}/promote"))["promoted"] == 0
    assert error_of(colleague.post(f"frames/{secret['id']}/promote")) == (403, "forbidden", None)


def test_a_key_of_nobody_has_no_private_frames(acme, shop):
    nobodys = key_for(acme, None, "read", "write")
    body = {"name": "x", "project": "shop", "visibility": "private"}
    assert error_of(nobodys.post("frames", body)) == (400, "invalid", "visibility")
    assert ok(nobodys.post("frames", body | {"visibility": "team"}), 201)["owner"] is None


# --- Lists --------------------------------------------------------------------------------------


def test_filters(agent, frame):
    closed = start(agent, "Done", type="review")
    ok(agent.post(f"frames/{closed['id']}/close"))
    session = ok(agent.post("sessions", {"project": "shop"}), 201)
    of_run = start(agent, "Run", session=session["id"])

    def names(**filters):
        return [f["name"] for f in ok(agent.get("frames", **filters))["items"]]

    assert names() == ["Run", "Done", "Fix the till"]
    assert names(state="active") == ["Run", "Fix the till"]
    assert names(state="closed") == names(type="review") == ["Done"]
    assert names(session=session["id"]) == [of_run["name"]]
    assert names(project="shop", state="odd") == []
    assert names(type="\x00") == []


def test_pages_follow_one_another_while_frames_are_added(agent, shop):
    for number in range(7):
        start(agent, f"{number}")
    first = ok(agent.get("frames", limit=3))
    start(agent, "later")
    second = ok(agent.get("frames", limit=3, cursor=first["next"]))
    third = ok(agent.get("frames", limit=3, cursor=second["next"]))
    names = [f["name"] for page in (first, second, third) for f in page["items"]]
    assert names == list("6543210")
    assert third["next"] is None


def test_a_list_asks_little_of_the_database(agent, shop, acme, bob):
    project = acme.projects.get(slug="shop")
    Frame.unscoped.bulk_create(new_frame(project, owner=bob) for _ in range(100))
    with few_queries(6):
        assert len(ok(agent.get("frames", limit=100, project="shop"))["items"]) == 100
    large = {"inputs", "outputs", "digest", "metadata"}
    assert not large & set(ok(agent.get("frames"))["items"][0])


def test_odd_values_of_imported_frames_are_shown(agent, shop, acme):
    project = acme.projects.get(slug="shop")
    odd = {"half": "\ud800", "big": 10**400, "deep": [[[[]]]]}
    frame = new_frame(project, name="", state="weird", depth=-3, inputs=odd)
    frame.save(force_insert=True)
    shown = ok(agent.get(f"frames/{frame.pk}"))
    assert (shown["name"], shown["state"], shown["depth"]) == ("", "weird", -3)
    assert shown["inputs"]["big"] == 10**400
    assert shown["inputs"]["half"] == "\ud800"
