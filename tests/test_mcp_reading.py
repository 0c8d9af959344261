"""Reading over MCP is layered and bounded: pages, cursors, cut payloads, few queries."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.db import connection as database
from django.test import Client
from django.test.utils import CaptureQueriesContext

from frames.models import Project
from workspaces import api_keys

MOST_CHARS = 60_000


@pytest.fixture(scope="module")
def agent(house):
    return house.agent("bob", path=f"/mcp/{house.new_project()}")


def all_pages(agent, tool, what, **arguments):
    """Everything, page by page, and how many pages it took."""
    found, cursor, pages = [], "", 0
    while True:
        answer = agent.call(tool, cursor=cursor, **arguments)
        found += answer[what]
        pages += 1
        cursor = answer.get("next")
        if cursor is None:
            return found, pages


def test_frames_page_by_page(agent):
    async def make(connection):
        for n in range(7):
            await connection.call("start_frame", name=f"f{n}", session=f"pages-{n % 2}")

    agent.run(make)
    frames, pages = all_pages(agent, "list_frames", "frames", limit=3)
    assert ([f["name"] for f in frames], pages) == ([f"f{n}" for n in range(6, -1, -1)], 3)
    roots = agent.call("list_frames", parent="none")["frames"]
    assert [f["name"] for f in roots] == ["f1", "f0"]
    below = agent.call("list_frames", parent=roots[1]["id"])["frames"]
    assert [f["name"] for f in below] == ["f2"]
    agent.call("close_frame", frame=roots[0]["id"])
    assert {f["name"] for f in agent.call("list_frames", state="closed")["frames"]} == {
        "f1", "f3", "f5",
    }  # fmt: skip
    open_ones, _ = all_pages(agent, "list_frames", "frames", state="active", limit=1)
    assert [f["name"] for f in open_ones] == ["f6", "f4", "f2", "f0"]
    assert agent.call("list_frames", mine=True, type="task", limit=100)["frames"]
    assert agent.call("list_frames", type="debug")["frames"] == []


def test_a_timeline_both_ways(agent):
    events = [{"type": "note" if n % 3 else "error", "payload": {"n": n}} for n in range(23)]
    frame = agent.call("start_frame", name="Long", session="long")["frame"]["id"]
    agent.call("append_events", frame=frame, events=events)
    newest, pages = all_pages(agent, "get_timeline", "events", frame=frame, limit=10)
    assert ([e["payload"]["n"] for e in newest], pages) == (list(range(22, -1, -1)), 3)
    oldest, _ = all_pages(agent, "get_timeline", "events", frame=frame, limit=7, order="oldest")
    assert [e["payload"]["n"] for e in oldest] == list(range(23))
    assert [e.get("is_error", False) for e in oldest[:2]] == [True, False]
    failed = agent.call("get_timeline", frame=frame, errors=True, limit=100)["events"]
    assert {e["type"] for e in failed} == {"error"}
    notes = agent.call("get_timeline", frame=frame, types=["note"], limit=100)["events"]
    assert len(notes) + len(failed) == 23
    assert agent.call("get_timeline", frame=frame, types=["a\x00b"])["events"] == []


def test_large_payloads_are_cut_and_one_can_be_had_whole(agent):
    big = {"text": "word " * 10_000}
    frame = agent.call("start_frame", name="Big", session="big")["frame"]["id"]
    answer = agent.call(
        "append_events",
        frame=frame,
        events=[{"type": "note", "payload": big}] * 30 + [{"type": "note", "payload": {"n": 1}}],
    )
    page = agent.call("get_timeline", frame=frame)
    assert len(page["events"]) == 31
    assert page["events"][0]["payload"] == {"n": 1}
    assert page["events"][1]["cut"] is True
    assert page["events"][1]["payload"] == json.dumps(big, separators=(",", ":"))[:500]
    assert len(json.dumps(page)) < MOST_CHARS
    wide = agent.call("get_timeline", frame=frame, max_chars=16_000)
    assert len(wide["events"]) < 10
    assert len(json.dumps(wide)) < MOST_CHARS
    rest, pages = all_pages(agent, "get_timeline", "events", frame=frame, max_chars=16_000)
    assert (len(rest), pages > 5) == (31, True)
    one = agent.call("get_timeline", event=answer["outcomes"][0]["id"])["events"]
    assert [e["payload"] for e in one] == [big]
    # More than a row holds: a preview, how long it is, and where all of it is.
    huge = {"text": "word " * 20_000, "file": "till.py"}
    appended = agent.call("append_events", frame=frame, events=[{"type": "note", "payload": huge}])
    key = appended["outcomes"][0]["id"]
    (shown,) = agent.call("get_timeline", frame=frame, limit=1, max_chars=16_000)["events"]
    assert (shown["cut"], shown["octets"]) == (True, len(json.dumps(huge, separators=(",", ":"))))
    assert json.loads(shown["payload"])["file"] == "till.py"
    assert shown["rest"] == f"get_timeline(event={key})"
    (one,) = agent.call("get_timeline", event=key)["events"]
    assert one["payload"].startswith('{"text":"word word')
    assert (one["cut"], one["rest"]) == (True, f"GET /api/v1/events/{key}")
    assert len(agent.words("get_hot_stack", session="big")) < 5_000


def test_what_frames_hold_is_bounded(agent):
    big = {"log": "x" * 100_000}
    started = agent.call("start_frame", name="n" * 500, inputs=big, session="bounded")
    frame = started["frame"]["id"]

    async def fill(connection):
        for n in range(25):
            await connection.call(
                "add_anchor", type="FACT", text=f"{n} " + "y" * 15_000, frame=frame
            )
            await connection.call("start_frame", name=f"child {n}", parent=frame, session="bounded")

    agent.run(fill)
    agent.call("close_frame", frame=frame, outputs=big, result="z" * 20_000)
    whole = agent.call("get_frame", frame=frame)
    assert isinstance(whole["inputs"], str)
    assert isinstance(whole["outputs"], str)
    assert (len(whole["anchors"]), len(whole["children"])) == (20, 20)
    assert (whole["frame"]["anchor_count"], whole["frame"]["child_count"]) == (25, 25)
    assert len(json.dumps(whole)) < 2 * MOST_CHARS
    assert len(agent.words("get_frame", frame=frame)) < 25_000


def test_tasks_most_urgent_first(agent):
    async def make(connection):
        for n, priority in enumerate(["low", "urgent", "medium", "high", "urgent", "medium"]):
            await connection.call("create_task", title=f"t{n}", priority=priority)

    agent.run(make)
    tasks, pages = all_pages(agent, "get_active_tasks", "tasks", limit=2)
    assert ([t["title"] for t in tasks], pages) == (["t4", "t1", "t3", "t5", "t2", "t0"], 3)
    agent.call("update_task_status", task=tasks[0]["id"], status="completed")
    agent.call("update_task_status", task=tasks[1]["id"], status="in_progress")
    left = agent.call("get_active_tasks", status="in_progress")["tasks"]
    assert [t["title"] for t in left] == ["t1"]
    medium = agent.call("get_active_tasks", priority="medium", search="T")["tasks"]
    assert [t["title"] for t in medium] == ["t5", "t2"]


@pytest.fixture
def tool(acme, bob):
    """tool(name, **arguments) in this process: (result, number of queries)."""
    Project.unscoped.create(workspace=acme, slug="api", name="Api")
    _, key = api_keys.create(workspace=acme, name="k", scopes=["read", "write"], actor=bob)
    client = Client(headers={"Authorization": f"Bearer {key}"})
    client.post("/mcp", {}, content_type="application/json")  # notes the key's use of this minute

    def call(name: str, /, **arguments: Any) -> tuple[Any, int]:
        params = {"name": name, "arguments": arguments}
        message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
        with CaptureQueriesContext(database) as queries:
            response = client.post("/mcp", message, content_type="application/json")
        result = response.json()["result"]
        assert not result["isError"], result
        scopes = ("SAVEPOINT", "set_config")
        asked = [q for q in queries if not any(word in q["sql"] for word in scopes)]
        return result["structuredContent"], len(asked)

    return call


def test_reading_takes_few_queries_whatever_the_size(tool):
    top, _ = tool("start_frame", name="Top", session="s")
    frame = top["frame"]["id"]
    for n in range(12):
        tool("start_frame", name=f"deep {n}", session="s")
        tool("start_frame", name=f"wide {n}", parent=frame, session="other")
        tool("add_anchor", type="FACT", text=f"a{n}", session="s")
        tool("create_task", title=f"t{n}", session="s")
        tool("append_events", frame=frame, events=[{"type": "note", "payload": n}] * 5)
    for name, arguments in {
        "get_hot_stack": {"session": "s"},
        "list_frames": {"limit": 100},
        "get_frame": {"frame": frame},
        "get_timeline": {"frame": frame, "limit": 100},
        "get_active_tasks": {"limit": 100},
        "get_task_metrics": {},
    }.items():
        _, queries = tool(name, **arguments)
        assert queries <= 12, f"{name}: {queries} queries"
