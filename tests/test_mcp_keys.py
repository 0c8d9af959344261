"""What each kind of key may do over MCP, and that it reaches nothing else."""

from __future__ import annotations

import pytest
from mcp.shared.exceptions import MCPError

from tests.access import TOOLS
from tests.agents import Refused

HELLO = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
# Every tool's arguments that name something, with what they need besides.
NAMING = {
    "start_frame": [{"name": "n", "parent": "frame"}, {"name": "n", "project": "project"}],
    "close_frame": [{"frame": "frame"}],
    "get_hot_stack": [{"project": "project"}],
    "add_anchor": [
        {"type": "FACT", "text": "t", "frame": "frame"},
        {"type": "FACT", "text": "t", "supersedes": "anchor", "project": "own"},
        {"type": "FACT", "text": "t", "project": "project"},
    ],
    "add_decision": [
        {"content": "c", "frame": "frame"},
        {"content": "c", "supersedes": "anchor", "project": "own"},
        {"content": "c", "project": "project"},
    ],
    "append_events": [
        {"events": [{"type": "t"}], "frame": "frame"},
        {"events": [{"type": "t", "frame": "frame"}]},
    ],
    "list_frames": [{"parent": "frame"}, {"session": "session"}, {"project": "project"}],
    "get_frame": [{"frame": "frame"}],
    "get_timeline": [{"frame": "frame"}, {"event": "event"}],
    "create_task": [
        {"title": "t", "frame": "frame"},
        {"title": "t", "depends_on": ["task"], "project": "own"},
        {"title": "t", "project": "project"},
    ],
    "update_task_status": [{"task": "task", "status": "completed"}],
    "get_active_tasks": [{"frame": "frame"}, {"project": "project"}, {"cursor": "task"}],
    "get_task_metrics": [{"project": "project"}],
    "hand_off": [{"to": "charlie@example.com", "frame": "frame"}],
    "search": [{"query": "Ours", "project": "project"}],
    "sm_search": [{"query": "Ours", "project": "project"}],
    "get_context": [{"query": "Ours", "project": "project"}, {"id": "frame"}],
    "fetch": [{"id": "frame"}, {"id": "event"}, {"id": "anchor"}, {"id": "task"}],
}
TABLES = (
    "frames_frame", "frames_event", "frames_anchor", "frames_task", "frames_agentsession",
    "frames_handoff", "frames_revision",
)  # fmt: skip


@pytest.fixture(scope="module")
def things(house):
    """One of everything in acme's project api, by name."""
    bob = house.agent("bob", path="/mcp/api")

    async def work(connection):
        session = {"session": "things"}
        frame = await connection.call("start_frame", name="Ours", **session)
        events = await connection.call(
            "append_events", events=[{"type": "note", "payload": "ours"}], **session
        )
        anchor = await connection.call("add_anchor", type="FACT", text="Ours", **session)
        task = await connection.call("create_task", title="Ours", **session)
        return {
            "project": "api",
            "session": frame["session"],
            "frame": frame["frame"]["id"],
            "event": events["outcomes"][0]["id"],
            "anchor": anchor["anchor"]["id"],
            "task": task["task"]["id"],
        }

    return bob.run(work)


def rows(house) -> dict[str, int]:
    return {table: house.count(f"SELECT count(*) FROM {table}") for table in TABLES}


@pytest.mark.parametrize("key", [None, "nonsense", "expired", "revoked", "cut", "altered"])
def test_without_a_usable_key_nobody_gets_in(house, key):
    bob = house.keys["bob"]
    text = {"cut": bob[:-1], "altered": bob[:20] + ("a" if bob[20] != "a" else "b") + bob[21:]}
    for path in ("/mcp", "/mcp/api", "/mcp/nothing"):
        response = house.post(HELLO, text.get(key, key), path)
        assert response.status_code == 401
        challenge = response.headers["WWW-Authenticate"]
        assert challenge.startswith('Bearer realm="StackMemory"')
        assert ("invalid_token" in challenge) == (key is not None)
        error = response.json()["error"]
        assert error["data"]["code"] == "unauthenticated"
        assert "Authorization: Bearer" in error["message"]


def test_other_schemes_are_no_key(house):
    for header in ("Basic Ym9iOmJvYg==", house.keys["bob"], "Bearer"):
        assert house.post(HELLO, None, Authorization=header).status_code == 401


def test_a_key_whose_maker_left_is_refused(house):
    response = house.post(HELLO, "gone")
    assert response.status_code == 403
    assert response.json()["error"]["data"]["code"] == "forbidden"


# viola's key has the scope to write, but she may not write herself.
MAY = {"alice": "write", "bob": "write", "project": "write", "robot": "write", "charlie": "write",
       "reader": "read", "viola": "read"}  # fmt: skip


@pytest.mark.parametrize("key", MAY)
def test_a_key_sees_and_calls_the_tools_that_it_may(house, things, key):
    agent = house.agent(key)
    mine = {tool for tool, needs in TOOLS.items() if needs in ("read", MAY[key])}
    assert set(agent.tools()) == mine
    before = rows(house)

    async def work(connection):
        for tool in TOOLS:
            if tool in mine:  # with an argument that none has, so that nothing is done
                with pytest.raises(Refused, match="unknown field"):
                    await connection.call(tool, nonsense=1)
            else:
                with pytest.raises(MCPError, match="Unknown tool"):
                    await connection.call(tool, name="n", project="api", frame=things["frame"])

    agent.run(work)
    assert rows(house) == before


@pytest.mark.parametrize("tool", TOOLS)
def test_no_tool_is_called_without_a_usable_key(house, things, tool):
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool}}
    before = rows(house)
    for key in (None, "sm_nonsense", "expired", "revoked"):
        assert house.post(message, key).status_code == 401
    assert house.post(message, "gone").status_code == 403
    assert rows(house) == before


def test_every_naming_argument_is_tried(house):
    """A new tool, or a new argument that names something, needs a line above."""
    naming = {"frame", "parent", "event", "task", "supersedes", "depends_on", "project", "session"}
    tools = house.agent("alice").tools()
    assert set(NAMING) == set(tools)
    for name, tool in tools.items():
        tried = {argument for attempt in NAMING[name] for argument in attempt}
        # Sessions of others: on writing, their id is just a name for one of one's own.
        left = set(tool.input_schema["properties"]) & naming - tried - {"session", "project"}
        assert not left, f"{name}: {left}"


@pytest.mark.parametrize("tool", sorted(NAMING))
def test_another_team_s_things_are_not_found(house, things, tool):
    """charlie of globex, with acme's ids in every position; nothing is written or told."""
    agent, before = house.agent("charlie"), rows(house)

    async def work(connection):
        for attempt in NAMING[tool]:
            with pytest.raises(Refused) as refused:
                await connection.call(tool, **_aimed(attempt, things, own="ledger"))
            wrong = refused.value
            assert (wrong.code, tool) in {
                ("not_found", tool), ("invalid", "get_active_tasks"),
            }  # fmt: skip
            assert "Ours" not in str(wrong) + str(wrong.choices)
            assert "api" not in wrong.choices

    agent.run(work)
    assert rows(house) == before


@pytest.mark.parametrize("tool", sorted(NAMING))
def test_a_project_s_key_reaches_its_project_alone(house, things, tool):
    """The key is for api; here everything it aims at is in web."""
    theirs = _in_web(house)
    agent, before = house.agent("project"), rows(house)

    async def work(connection):
        for attempt in NAMING[tool]:
            with pytest.raises(Refused) as refused:
                await connection.call(tool, **_aimed(attempt, theirs, own="api"))
            assert refused.value.code == "not_found" or refused.value.field == "cursor"
            assert "web" not in refused.value.choices

    agent.run(work)
    assert rows(house) == before


def _aimed(attempt, things, *, own):
    """The attempt with real ids in it."""

    def real(value):
        if isinstance(value, list):
            return [real(item) for item in value]
        if isinstance(value, dict):
            return {key: real(item) for key, item in value.items()}
        return things.get(value, value) if value != "own" else own

    return {name: real(value) for name, value in attempt.items()}


def _in_web(house):
    if "web things" not in house.ids:

        async def work(connection):
            frame = await connection.call("start_frame", name="Web", session="web-things")
            events = await connection.call(
                "append_events", events=[{"type": "note"}], session="web-things"
            )
            anchor = await connection.call(
                "add_anchor", type="FACT", text="W", session="web-things"
            )
            task = await connection.call("create_task", title="W", session="web-things")
            return {
                "project": "web",
                "session": frame["session"],
                "frame": frame["frame"]["id"],
                "event": events["outcomes"][0]["id"],
                "anchor": anchor["anchor"]["id"],
                "task": task["task"]["id"],
            }

        house.ids["web things"] = house.agent("bob", path="/mcp/web").run(work)
    return house.ids["web things"]


def test_the_project_comes_from_key_address_or_argument(house):
    started = house.agent("project").call("start_frame", name="By key", session="p1")
    assert started["frame"]["project"] == "api"
    started = house.agent("bob", path="/mcp/web").call("start_frame", name="By URL", session="p2")
    assert started["frame"]["project"] == "web"
    started = house.agent("bob").call(
        "start_frame", name="By argument", session="p3", project="web"
    )
    assert started["frame"]["project"] == "web"
    started = house.agent("charlie").call("start_frame", name="The only one", session="p4")
    assert started["frame"]["project"] == "ledger"
    with pytest.raises(Refused) as refused:
        house.agent("bob").call("start_frame", name="Which?", session="p5")
    assert (refused.value.code, refused.value.field) == ("project_needed", "project")
    assert {"api", "web"} <= set(refused.value.choices)
    with pytest.raises(Refused) as refused:
        house.agent("bob", path="/mcp/web").call("list_frames", project="api")
    assert refused.value.choices == ["web"]


@pytest.mark.parametrize(("key", "slug"), [("bob", "ledger"), ("project", "web"), ("bob", "none")])
def test_an_address_of_a_project_one_cannot_see_is_none(house, key, slug):
    response = house.post(HELLO, key, f"/mcp/{slug}")
    assert response.status_code == 404
    told = response.json()["error"]["data"]
    assert (told["code"], told["field"]) == ("not_found", "project")
    assert "ledger" not in told["choices"]


def test_private_frames_are_their_owner_s(house):
    bob, alice = house.agent("bob", path="/mcp/api"), house.agent("alice", path="/mcp/api")
    private = bob.call("start_frame", name="Doubts", visibility="private", session="private")
    frame, session = private["frame"]["id"], private["session"]
    assert private["frame"]["visibility"] == "private"
    below = bob.call("start_frame", name="Deeper doubts", session="private")
    assert below["frame"]["visibility"] == "private"
    bob.call("append_events", session="private", events=[{"type": "note", "payload": "hm"}])
    assert [f["frame"]["name"] for f in bob.call("get_hot_stack", session="private")["stack"]] == [
        "Doubts", "Deeper doubts",
    ]  # fmt: skip
    assert "stack" not in alice.call("get_hot_stack", session=session)
    assert alice.call("list_frames", session=session)["frames"] == []
    for tool in ("get_frame", "get_timeline", "close_frame"):
        with pytest.raises(Refused) as refused:
            alice.call(tool, frame=frame)
        assert refused.value.code == "not_found"
    with pytest.raises(Refused, match="belongs to nobody"):
        house.agent("robot").call("start_frame", name="x", project="api", visibility="private")
