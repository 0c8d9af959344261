"""Whatever goes wrong, the answer has one shape, names the field and says how to mend it."""

from __future__ import annotations

import gzip
import json
import re

import pytest
from django.test import Client

from stackmemory import gate
from stackmemory.api import api
from tests.api.client import Api, error_of, ok

pytestmark = pytest.mark.django_db


def test_unknown_addresses_under_api_answer_json(agent):
    for path in ("/api/", "/api/v1/", "/api/v1/nothing", "/api/v2/me", "/api/v1/frames/x/y/z"):
        response = Client().get(path)
        assert error_of(response) == (404, "not_found", None), path
    assert Client().get("/nothing-here").headers["Content-Type"].startswith("text/html")


def test_a_method_that_is_not_offered_says_which_are(agent):
    response = agent.send("PUT", "frames")
    assert error_of(response) == (405, "method_not_allowed", None)
    assert {m.strip() for m in response["Allow"].split(",")} == {"GET", "POST"}


@pytest.mark.parametrize(
    ("body", "field", "words"),
    [
        ({}, "name", "needed"),
        ({"name": ""}, "name", "At least 1"),
        ({"name": 3}, "name", "text"),
        ({"name": "x" * 2001}, "name", "At most 2000"),
        ({"name": "x", "visibility": "secret"}, "visibility", "'team', 'private'"),
        ({"name": "x", "nmae": "y"}, "nmae", "no such field"),
        ({"name": "x", "inputs": [1]}, "inputs", "object"),
        ({"name": "x", "constraints": [1]}, "constraints.0", "text"),
        ({"name": "x", "started_at": "2026-01-01T00:00:00"}, "started_at", "zone"),
        ({"name": "x", "started_at": "tomorrow"}, "started_at", "zone"),
        ({"name": "x", "started_at": "1999-01-01T00:00:00Z"}, "started_at", "2000"),
        ({"name": "x", "started_at": "2999-01-01T00:00:00Z"}, "started_at", "ahead"),
        ({"name": "x", "project": "nowhere"}, "project", "no project"),
        ({"name": "x", "parent": "nowhere"}, "parent", "no frame"),
        ([], "body", "object"),
        ("text", "body", "object"),
    ],
)
def test_a_wrong_body_names_the_field_and_the_mend(agent, shop, body, field, words):
    response = agent.post("frames", body)
    status, _, where = error_of(response)
    assert status in (400, 404)
    assert where == field
    assert words in response.json()["error"]["message"]


def test_more_than_one_mistake_is_counted(agent, shop):
    message = agent.post("frames", {"type": 1, "what": 2}).json()["error"]["message"]
    assert message == "This is needed. 2 more are wrong as well."


@pytest.mark.parametrize(
    "body",
    [
        b"{", b"", b"\xff\xfe", b'{"name": NaN}', b'{"name": "\\ud800"}', b"[" * 1000,
        b'{"name": "x", "inputs": {"n": 1e999}}',
    ],
)  # fmt: skip
def test_a_body_that_is_not_json_is_refused(agent, shop, body):
    status, code, _ = error_of(agent.post("frames", body))
    assert (status, code) == (400, "invalid")


@pytest.mark.parametrize("path", ["frames?limit=0", "frames?limit=1000", "frames?limit=x"])
def test_a_wrong_parameter_is_named(agent, path):
    assert error_of(agent.get(path)) == (400, "invalid", "limit")


def test_a_cursor_of_another_list_is_refused(agent, shop):
    for name in ("a", "b"):
        ok(agent.post("frames", {"name": name}), 201)
    cursor = ok(agent.get("frames", limit=1))["next"]
    assert error_of(agent.get("anchors", cursor=cursor)) == (400, "invalid", "cursor")
    assert error_of(agent.get("frames", cursor="x")) == (400, "invalid", "cursor")


def test_ids_that_cannot_be_are_not_found(agent):
    for ref in ("nope", "%00", "a%00b", "%FF", "x" * 400, "01a20113-91a6-7c44-a6a5-444ed4f6cb43"):
        for kind in ("frames", "sessions", "anchors", "tasks", "projects"):
            assert error_of(agent.get(f"{kind}/{ref}"))[0] == 404, (kind, ref)
    for path in ("events/x", "keys/x"):
        assert error_of(agent.get(path))[0] in (400, 405)


def test_without_a_key_the_answer_says_how_to_send_one(acme):
    for text in ("", "sm_wrong", "sm_" + "a" * 49):
        response = Api(text).get("me")
        assert error_of(response) == (401, "unauthenticated", None)
        assert response["WWW-Authenticate"].startswith("Bearer")
    basic = Client().get("/api/v1/me", headers={"authorization": "Basic eDp5"})
    assert basic.status_code == 401


def test_a_login_is_no_key(alice, login):
    assert login(alice).get("/api/v1/me").status_code == 401


def test_a_failure_is_told_in_the_one_shape_and_takes_everything_back(agent, shop, monkeypatch):
    def fail(*args, **kwargs):
        raise RuntimeError("secret words of the server")

    monkeypatch.setattr(gate, "render", fail)
    response = agent.post("frames", {"name": "Lost"})
    assert error_of(response) == (500, "internal", None)
    assert b"secret words" not in response.content
    assert response["X-Request-Id"]
    monkeypatch.undo()
    assert ok(agent.get("frames"))["items"] == []


def test_a_refusal_takes_back_what_was_done_before_it(agent, shop):
    """The anchor is made before it turns out that the old one has been replaced already."""
    old = ok(agent.post("anchors", {"text": "old"}), 201)
    ok(agent.post(f"anchors/{old['id']}/supersede", {"text": "new"}), 201)
    again = agent.post(f"anchors/{old['id']}/supersede", {"text": "newer"})
    assert error_of(again) == (409, "superseded", "supersedes")
    assert [a["text"] for a in ok(agent.get("anchors"))["items"]] == ["new"]


def test_every_answer_has_the_callers_request_id(agent):
    given = agent.client.get(
        "/api/v1/me", headers={"authorization": f"Bearer {agent.text}", "x-request-id": "run-7.a"}
    )
    assert given["X-Request-Id"] == "run-7.a"
    evil = agent.client.get("/api/v1/nothing", headers={"x-request-id": "a b\tc"})
    assert re.fullmatch(r"[0-9a-f]{32}", evil["X-Request-Id"])
    assert Client().get("/account/login/")["X-Request-Id"]


def test_answers_are_not_stored_by_anything_between(agent):
    assert agent.get("me")["Cache-Control"] == "no-store"


# --- Bodies -------------------------------------------------------------------------------------


def gzipped(agent, path, data: bytes, **headers):
    return agent.send("POST", path, data, content_encoding="gzip", **headers)


def test_a_gzip_body_is_read(agent, shop):
    body = gzip.compress(json.dumps({"name": "Squeezed"}).encode())
    assert ok(gzipped(agent, "frames", body), 201)["name"] == "Squeezed"


def test_gzip_in_several_members_is_one_body(agent, shop):
    whole = json.dumps({"name": "Twice"}).encode()
    body = gzip.compress(whole[:7]) + gzip.compress(whole[7:])
    assert ok(gzipped(agent, "frames", body), 201)["name"] == "Twice"


def test_a_bomb_is_given_up_on(agent, shop):
    """50 MB of nothing in 50 kB."""
    bomb = gzip.compress(b'{"name": "' + b" " * 50_000_000 + b'"}', 9)
    assert len(bomb) < 100_000
    assert error_of(gzipped(agent, "frames", bomb)) == (413, "too_large", None)


@pytest.mark.parametrize("cut", [slice(0, -9), slice(0, 5)])
def test_a_cut_off_gzip_body_is_refused(agent, shop, cut):
    body = gzip.compress(json.dumps({"name": "Cut"}).encode())[cut]
    assert error_of(gzipped(agent, "frames", body)) == (400, "invalid", "body")


def test_what_only_says_it_is_gzip_is_refused(agent, shop):
    assert error_of(gzipped(agent, "frames", b'{"name": "x"}')) == (400, "invalid", "body")


def test_another_encoding_is_refused(agent, shop):
    response = agent.send("POST", "frames", b"x", content_encoding="br")
    assert error_of(response) == (415, "unsupported_encoding", "Content-Encoding")


def test_a_body_that_is_too_large_is_refused(agent, shop):
    body = json.dumps({"name": "x", "inputs": {"a": "b" * 1_100_000}}).encode()
    assert error_of(agent.post("frames", body)) == (413, "too_large", None)


def test_every_operation_says_what_it_asks():
    for router in api._get_bound_routers():
        for view in router.path_operations.values():
            for operation in view.operations:
                assert operation.view_func.rules.permission, operation.path
