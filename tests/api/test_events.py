"""Events: one at a time, and a frame's timeline."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from frames.ingest import event_id
from frames.models import Event
from frames.partitions import ensure, month_of
from tests.api.client import error_of, ok
from tests.pages import few_queries

pytestmark = pytest.mark.django_db


def append(agent, at, **fields):
    return agent.post("events", {"frame": at["id"], "type": "note"} | fields)


def timeline(agent, frame, **query):
    return ok(agent.get(f"frames/{frame['id']}/events", **query))["items"]


def test_an_event_is_what_was_sent(agent, frame):
    payload = {"z": 1, "a": [True, None, "ü\u0000 ☃"], "n": 1.0}
    given = {"type": "tool_call", "payload": payload, "seq": 5, "source_id": "e-1"}
    answer = ok(append(agent, frame, occurred_at="2026-01-31T12:00:00.123456+01:00", **given), 201)
    assert answer["outcome"] == "created"
    event = ok(agent.get(f"events/{answer['id']}"))
    assert event["payload"] == payload
    assert list(event["payload"]) == ["z", "a", "n"]
    assert event["occurred_at"] == "2026-01-31T11:00:00.123456Z"
    assert (event["type"], event["seq"], event["source_id"]) == ("tool_call", 5, "e-1")
    assert (event["raw"], event["redactions"], event["is_error"]) == (False, 0, False)
    assert timeline(agent, frame) == [event]


def test_the_frame_counts_it(agent, frame):
    ok(append(agent, frame, occurred_at="2026-01-31T12:00:00Z"), 201)
    ok(append(agent, frame, type="error", occurred_at="2026-02-01T12:00:00Z"), 201)
    counted = ok(agent.get(f"frames/{frame['id']}"))
    assert (counted["event_count"], counted["error_count"]) == (2, 1)
    assert counted["last_event_at"] == "2026-02-01T12:00:00Z"


def test_the_same_event_is_stored_once(agent, frame):
    for given in ({"source_id": "a"}, {"source_id": "a", "occurred_at": "2026-01-31T12:00:00Z"}):
        first = ok(append(agent, frame, **given), 201)
        again = ok(append(agent, frame, **given, payload={"other": 1}), 200)
        assert again == {"outcome": "duplicate", "id": first["id"], "redacted": 0}
    assert len(timeline(agent, frame)) == 2, "a time is part of what an event is known by"
    assert ok(agent.get(f"frames/{frame['id']}"))["event_count"] == 2


def test_two_teams_may_call_their_events_alike(agent, stranger, frame):
    ok(stranger.post("projects", {"name": "Shop"}), 201)
    theirs = ok(stranger.post("frames", {"name": "x"}), 201)
    time = {"source_id": "a", "occurred_at": "2026-01-31T12:00:00Z"}
    ids = {ok(append(who, f, **time), 201)["id"] for who, f in ((agent, frame), (stranger, theirs))}
    assert len(ids) == 2


def test_secrets_are_taken_out_before_anything_is_stored(agent, frame):
    key = "AKIA" + "Q7RSTUVW2XYZABCD"
    answer = ok(append(agent, frame, payload={"text": f"export AWS_ACCESS_KEY_ID={key}"}), 201)
    assert answer["redacted"] >= 1
    assert key not in Event.unscoped.get(pk=answer["id"]).payload
    assert timeline(agent, frame)[0]["redactions"] == answer["redacted"]


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"type": ""}, "type"), ({"type": "x" * 101}, "type"), ({"source_id": ""}, "source_id"),
        ({"seq": 2**63}, "seq"), ({"seq": "x"}, "seq"), ({"occurred_at": "now"}, "occurred_at"),
        ({"occurred_at": "1999-12-31T23:59:59Z"}, "occurred_at"),
        ({"occurred_at": "2999-01-01T00:00:00Z"}, "occurred_at"), ({"frame": "x"}, "frame"),
        ({"frame": ""}, "frame"), ({"typ": 1}, "typ"),
    ],
)  # fmt: skip
def test_what_cannot_be_stored_is_refused(agent, frame, given, field):
    response = append(agent, frame, **given)
    assert error_of(response)[2] == field
    assert timeline(agent, frame) == []


def test_a_timeline_is_in_order_and_in_pages(agent, frame):
    at = "2026-01-31T12:00:00Z"
    events = [
        {"seq": seq, "occurred_at": at, "source_id": f"{seq}"} for seq in (3, 1, 2, 10, 7, 5)
    ] + [{"seq": 0, "occurred_at": "2026-03-01T00:00:00Z", "source_id": "last"}]
    body = {"events": [event | {"frame": frame["id"], "type": "n"} for event in events]}
    assert ok(agent.post("events/batch", body))["created"] == 7
    seen, cursor = [], ""
    while cursor is not None:
        page = ok(agent.get(f"frames/{frame['id']}/events", limit=3, cursor=cursor))
        seen += [event["source_id"] for event in page["items"]]
        cursor = page["next"]
    assert seen == ["1", "2", "3", "5", "7", "10", "last"]


def test_without_numbers_events_keep_the_order_they_were_sent_in(agent, frame):
    body = {"events": [{"frame": frame["id"], "type": f"t{n}"} for n in range(20)]}
    ok(agent.post("events/batch", body))
    ok(append(agent, frame, type="last"), 201)
    assert [e["type"] for e in timeline(agent, frame)] == [f"t{n}" for n in range(20)] + ["last"]


def test_imported_text_that_is_no_json_is_given_as_it_is(agent, frame, acme):
    at = datetime(2026, 1, 31, tzinfo=UTC)
    ensure([month_of(at)])
    odd = ["{broken", "NaN", '{"half": "\\ud800"}', ""]
    for seq, payload in enumerate(odd):
        Event.unscoped.create(
            id=event_id(acme, str(seq), at, seq), workspace=acme, frame_id=frame["id"],
            seq=seq, type="odd", payload=payload, occurred_at=at,
        )  # fmt: skip
    acme.frames.filter(pk=frame["id"]).update(first_event_at=at, last_event_at=at)
    shown = [(event["payload"], event["raw"]) for event in timeline(agent, frame)]
    assert shown == [(payload, True) for payload in odd]


def test_a_large_payload_comes_back_whole(agent, frame):
    text = "0123456789" * 100_000
    answer = ok(append(agent, frame, payload={"text": text}), 201)
    assert ok(agent.get(f"events/{answer['id']}"))["payload"]["text"] == text


def test_reading_a_timeline_asks_little_of_the_database(agent, frame):
    body = {"events": [{"frame": frame["id"], "type": "n"} for _ in range(200)]}
    ok(agent.post("events/batch", json.loads(json.dumps(body))))
    with few_queries(7):
        assert len(timeline(agent, frame, limit=200)) == 200
