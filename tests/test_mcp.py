"""Every MCP tool, by the official SDK's client over a socket, in four revisions of the protocol."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest

from frames.models import Project
from tests.access import TOOLS
from tests.agents import Agent, Connection, Refused, text_of
from workspaces import api_keys

NEWEST = "2026-07-28"
OLDER = ("2025-11-25", "2025-06-18", "2025-03-26")
SECRET = "AKIAQYLPMN5HHHFPZAM2"


@pytest.fixture(params=[NEWEST, *OLDER])
def mode(request, monkeypatch):
    """How the SDK's client connects so that the revision is spoken."""
    if request.param == NEWEST:
        return "auto"
    monkeypatch.setattr("mcp.client.session.LATEST_HANDSHAKE_VERSION", request.param)
    return "legacy"


@pytest.fixture
def revision(request, mode):
    return request.node.callspec.params["mode"]


async def tour(connection: Connection, project: str, *, to: str) -> None:
    """A piece of work with every tool; `connection.call` checks results against their schemas."""
    called: list[str] = []

    async def call(tool, **arguments):
        called.append(tool)
        return await connection.call(tool, **arguments)

    top = await call(
        "start_frame", name="Make login quicker", project=project, constraints=["no new tables"]
    )
    assert (top["made"], top["frame"]["depth"], top["frame"]["project"]) == (True, 0, project)
    session, frame = top["session"], top["frame"]["id"]
    here = {"session": session}
    part = await call("start_frame", name="Find what is slow", type="debug", **here)
    assert part["frame"]["parent"] == frame
    assert [step["name"] for step in part["stack"]] == ["Make login quicker", "Find what is slow"]
    appended = await call(
        "append_events",
        events=[
            {"type": "user_message", "payload": {"text": f"Login is slow, try {SECRET}"}},
            {
                "type": "tool_call",
                "payload": {
                    "tool_name": "Bash",
                    "tool_use_id": "u1",
                    "tool_input": {"command": "pytest"},
                },
            },
            {
                "type": "tool_result",
                "payload": {"tool_name": "Bash", "tool_use_id": "u1", "error": "1 failed"},
            },
        ],
        **here,
    )
    assert (appended["created"], appended["outcomes"][0]["redactions"]) == (3, 1)
    anchor = await call("add_anchor", type="risk", text="The index is missing", priority=9, **here)
    assert (anchor["anchor"]["type"], anchor["anchor"]["priority"]) == ("RISK", 9)
    decision = await call("add_decision", content="Index on (user, seen)", **here)
    assert decision["anchor"]["type"] == "DECISION"
    task = (await call("create_task", title="Add the index", priority="high", **here))["task"]
    done = await call(
        "update_task_status", task=task["id"], status="completed", reason="it was quick"
    )
    assert (done["before"], done["task"]["status"], "event" in done) == (
        "pending",
        "completed",
        True,
    )
    await call("create_task", title="Tell the others", **here)
    tasks = await call("get_active_tasks", project=project, search="tell others")
    assert [each["title"] for each in tasks["tasks"]] == ["Tell the others"]
    metrics = await call("get_task_metrics", project=project)
    assert metrics["by_status"] == {"completed": 1, "pending": 1}
    stack = await call("get_hot_stack", **here)
    assert [each["frame"]["name"] for each in stack["stack"]] == [
        "Make login quicker",
        "Find what is slow",
    ]
    assert stack["stack"][0]["inputs"] == {"constraints": ["no new tables"]}
    assert [a["type"] for a in stack["stack"][1]["anchors"]] == ["RISK", "DECISION"]
    assert len(stack["events"]) == 4
    timeline = await call("get_timeline", frame=part["frame"]["id"], order="oldest")
    assert [e["type"] for e in timeline["events"]] == [
        "user_message", "tool_call", "tool_result", "task_status",
    ]  # fmt: skip
    assert SECRET not in str(timeline)
    closed = await call("close_frame", result="The index was missing.", **here)
    assert (closed["was_open"], closed["now"]["id"]) == (True, frame)
    assert closed["digest"]["decisions"] == ["Index on (user, seen)"]
    offer = await call("hand_off", to=to, message="Please finish.", **here)
    assert (offer["state"], offer["to"], offer["frame"]["id"]) == ("pending", to, frame)
    whole = await call("get_frame", frame=part["frame"]["id"])
    assert whole["outputs"] == {"result": "The index was missing."}
    assert [step["id"] for step in whole["path"]] == [frame]
    listed = await call("list_frames", session=session, state="closed")
    assert [each["id"] for each in listed["frames"]] == [part["frame"]["id"]]
    for name in ("search", "sm_search"):
        found = await call(name, query="index", project=project)
        assert found["total"] >= len(found["results"])  # its documents may follow later, in a job
    context = await call("get_context", budget=600, **here)
    assert (context["session"], context["project"]) == (session, project)
    assert context["tokens"] <= context["budget"] == 600
    assert frame in [item["id"] for item in context["items"]]
    again = await call("get_context", id=context["id"])
    assert again == context
    with pytest.raises(Refused, match="no such thing"):
        await call("fetch", id=str(uuid4()))
    assert set(called) == {tool.name for tool in (await connection.client.list_tools()).tools}


def test_every_tool_in_every_revision(house, mode, revision):
    agent = house.agent("alice", mode=mode)
    project = house.new_project()

    async def work():
        async with agent.connected() as connection:
            assert connection.client.protocol_version == revision
            assert "call stack of frames" in connection.client.instructions
            await tour(connection, project, to="bob@example.com")

    asyncio.run(work())


@pytest.mark.django_db(transaction=True)
def test_every_tool_on_the_synchronous_server(live_server, acme, alice, bob):
    Project.unscoped.create(workspace=acme, slug="api", name="Api")
    _, key = api_keys.create(workspace=acme, name="k", scopes=["read", "write"], actor=bob)
    agent = Agent(f"{live_server.url}/mcp", key)
    agent.run(lambda connection: tour(connection, "api", to=alice.email))


def test_tools_say_what_they_are(house):
    tools = house.agent("bob").tools()
    assert set(tools) == set(TOOLS)
    for name, tool in tools.items():
        assert tool.annotations.read_only_hint is (TOOLS[name] == "read")
    for tool in tools.values():
        assert tool.title
        assert 20 < len(tool.description) < 400
        assert tool.annotations.destructive_hint is False
        assert tool.annotations.open_world_hint is False
        assert tool.output_schema["properties"]
        assert tool.input_schema["additionalProperties"] is False
    again = {n for n, tool in tools.items() if tool.annotations.idempotent_hint}
    assert {n for n in again if TOOLS[n] == "write"} == {"close_frame", "update_task_status"}


def test_words_are_short_and_have_the_ids(house):
    agent = house.agent("bob", path="/mcp/web")

    async def work(connection):
        result = await connection.ask("start_frame", name="Words", session="words")
        frame = result.structured_content["frame"]["id"]
        assert text_of(result).startswith(f"Started frame {frame} “Words” (task, open")
        await connection.call(
            "append_events", session="words", events=[{"type": "note", "payload": "x" * 5000}]
        )
        stack = await connection.ask("get_hot_stack", session="words")
        assert frame in text_of(stack)
        assert len(text_of(stack)) < 1500
        line = text_of(await connection.ask("list_frames", session="words"))
        assert line.startswith(f"{frame} “Words” (task, open, 1 events)")
        await connection.call("close_frame", session="words")

    agent.run(work)


def test_names_of_the_local_tools_are_understood(house):
    """Arguments as the local StackMemory's tools have them, and as models write them."""
    agent = house.agent("bob", path="/mcp/web")

    async def work(connection):
        here = {"session": "local-names"}
        await connection.call(
            "start_frame", name="N", type="task", constraints='["a", "b"]', **here
        )
        first = await connection.call("create_task", title="One", estimatedEffort="30", **here)
        assert first["task"]["estimated_minutes"] == 30
        ids = [first["task"]["id"]]
        second = await connection.call(
            "create_task", title="Two", dependsOn=ids, frame=None, **here
        )
        assert second["task"]["depends_on"] == ids
        moved = await connection.call("update_task_status", taskId=ids[0], newStatus="in_progress")
        assert moved["task"]["status"] == "in_progress"
        stack = await connection.call("get_hot_stack", maxEvents=1, **here)
        assert stack["stack"][0]["inputs"] == {"constraints": ["a", "b"]}
        of_frame = await connection.call(
            "get_active_tasks", frameId=stack["stack"][0]["frame"]["id"]
        )
        assert [task["title"] for task in of_frame["tasks"]] == ["Two", "One"]
        await connection.call("close_frame", **here)

    agent.run(work)
