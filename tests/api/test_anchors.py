"""Anchors: added, replaced, pinned, renamed; what they said before is kept."""

from __future__ import annotations

import pytest

from frames.models import Anchor, Frame, Revision
from tests.api.client import error_of, key_for, ok
from tests.pages import few_queries, new_anchor

pytestmark = pytest.mark.django_db


def add(agent, text: str = "Money is in cents", **fields):
    return ok(agent.post("anchors", {"text": text, "project": "shop"} | fields), 201)


def texts(agent, **filters):
    return [anchor["text"] for anchor in ok(agent.get("anchors", **filters))["items"]]


def test_an_anchor_is_what_was_said(agent, frame):
    given = {
        "type": "decision", "frame": frame["id"], "priority": 9, "pinned": True,
        "aliases": ["psql", " psql ", "", "postgres"], "metadata": {"why": ["fast"]},
        "source_id": "a-1",
    }  # fmt: skip
    anchor = add(agent, " Use PostgreSQL ", **given)
    assert (anchor["text"], anchor["type"], anchor["priority"]) == ("Use PostgreSQL", "DECISION", 9)
    assert (anchor["aliases"], anchor["metadata"]) == (["psql", "postgres"], {"why": ["fast"]})
    assert (anchor["pinned"], anchor["frame"], anchor["project"]) == (True, frame["id"], "shop")
    assert ok(agent.get("anchors/a-1")) == ok(agent.get(f"anchors/{anchor['id']}")) == anchor
    assert ok(agent.get(f"frames/{frame['id']}"))["anchor_count"] == 1


def test_adding_it_again_gives_the_same(agent, frame):
    body = {"text": "once", "frame": frame["id"], "source_id": "a-1"}
    first, again = agent.post("anchors", body), agent.post("anchors", body)
    assert ok(first, 201) == ok(again, 200)
    assert ok(agent.get(f"frames/{frame['id']}"))["anchor_count"] == 1


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "text"), ({"text": " "}, "text"), ({"text": "x" * 20_001}, "text"),
        ({"text": "x", "priority": 11}, "priority"), ({"text": "x", "priority": -1}, "priority"),
        ({"text": "x", "type": ""}, "type"), ({"text": "x", "aliases": ["y"] * 21}, "aliases"),
        ({"text": "x", "metadata": {"a": "b" * 300_000}}, "metadata"),
        ({"text": "x", "frame": "nowhere"}, "frame"),
        ({"text": "x", "supersedes": "nowhere"}, "supersedes"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(agent, shop, body, field):
    assert error_of(agent.post("anchors", body))[2] == field


def test_a_frame_of_another_project_is_refused(agent, frame):
    ok(agent.post("projects", {"name": "Other"}), 201)
    body = {"text": "x", "project": "other", "frame": frame["id"]}
    assert error_of(agent.post("anchors", body)) == (400, "invalid", "frame")


def test_replacing_one(agent, frame):
    old = add(agent, "Use SQLite", type="DECISION", frame=frame["id"], pinned=True)
    body = {"text": "Use PostgreSQL", "priority": 8}
    new = ok(agent.post(f"anchors/{old['id']}/supersede", body), 201)
    assert (new["type"], new["frame"], new["pinned"]) == ("DECISION", frame["id"], True)
    old = ok(agent.get(f"anchors/{old['id']}"))
    assert (old["text"], old["superseded_by"]) == ("Use SQLite", new["id"])
    assert old["superseded_at"]
    assert texts(agent) == ["Use PostgreSQL"]
    assert texts(agent, superseded="true") == ["Use SQLite"]


def test_of_two_who_replace_one_anchor_only_one_does(agent, shop):
    old = add(agent, "old")
    new = add(agent, "new", supersedes=old["id"])
    response = agent.post("anchors", {"text": "x", "project": "shop", "supersedes": old["id"]})
    assert error_of(response) == (409, "superseded", "supersedes")
    assert texts(agent) == ["new"]
    assert ok(agent.get(f"anchors/{old['id']}"))["superseded_by"] == new["id"]


def test_pinning_weighing_renaming_rewording(agent, shop):
    anchor = add(agent, "first")
    path = f"anchors/{anchor['id']}"
    assert ok(agent.patch(path, {"pinned": True}))["pinned"] is True
    changed = ok(agent.patch(path, {"text": " second ", "priority": 1, "aliases": ["a", "a"]}))
    assert (changed["text"], changed["priority"], changed["aliases"]) == ("second", 1, ["a"])
    assert changed["pinned"] is True
    kept = [row.data for row in Revision.unscoped.order_by("valid_to")]
    assert kept == [{"pinned": False}, {"priority": 5, "aliases": [], "text": "first"}]
    assert ok(agent.patch(path, {"pinned": False}))["pinned"] is False
    ok(agent.patch(path, {}))
    ok(agent.patch(path, {"priority": 1}))
    assert Revision.unscoped.count() == 3
    assert error_of(agent.patch(path, {"text": " "})) == (400, "invalid", "text")
    assert error_of(agent.patch(path, {"type": "FACT"})) == (400, "invalid", "type")


def test_secrets_in_words_are_taken_out(agent, shop):
    secret = "AKIA" + "Q7RSTUVW2XYZABCD"
    anchor = add(agent, f"the key is {secret}", metadata={"k": secret})
    assert secret not in str(anchor)


def test_order_and_filters(agent, frame):
    add(agent, "a")
    add(agent, "b", type="RISK", frame=frame["id"])
    add(agent, "c", pinned=True)
    assert texts(agent) == ["c", "b", "a"]
    assert texts(agent, type="risk") == texts(agent, frame=frame["id"]) == ["b"]
    assert texts(agent, pinned="true") == ["c"]
    assert texts(agent, pinned="false", limit=1) == ["b"]
    assert texts(agent, project="shop", type="odd") == []


def test_pages_hold_across_pins(agent, shop):
    for number in range(6):
        add(agent, f"{number}", pinned=number % 2 == 0)
    seen, cursor = [], ""
    while cursor is not None:
        page = ok(agent.get("anchors", limit=2, cursor=cursor))
        seen += [anchor["text"] for anchor in page["items"]]
        cursor = page["next"]
    assert seen == list("420531")


def test_a_private_frames_anchors_are_its_owners(agent, acme, alice, frame):
    anchor = add(agent, "hidden", frame=frame["id"])
    Frame.unscoped.filter(pk=frame["id"]).update(visibility="private")
    colleague = key_for(acme, alice, "write")
    for response in (
        colleague.get(f"anchors/{anchor['id']}"),
        colleague.patch(f"anchors/{anchor['id']}", {"pinned": True}),
        colleague.post(f"anchors/{anchor['id']}/supersede", {"text": "x"}),
        colleague.post("anchors", {"text": "x", "project": "shop", "supersedes": anchor["id"]}),
    ):
        assert error_of(response)[:2] == (404, "not_found")
    assert ok(agent.get(f"anchors/{anchor['id']}"))["text"] == "hidden"


def test_a_list_asks_little_of_the_database(agent, shop, acme):
    project = acme.projects.get(slug="shop")
    Anchor.unscoped.bulk_create(new_anchor(project) for _ in range(100))
    with few_queries(6):
        assert len(ok(agent.get("anchors", limit=100))["items"]) == 100
