"""The MCP address as HTTP: methods, hosts and origins, garbage, connections, many at once."""

from __future__ import annotations

import asyncio
import gzip
import json

import pytest

from tests.agents import Refused

LIST = {"jsonrpc": "2.0", "id": 7, "method": "tools/list", "params": {}}
META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}


def call(tool: str, **arguments):
    params = {"name": tool, "arguments": arguments}
    return {"jsonrpc": "2.0", "id": 8, "method": "tools/call", "params": params}


def hello(version: str = "2025-11-25", client: str = "raw client"):
    info = {"name": client, "version": "1"}
    params = {"protocolVersion": version, "capabilities": {}, "clientInfo": info}
    return {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}


@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT", "PATCH", "HEAD", "OPTIONS"])
@pytest.mark.parametrize("key", [None, "bob"])
def test_only_post_is_offered(house, method, key):
    """No stream to listen to, no connection to end: the server keeps none."""
    response = house.post(b"", key, method=method, Mcp_Session_Id="x")
    assert response.status_code == 405
    assert response.headers["Allow"] == "POST"


def test_an_address_that_is_none_is_404(house):
    assert house.post(LIST, "bob", "/mcp/a/b").status_code == 404


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("http://127.0.0.1:9999", 200),
        ("http://localhost", 200),
        ("http://evil.example", 403),
        ("null", 403),
        ("http://[", 403),
        ("", 403),
    ],
)
def test_pages_of_other_origins_are_refused(house, origin, status):
    response = house.post(LIST, Origin=origin)
    assert response.status_code == status
    assert "Access-Control-Allow-Origin" not in response.headers


def test_other_hosts_are_refused(house):
    """DNS rebinding: the name is not ours, though the address is."""
    for path in ("/mcp", "/mcp/api"):
        assert house.post(LIST, path=path, Host="evil.example").status_code == 400


GARBAGE = {
    "nothing": (b"", -32700),
    "half": (b'{"jsonrpc": "2.0", "id": 1', -32700),
    "not UTF-8": (b'{"jsonrpc": "2.0", "id": 1, "method": "\xff\xfe"}', -32700),
    "deep": (b'{"a":' * 100_000, -32700),
    "deep list": (b"[" * 100_000, -32700),
    "a number": (b"12", -32600),
    "null": (b"null", -32600),
    "a batch": (json.dumps([LIST, LIST]).encode(), -32600),
    "an empty batch": (b"[]", -32600),
    "other JSON-RPC": (b'{"jsonrpc": "1.0", "id": 1, "method": "ping"}', -32600),
    "id null": (b'{"jsonrpc": "2.0", "id": null, "method": "ping"}', -32600),
    "params list": (b'{"jsonrpc": "2.0", "id": 1, "method": "ping", "params": []}', -32600),
    "big number": (b'{"jsonrpc": "2.0", "id": 1, "method": "ping", "params": {"a": 1e999}}', None),
    "half a character": (b'{"jsonrpc": "2.0", "id": "\\ud800", "method": "ping"}', None),
    "a form": (b"name=x&y=z", -32700),
}


@pytest.mark.parametrize("name", GARBAGE)
def test_garbage_is_refused_in_the_protocol_s_words(house, name):
    body, code = GARBAGE[name]
    response = house.post(body)
    assert response.status_code in (200, 400)
    assert response.headers["Content-Type"].startswith("application/json")
    if code:
        assert response.status_code == 400
        assert response.json()["error"]["code"] == code


def test_the_server_log_has_no_traceback_of_garbage(house):
    before = len(house.log)
    for body, _ in GARBAGE.values():
        house.post(body)
    assert "Traceback" not in house.log[before:]


def test_unknown_methods_and_revisions(house):
    other = {"jsonrpc": "2.0", "id": 2, "method": "resources/list", "params": {}}
    assert house.post(other).json()["error"]["code"] == -32601
    modern = {**LIST, "params": {"_meta": META}}
    wrong = house.post(modern, MCP_Protocol_Version="2031-01-01", Mcp_Method="tools/list")
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (400, -32022)
    assert "2026-07-28" in wrong.json()["error"]["data"]["supported"]
    mixed = house.post(modern, MCP_Protocol_Version="2026-07-28", Mcp_Method="tools/call")
    assert (mixed.status_code, mixed.json()["error"]["code"]) == (400, -32020)


def test_notifications_are_acknowledged(house):
    note = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    response = house.post(note)
    assert (response.status_code, response.content) == (202, b"")


def test_a_message_too_large_is_said_so(house):
    big = call("append_events", events=[{"type": "note", "payload": "x" * 9_000_000}], frame="x")
    response = house.post(big)
    assert response.status_code == 413
    assert "several parts" in response.json()["error"]["message"]
    zipped = gzip.compress(json.dumps(big).encode())
    assert house.post(zipped, Content_Encoding="gzip").status_code == 413
    assert house.post(gzip.compress(json.dumps(LIST).encode()), Content_Encoding="gzip").json()[
        "result"
    ]


def test_halves_of_characters_do_not_spoil_a_message(house):
    """JavaScript cuts texts in the middle of an emoji, and JSON.stringify writes the half."""
    body = json.dumps(
        call(
            "start_frame", name="Cut \ud83d here, whole \U0001f600", project="api", session="halves"
        )
    ).encode()
    assert b"\\ud83d here" in body
    result = house.post(body).json()["result"]
    assert result["structuredContent"]["frame"]["name"] == "Cut ? here, whole \U0001f600"


def test_a_connection_is_a_run_of_its_own(house):
    """Clients of 2025 get an id to send along; their frames make one stack, others' another."""
    first, second = (house.post(hello()).headers["Mcp-Session-Id"] for _ in range(2))
    assert first != second
    assert first.startswith("raw-client.")
    one = house.post(call("start_frame", name="A", project="api"), Mcp_Session_Id=first)
    two = house.post(call("start_frame", name="B", project="api"), Mcp_Session_Id=second)
    sub = house.post(call("start_frame", name="A1", project="api"), Mcp_Session_Id=first)
    stacks = [r.json()["result"]["structuredContent"] for r in (one, two, sub)]
    assert [[step["name"] for step in each["stack"]] for each in stacks] == [
        ["A"],
        ["B"],
        ["A", "A1"],
    ]
    stack = house.post(call("get_hot_stack"), Mcp_Session_Id=first).json()
    told = stack["result"]["structuredContent"]
    assert told["session"]["client"] == "raw-client"
    assert [each["frame"]["name"] for each in told["stack"]] == ["A", "A1"]
    assert {frame["name"] for frame in told["elsewhere"]} >= {"B"}
    # Another key with the same id is another run.
    other = house.post(call("get_hot_stack"), "alice", Mcp_Session_Id=first).json()
    assert "stack" not in other["result"]["structuredContent"]


def test_without_connections_a_key_and_a_client_are_a_run(house):
    """Clients of 2026 connect to nothing: the key and the client's name tell runs apart."""
    editor = house.agent("alice", path="/mcp/web", name="editor")
    terminal = house.agent("alice", path="/mcp/web", name="terminal")
    editor.call("start_frame", name="In the editor")
    terminal.call("start_frame", name="In the terminal")
    part = editor.call("start_frame", name="Part")
    assert [step["name"] for step in part["stack"]] == ["In the editor", "Part"]
    told = terminal.call("get_hot_stack")
    assert [each["frame"]["name"] for each in told["stack"]] == ["In the terminal"]
    assert told["elsewhere"][0]["name"] == "Part"
    editor.call("close_frame", frame=part["stack"][0]["id"])
    terminal.call("close_frame")


def test_a_run_is_named_by_our_id_or_its_own(house):
    agent = house.agent("bob")
    named = agent.call("start_frame", name="Named", project="api", session="run-77")
    again = agent.call("start_frame", name="Again", session=named["session"])
    assert again["session"] == named["session"]
    assert len(again["stack"]) == 2
    told = agent.call("get_hot_stack", session="run-77")
    assert told["session"] == told["session"] | {"id": named["session"], "source_id": "run-77"}
    with pytest.raises(Refused) as refused:
        agent.call("list_frames", session="run-78")
    assert (refused.value.code, refused.value.field) == ("not_found", "session")
    assert "run-77" in refused.value.choices
    with pytest.raises(Refused, match="another project"):
        agent.call("start_frame", name="x", project="web", session=named["session"])


def test_twenty_at_once(house):
    """Twenty calls in one session: none is lost, none fails, one id makes one frame."""
    project = house.new_project()
    agent = house.agent("bob", path=f"/mcp/{project}")

    async def work(connection):
        top = await connection.call("start_frame", name="Top", session="many")
        frame = top["frame"]["id"]
        same = [
            connection.call("start_frame", name="Same", source_id="same", session=f"s{n % 3}")
            for n in range(10)
        ]
        events = [
            connection.call(
                "append_events",
                frame=frame,
                events=[{"type": "note", "payload": n, "source_id": f"e{n}-{m}"} for m in range(5)],
            )
            for n in range(10)
        ]
        done = await asyncio.gather(*same, *events)
        assert len({answer["frame"]["id"] for answer in done[:10]}) == 1
        assert sum(answer["made"] for answer in done[:10]) == 1
        assert sum(answer["created"] for answer in done[10:]) == 50
        mixed = await asyncio.gather(
            *(connection.call("start_frame", name=f"f{n}", session=f"own{n}") for n in range(10)),
            *(connection.call("get_frame", frame=frame) for _ in range(10)),
        )
        assert len({answer["frame"]["id"] for answer in mixed[:10]}) == 10
        assert (await connection.call("get_frame", frame=frame))["frame"]["event_count"] == 50
        listed = await connection.call("list_frames", limit=100)
        assert len(listed["frames"]) == 12

    agent.run(work)
