"""Hand-offs: asked of one person, answered once, by them alone."""

from __future__ import annotations

import pytest

from frames.models import HandOff, Revision
from tests.api.client import error_of, key_for, ok
from tests.pages import few_queries

pytestmark = pytest.mark.django_db


@pytest.fixture
def colleague(acme, alice):
    return key_for(acme, alice, "read", "write")


def hand(agent, frame, to: str = "alice@example.com", **fields):
    return agent.post(f"frames/{frame['id']}/hand-off", {"to": to} | fields)


def test_accepting_makes_it_theirs(agent, colleague, frame):
    asked = ok(hand(agent, frame, message="Tests are red"), 201)
    assert (asked["by"], asked["to"]) == ("bob@example.com", "alice@example.com")
    assert (asked["state"], asked["message"]) == ("pending", "Tests are red")
    assert [h["id"] for h in ok(colleague.get("hand-offs", box="in"))["items"]] == [asked["id"]]
    done = ok(colleague.post(f"hand-offs/{asked['id']}/accept", {"message": "On it"}))
    assert (done["state"], done["answer"]) == ("accepted", "On it")
    assert done["frame"]["owner"] == "alice@example.com"
    assert ok(agent.get(f"frames/{frame['id']}"))["owner"] == "alice@example.com"
    assert Revision.unscoped.get(kind="frame").data["owner_id"]


def test_declining_leaves_it(agent, colleague, frame):
    asked = ok(hand(agent, frame), 201)
    done = ok(colleague.post(f"hand-offs/{asked['id']}/decline"))
    assert (done["state"], done["frame"]["owner"]) == ("declined", "bob@example.com")
    ok(hand(agent, frame), 201)


def test_taking_it_back(agent, colleague, frame):
    asked = ok(hand(agent, frame), 201)
    assert ok(agent.post(f"hand-offs/{asked['id']}/withdraw"))["state"] == "withdrawn"
    for path, who in (("accept", colleague), ("decline", colleague), ("withdraw", agent)):
        response = who.post(f"hand-offs/{asked['id']}/{path}")
        assert error_of(response) == (409, "answered", None), path
    assert ok(agent.get(f"frames/{frame['id']}"))["owner"] == "bob@example.com"


def test_only_the_two_may_answer(agent, colleague, acme, person, frame):
    asked = ok(hand(agent, frame), 201)
    third = key_for(acme, person("carol", acme), "write")
    nobodys = key_for(acme, None, "write")
    for who, paths in (
        (agent, ("accept", "decline")),
        (colleague, ("withdraw",)),
        (third, ("accept", "decline", "withdraw")),
        (nobodys, ("accept", "decline", "withdraw")),
    ):
        for path in paths:
            response = who.post(f"hand-offs/{asked['id']}/{path}")
            assert error_of(response) == (403, "forbidden", None)
    assert HandOff.unscoped.get().state == "pending"


@pytest.mark.parametrize(
    ("to", "expected"),
    [
        ("nobody@example.com", (404, "not_found", "to")),
        ("charlie@example.com", (404, "not_found", "to")),  # of another team
        ("viola@example.com", (404, "not_found", "to")),  # who may not work
        ("bob@example.com", (409, "already_theirs", "to")),
        ("\x00", (404, "not_found", "to")),
        ("", (404, "not_found", "to")),
    ],
)
def test_whom_it_can_be_handed_to(agent, viola, charlie, frame, to, expected):
    assert error_of(hand(agent, frame, to)) == expected


def test_addresses_are_not_case_sensitive(agent, colleague, frame):
    assert ok(hand(agent, frame, " Alice@Example.COM "), 201)["to"] == "alice@example.com"


def test_one_at_a_time(agent, colleague, frame):
    ok(hand(agent, frame), 201)
    assert error_of(hand(agent, frame)) == (409, "pending", None)


def test_a_private_frame_is_shown_first(agent, colleague, shop):
    secret = ok(agent.post("frames", {"name": "x", "visibility": "private"}), 201)
    assert error_of(hand(agent, secret)) == (409, "private", None)
    ok(agent.post(f"frames/{secret['id']}/promote"))
    ok(hand(agent, secret), 201)


def test_who_has_left_cannot_answer(agent, colleague, frame, acme, alice):
    asked = ok(hand(agent, frame), 201)
    acme.memberships.filter(user=alice).update(role="viewer")
    assert error_of(colleague.post(f"hand-offs/{asked['id']}/accept"))[:2] == (403, "forbidden")


def test_boxes_and_states(agent, colleague, frame):
    asked = ok(hand(agent, frame), 201)

    def ids(who, **filters):
        return [h["id"] for h in ok(who.get("hand-offs", **filters))["items"]]

    assert ids(agent, box="out") == ids(colleague, box="in") == ids(agent) == [asked["id"]]
    assert ids(agent, box="in") == ids(colleague, box="out") == []
    ok(colleague.post(f"hand-offs/{asked['id']}/decline"))
    assert ids(agent, state="pending") == []
    assert ids(agent, state="declined") == [asked["id"]]
    assert error_of(agent.get("hand-offs", box="x")) == (400, "invalid", "box")


def test_a_list_asks_little_of_the_database(agent, colleague, shop):
    for number in range(8):
        made = ok(agent.post("frames", {"name": f"{number}", "project": "shop"}), 201)
        ok(hand(agent, made), 201)
    with few_queries(6):
        assert len(ok(agent.get("hand-offs"))["items"]) == 8
