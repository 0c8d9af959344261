"""Context over REST: compiled, recorded, given again to whoever may read it."""

from __future__ import annotations

import pytest
from django.test import Client

from search.context.tokens import count
from search.models import ContextBundle
from tests.api.client import error_of, key_for, ok
from tests.pages import few_queries
from workspaces.access import PERMISSIONS

pytestmark = pytest.mark.django_db


@pytest.fixture
def busy(run):
    frame = run.begin("Retry webhooks", constraints=["No new dependency"])
    run.store.say(frame, "The webhook answers 503")
    run.store.anchor("Amounts are integers, in cents", "CONSTRAINT")
    run.store.ready()
    return run


def test_compiled_recorded_listed_and_given_again_word_for_word(busy, acme, bob):
    reader = key_for(acme, bob, "read")
    given = ok(reader.post("context", {"session": "run-1", "query": "webhook", "budget": 500}), 201)
    assert "Amounts are integers" in given["text"]
    assert given["tokens"] == count(given["text"]) <= given["budget"] == 500
    assert (given["project"], given["origin"], given["query"]) == ("shop", "api", "webhook")
    for item in given["items"]:
        assert item["text"] in given["text"]
        assert item["reason"]
    busy.store.anchor("Later rule", "CONSTRAINT")
    again = ok(reader.get(f"context/{given['id']}"))
    assert again == given
    assert ok(reader.post("context", {"session": "run-1"}), 201)["hash"] != given["hash"]
    with few_queries(6):
        listed = ok(reader.get("context", session="run-1"))["items"]
    assert [row["id"] for row in listed][-1] == given["id"]
    assert "text" not in listed[0]
    assert ok(reader.get("context", project="shop", limit=1))["next"]


def test_what_was_given_of_private_work_is_its_owner_s(busy, acme, alice, bob, globex, charlie):
    run, mine = busy, key_for(acme, alice, "read")
    run.begin("Zebra plan", visibility="private")
    bundle = ok(mine.post("context", {"session": "run-1"}), 201)
    assert "Zebra" in bundle["text"]
    for other in (key_for(acme, bob, "read"), key_for(acme, None, "read")):
        assert error_of(other.get(f"context/{bundle['id']}"))[0] == 404
        seen = [row["id"] for row in ok(other.get("context"))["items"]]
        assert bundle["id"] not in seen
        theirs = ok(other.post("context", {"session": "run-1"}), 201)
        assert "Zebra" not in theirs["text"]
    stranger = key_for(globex, charlie, "read", "write")
    assert error_of(stranger.get(f"context/{bundle['id']}"))[0] == 404
    assert error_of(stranger.post("context", {"session": "run-1"}))[0] == 404
    assert PERMISSIONS["viewer"] >= {"read"}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"project": "shop", "budget": 1}, "budget"),
        ({"project": "shop", "budget": "many"}, "budget"),
        ({"project": "nowhere"}, "project"),
        ({"session": "nowhere"}, "session"),
        ({"project": "shop", "as_of": "2999-01-01T00:00:00Z"}, "as_of"),
        ({"project": "shop", "as_of": "yesterday"}, "as_of"),
        ({"project": "shop", "as_of": "2026-01-01T00:00:00"}, "as_of"),
        ({"project": "shop", "nonsense": 1}, "nonsense"),
    ],
)
def test_what_cannot_be_answered_names_the_field_and_records_nothing(busy, acme, bob, body, field):
    answer = key_for(acme, bob, "read").post("context", body)
    assert error_of(answer)[2] == field
    assert answer.status_code in (400, 404, 422)
    assert not ContextBundle.unscoped.exists()


@pytest.mark.parametrize("ref", ["x", "01a20185-65fe-77d1-8dbe-6eb0be6e0a23", "%00"])
def test_there_is_none_of_that_id(busy, acme, bob, ref):
    assert error_of(key_for(acme, bob, "read").get(f"context/{ref}"))[0] == 404


def tool(key: str, **arguments):
    """What get_context answers over MCP: (structured, text, whether it is an error)."""
    params = {"name": "get_context", "arguments": arguments}
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    headers = {"Authorization": f"Bearer {key}"}
    answer = Client().post("/mcp", message, content_type="application/json", headers=headers)
    result = answer.json()["result"]
    return result.get("structuredContent"), result["content"][0]["text"], result.get("isError")


def test_the_tool_gives_text_and_items_and_the_same_again(busy, acme, bob):
    key = key_for(acme, bob, "read").text
    given, text, failed = tool(key, session="run-1", query="webhook", tokenBudget="400", limit=9)
    assert not failed
    assert "Amounts are integers" in text
    assert given["tokens"] == count(text) <= given["budget"] == 400
    assert given["items"][0]["section"] == "path"
    assert {"id", "kind", "score", "reason", "tokens"} <= set(given["items"][0])
    assert ContextBundle.unscoped.get().origin == "tool"
    again, same, _ = tool(key, id=given["id"])
    assert (again, same) == (given, text)
    then, nothing, _ = tool(key, project="shop", asOf="2026-01-31T12:00:00Z")
    assert then["items"] == []
    assert nothing == "Nothing is known of this project yet."
    for wrong in ({"id": "x"}, {"project": "nowhere"}, {"project": "shop", "budget": 1},
                  {"project": "shop", "as_of": "2026-01-31T12:00:00"}):  # fmt: skip
        assert tool(key, **wrong)[2]
    assert tool(key, session="a-new-run", project="shop")[0]["items"][0]["section"] == "rules"
