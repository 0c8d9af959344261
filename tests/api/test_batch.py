"""Batches of events: an answer for each, nothing lost and nothing twice."""

from __future__ import annotations

import gzip
import json
import uuid

import pytest

from frames.appending import MOST_BYTES, MOST_EVENTS
from frames.models import Activity, Event
from tests.api.client import error_of, key_for, ok
from tests.pages import few_queries
from workspaces.models import Usage

pytestmark = pytest.mark.django_db


def send(agent, *events, status: int = 200):
    return ok(agent.post("events/batch", {"events": list(events)}), status)


def note(at, **fields):
    return {"frame": at["id"], "type": "note"} | fields


def counts(answer) -> tuple[int, int, int]:
    assert len(answer["results"]) == answer["created"] + answer["duplicate"] + answer["rejected"]
    return answer["created"], answer["duplicate"], answer["rejected"]


def test_each_event_is_answered_for_in_order(agent, frame):
    answer = send(
        agent,
        note(frame, source_id="a"),
        note(frame, source_id="b", occurred_at="2026-01-31T12:00:00Z"),
        note(frame),
        {"frame": "nowhere", "type": "note"},
        note(frame, source_id="a"),
    )
    assert counts(answer) == (3, 1, 1)
    outcomes = [result["outcome"] for result in answer["results"]]
    assert outcomes == ["created", "created", "created", "rejected", "duplicate"]
    ids = [result.get("id") for result in answer["results"]]
    assert ids[4] == ids[0]
    assert all(uuid.UUID(each).version == 7 for each in ids[:3])
    assert answer["results"][3]["error"] == {
        "code": "not_found", "field": "frame", "message": "There is no frame with this id here.",
    }  # fmt: skip


def test_sending_it_again_changes_nothing(agent, frame):
    events = [
        note(frame, source_id="a"),
        note(frame, source_id="b", occurred_at="2026-01-31T12:00:00Z"),
    ]
    first, again = send(agent, *events), send(agent, *events)
    assert (counts(first), counts(again)) == ((2, 0, 0), (0, 2, 0))
    assert [r["id"] for r in first["results"]] == [r["id"] for r in again["results"]]
    assert ok(agent.get(f"frames/{frame['id']}"))["event_count"] == 2
    assert sum(Activity.unscoped.values_list("events", flat=True)) == 2


def test_what_is_new_in_a_batch_sent_again_is_stored(agent, frame):
    send(agent, note(frame, source_id="a"))
    assert counts(send(agent, note(frame, source_id="a"), note(frame, source_id="b"))) == (1, 1, 0)


def test_frames_are_named_by_our_id_or_the_clients(agent, shop):
    first = ok(agent.post("frames", {"name": "a", "project": "shop", "source_id": "f-1"}), 201)
    second = ok(agent.post("frames", {"name": "b", "project": "shop"}), 201)
    answer = send(agent, {"frame": "f-1", "type": "n"}, note(first), note(second))
    assert counts(answer) == (3, 0, 0)
    assert ok(agent.get("frames/f-1"))["event_count"] == 2


@pytest.mark.parametrize(
    ("event", "code", "field"),
    [
        (3, "invalid", None),
        (None, "invalid", None),
        ([], "invalid", None),
        ({}, "not_found", "frame"),
        ({"frame": 3, "type": "n"}, "not_found", "frame"),
        ({"frame": "\x00", "type": "n"}, "not_found", "frame"),
        ({"frame": "\ud800", "type": "n"}, "not_found", "frame"),
        ({"type": ""}, "invalid", "type"),
        ({"type": None}, "invalid", "type"),
        ({"type": "x" * 101}, "invalid", "type"),
        ({"type": ["n"]}, "invalid", "type"),
        ({"source_id": ""}, "invalid", "source_id"),
        ({"source_id": 5}, "invalid", "source_id"),
        ({"source_id": "x" * 501}, "invalid", "source_id"),
        ({"seq": "5"}, "invalid", "seq"),
        ({"seq": 1.5}, "invalid", "seq"),
        ({"seq": True}, "invalid", "seq"),
        ({"seq": 2**63}, "invalid", "seq"),
        ({"occurred_at": "yesterday"}, "invalid", "occurred_at"),
        ({"occurred_at": 5}, "invalid", "occurred_at"),
        ({"occurred_at": "2026-01-31T12:00:00"}, "invalid", "occurred_at"),
        ({"occurred_at": "1970-01-01T00:00:00Z"}, "invalid", "occurred_at"),
        ({"occurred_at": "9999-12-31T23:59:59-12:00"}, "invalid", "occurred_at"),
        ({"occured_at": "2026-01-31T12:00:00Z"}, "invalid", "occured_at"),
    ],
)
def test_one_bad_event_spoils_nothing(agent, frame, event, code, field):
    bad = note(frame, **event) if isinstance(event, dict) and event else event
    answer = send(agent, note(frame, source_id="a"), bad, note(frame, source_id="b"))
    assert counts(answer) == (2, 0, 1)
    error = answer["results"][1]["error"]
    assert (error["code"], error.get("field")) == (code, field)
    assert error["message"]
    assert ok(agent.get(f"frames/{frame['id']}"))["event_count"] == 2


@pytest.mark.parametrize(
    "payload",
    [
        '{"b": 1, "a": 2.50, "a": 1e2}', '"text"', "[]", "null", "12345678901234567890123",
        '{"half":"\\ud800"}', '{"nul": "\\u0000"}', '{ "space" :  [ 1 ]\n}', '{"é": "☃"}',
    ],
)  # fmt: skip
def test_a_payload_is_kept_word_for_word(agent, frame, payload):
    body = f'{{"events": [{{"frame": "{frame["id"]}", "type": "n", "payload": {payload}}}]}}'
    assert counts(ok(agent.post("events/batch", body.encode()))) == (1, 0, 0)
    assert Event.unscoped.get().payload == payload


def test_deep_nesting_is_refused_alone(agent, frame):
    deep = "[" * 20_000 + "]" * 20_000
    body = (
        f'{{"events": [{{"frame": "{frame["id"]}", "type": "n", "payload": {deep}}},'
        f' {{"frame": "{frame["id"]}", "type": "n"}}]}}'
    )
    response = agent.post("events/batch", body.encode())
    if response.status_code == 200:
        assert response.json()["created"] >= 1
    else:
        assert error_of(response)[:2] == (400, "invalid")


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        (b"", 400, "body"), (b"[1", 400, "body"), (b"\xff", 400, "body"), (b"[]", 400, "events"),
        (b"{}", 400, "events"), (b'{"events": {}}', 400, "events"),
        (b'{"events": [], "evnets": []}', 400, "evnets"), (b"3", 400, "events"),
    ],
)  # fmt: skip
def test_what_is_no_batch_is_refused(agent, body, status, field):
    response = agent.post("events/batch", body)
    assert error_of(response) == (status, "invalid", field)


def test_nothing_is_a_batch_too(agent):
    assert counts(send(agent)) == (0, 0, 0)


def test_too_many_events(agent, frame):
    event = json.dumps(note(frame))
    body = f'{{"events": [{",".join([event] * (MOST_EVENTS + 1))}]}}'.encode()
    assert error_of(agent.post("events/batch", body)) == (413, "too_large", "events")


def test_as_many_as_may_be(agent, frame):
    events = [note(frame, source_id=f"{n}") for n in range(MOST_EVENTS)]
    assert counts(send(agent, *events)) == (MOST_EVENTS, 0, 0)
    assert counts(send(agent, *events)) == (0, MOST_EVENTS, 0)
    assert ok(agent.get(f"frames/{frame['id']}"))["event_count"] == MOST_EVENTS


def test_too_many_bytes(agent, frame):
    body = json.dumps({"events": [note(frame, payload="x" * MOST_BYTES)]}).encode()
    assert error_of(agent.post("events/batch", body)) == (413, "too_large", None)
    squeezed = agent.send("POST", "events/batch", gzip.compress(body), content_encoding="gzip")
    assert error_of(squeezed) == (413, "too_large", None)


def test_gzip_within_bounds(agent, frame):
    body = json.dumps({"events": [note(frame, payload="x" * 5_000_000)]}).encode()
    response = agent.send("POST", "events/batch", gzip.compress(body), content_encoding="gzip")
    assert counts(ok(response)) == (1, 0, 0)


def test_secrets_are_taken_out_and_counted(agent, frame):
    key = "AKIA" + "Q7RSTUVW2XYZABCD"
    answer = send(agent, note(frame, payload={"env": f"AWS_ACCESS_KEY_ID={key}"}), note(frame))
    assert [result.get("redacted", 0) > 0 for result in answer["results"]] == [True, False]
    assert not Event.unscoped.filter(payload__contains=key).exists()


def test_tools_and_errors_are_recognised(agent, frame):
    send(
        agent,
        note(frame, type="tool_call", payload={"tool_name": "Bash"}),
        note(frame, type="tool_result", payload={"tool_name": "Bash", "success": False}),
        note(frame, type="tool_result", payload={"result": {"isError": True}}),
        note(frame, type="error"),
    )
    events = Event.unscoped.order_by("seq").values_list("tool", "is_error")
    assert list(events) == [("Bash", False), ("Bash", True), ("", True), ("", True)]
    assert ok(agent.get(f"frames/{frame['id']}"))["error_count"] == 3


def test_events_are_counted_in_the_hours_they_happened_in(agent, frame):
    send(
        agent,
        note(frame, occurred_at="2026-01-31T12:59:59Z"),
        note(frame, occurred_at="2026-01-31T13:00:00+01:00", type="error"),
        note(frame, occurred_at="2026-02-01T00:00:00Z"),
    )
    found = Activity.unscoped.filter(events__gt=0).order_by("hour")
    hours = {f"{row.hour:%d %H}": (row.events, row.errors) for row in found}
    assert hours == {"31 12": (2, 1), "01 00": (1, 0)}


def test_a_key_that_only_reads_appends_nothing(reader, agent, frame):
    body = {"events": [note(frame)]}
    assert error_of(reader.post("events/batch", body)) == (403, "forbidden", None)


def test_a_tied_key_appends_to_its_projects_frames_alone(agent, acme, bob, frame):
    other = ok(agent.post("projects", {"name": "Other"}), 201)
    tied = key_for(acme, bob, "write", project_id=other["id"])
    inside = ok(tied.post("frames", {"name": "x"}), 201)
    assert counts(send(tied, note(inside), note(frame))) == (1, 0, 1)


def test_a_batch_asks_the_same_however_many_frames_it_is_about(agent, shop):
    frames = [ok(agent.post("frames", {"name": f"{n}", "project": "shop"}), 201) for n in range(12)]
    events = [note(frame, source_id=f"{n}{frame['id']}") for n in range(20) for frame in frames]
    with few_queries(18):
        assert counts(send(agent, *events)) == (240, 0, 0)


def test_writing_is_metered(agent, frame, acme):
    send(agent, note(frame))
    assert not Usage.unscoped.exists()  # measured by the worker, not by every request
