"""A working day as it goes: an agent's hooks and tools, a crash, a resume; then people read it.

The hooks are JSON as Claude Code sends it, the tools are called with the official MCP client, the
pages are read by two people who log in; all of it over sockets, with a server as in production.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from tests.agents import PATIENCE, House
from tests.cast import PASSWORD

SESSION = "7c1e0f52-3a4b-4f0e-9d57-0b6f1c2a9e11"
SECRET = "AKIAQYLPMN5HHHFPZAM2"
PROMPT = "Uploads over 5 MB fail since Friday. Find out why and fix it."


class ClaudeCode:
    """One run of the client on bob's machine: what its hooks post."""

    def __init__(self, house: House, project: str) -> None:
        self.house, self.project, self.prompt, self.agent = house, project, "", ""

    def hook(self, event: str, **fields: Any) -> dict[str, Any]:
        body = {
            "session_id": SESSION,
            "transcript_path": f"/home/bob/.claude/projects/{self.project}/{SESSION}.jsonl",
            "cwd": f"/home/bob/code/{self.project}",
            "permission_mode": "default",
            "hook_event_name": event,
            **({"prompt_id": self.prompt} if self.prompt else {}),
            **({"agent_id": self.agent, "agent_type": "Explore"} if self.agent else {}),
            **fields,
        }
        response = self.house.post(body, "bob", "/api/v1/hooks/claude-code")
        assert response.status_code == 200, response.text
        return dict(response.json())

    def call(self, tool: str, use: str, given: dict[str, Any]) -> None:
        self.hook("PreToolUse", tool_name=tool, tool_use_id=use, tool_input=given)

    def result(self, tool: str, use: str, given: dict[str, Any], response: Any) -> None:
        fields = {"tool_name": tool, "tool_use_id": use, "tool_input": given}
        if isinstance(response, Exception):
            self.hook("PostToolUseFailure", **fields, error=str(response), duration_ms=812)
        else:
            self.hook("PostToolUse", **fields, tool_response=response, duration_ms=812)

    def used(self, tool: str, use: str, given: dict[str, Any], response: Any) -> None:
        self.call(tool, use, given)
        self.result(tool, use, given, response)


@pytest.fixture(scope="module")
def day(house: House) -> dict[str, Any]:
    """The whole day; what the tools answered on the way."""
    project = house.new_project()
    client = ClaudeCode(house, project)
    tools = house.agent("bob", path=f"/mcp/{project}", name="claude-code")
    here = {"session": SESSION}
    seen: dict[str, Any] = {"project": project}

    assert client.hook("SessionStart", source="startup", model="opus") == {}
    client.prompt = "prompt-1"
    client.hook("UserPromptSubmit", prompt=PROMPT)
    seen["begun"] = tools.call("get_hot_stack", **here)

    cause = tools.call("start_frame", name="Find why uploads fail", type="debug", **here)
    seen["cause"] = cause
    client.used("Grep", "use-1", {"pattern": "MAX_UPLOAD"}, {"matches": ["settings.py:40"]})
    client.used("Bash", "use-2", {"command": "pytest tests/test_upload.py"}, RuntimeError("exit 1"))
    spec = {
        "description": "Who reads the limit?",
        "prompt": "List them.",
        "subagent_type": "Explore",
    }
    client.call("Agent", "use-3", spec)
    client.agent = "agent-1"
    client.hook("SubagentStart")
    client.used("Read", "use-4", {"file_path": "proxy.conf"}, {"file": {"content": "5m;"}})
    client.hook("SubagentStop", stop_hook_active=False, last_assistant_message="The proxy, too.")
    client.agent = ""
    client.result(
        "Agent", "use-3", spec, {"content": [{"type": "text", "text": "The proxy, too."}]}
    )
    found = [
        {
            "type": "observation",
            "payload": {"text": f"The proxy logs 413, key {SECRET}"},
            "source_id": "o1",
        },
        {"type": "observation", "payload": {"text": "Its limit is 5 MB"}, "source_id": "o2"},
    ]
    assert tools.call("append_events", events=found, **here)["created"] == 2
    assert tools.call("append_events", events=found, **here)["duplicate"] == 2  # asked again
    tools.call("add_anchor", type="FACT", text="The proxy refuses bodies over 5 MB", **here)
    seen["task"] = tools.call(
        "create_task", title="Raise the proxy's limit", priority="high", **here
    )

    # The machine dies while a command runs: nothing is closed, nobody says goodbye.
    client.call("Bash", "use-5", {"command": "make deploy-staging"})
    seen["left"] = house.count("SELECT count(*) FROM frames_event")

    # Another run of bob's sees what was left; then the first one is resumed.
    other = tools.call("get_hot_stack", session="another-run")
    seen["elsewhere"] = [frame["name"] for frame in other["elsewhere"]]
    client.prompt = ""
    seen["context"] = client.hook("SessionStart", source="resume", model="opus")
    seen["resumed"] = tools.call("get_hot_stack", **here)
    closed = tools.call(
        "close_frame", frame=cause["frame"]["id"], result="The proxy's limit.", **here
    )
    seen["closed"] = closed

    client.prompt = "prompt-2"
    client.hook("UserPromptSubmit", prompt="Go on: raise it to 50 MB.")
    fix = tools.call("start_frame", name="Raise the limit", constraints=["staging first"], **here)
    tools.call("update_task_status", task=seen["task"]["task"]["id"], status="in_progress")
    client.used("Edit", "use-6", {"file_path": "proxy.conf"}, {"ok": True})
    client.used("Bash", "use-7", {"command": "pytest"}, {"stdout": "212 passed"})
    tools.call("add_decision", content="50 MB at the proxy, 40 MB in the application", **here)
    tools.call(
        "update_task_status", task=seen["task"]["task"]["id"], status="completed", reason="Works"
    )
    tools.call("close_frame", frame=fix["frame"]["id"], result="Raised.", **here)
    client.hook("Stop", stop_hook_active=False, last_assistant_message="Uploads work again.")
    client.hook("SessionEnd", reason="prompt_input_exit")
    seen["ended"] = tools.call("list_frames", session=SESSION, limit=50)["frames"]
    seen["after"] = tools.call("get_hot_stack", **here)
    return seen


def test_hooks_and_tools_share_one_stack(day):
    root, prompt = (each["frame"] for each in day["begun"]["stack"])
    assert (root["type"], prompt["name"]) == ("session", PROMPT)
    assert [step["name"] for step in day["cause"]["stack"]][1:] == [PROMPT, "Find why uploads fail"]
    assert day["begun"]["session"]["source_id"] == SESSION
    assert day["begun"]["session"]["client"] == "claude-code"


def test_a_crash_leaves_the_stack_and_a_resume_finds_it(day):
    assert "Find why uploads fail" in day["elsewhere"]
    names = [each["frame"]["name"] for each in day["resumed"]["stack"]]
    assert names[1:] == [PROMPT, "Find why uploads fail"]
    assert [a["text"] for a in day["resumed"]["stack"][2]["anchors"]] == [
        "The proxy refuses bodies over 5 MB"
    ]
    assert day["resumed"]["session"]["id"] == day["begun"]["session"]["id"]
    assert day["closed"]["now"]["name"] == PROMPT
    assert day["closed"]["digest"]["outcome"] == "done"


def test_in_the_end_all_is_closed_and_in_its_place(day):
    tree = {frame["name"]: frame for frame in day["ended"]}
    assert {frame["state"] for frame in day["ended"]} == {"closed"}
    assert "stack" not in day["after"]
    above = {name: _parent(day["ended"], frame) for name, frame in tree.items()}
    root = next(name for name, parent in above.items() if parent is None)
    assert above == {
        root: None,
        PROMPT: root,
        "Find why uploads fail": PROMPT,
        "Who reads the limit?": PROMPT,
        "Go on: raise it to 50 MB.": root,
        "Raise the limit": "Go on: raise it to 50 MB.",
    }
    assert tree["Find why uploads fail"]["event_count"] == 3  # two said, one why the task is done
    assert tree[PROMPT]["error_count"] == 1


def _parent(frames: list[dict[str, Any]], frame: dict[str, Any]) -> str | None:
    return next((f["name"] for f in frames if f["id"] == frame.get("parent")), None)


@pytest.fixture(scope="module")
def reader(house: House) -> Callable[[str], httpx2.Client]:
    """reader("alice") is a browser in which she has logged in through the page."""

    def make(name: str) -> httpx2.Client:
        browser = httpx2.Client(
            base_url=house.url, trust_env=False, timeout=PATIENCE, follow_redirects=True
        )
        token = re.search(
            r'name="csrfmiddlewaretoken" value="(\w+)"', browser.get("/account/login/").text
        )
        assert token
        form = {
            "csrfmiddlewaretoken": token[1],
            "login": f"{name}@example.com",
            "password": PASSWORD,
        }
        page = browser.post("/account/login/", data=form, headers={"Referer": house.url})
        assert page.status_code == 200
        assert "/account/login/" not in str(page.url)
        return browser

    return make


@pytest.mark.parametrize("name", ["alice", "viola"])
def test_two_people_read_it_in_pages(day, reader, name):
    """The owner and a viewer: the same story, without the secret."""
    browser = reader(name)
    frames = {frame["name"]: frame["id"] for frame in day["ended"]}
    session = day["begun"]["session"]["id"]
    pages = {
        "project": f"/w/acme/p/{day['project']}/",
        "session": f"/w/acme/s/{session}/",
        "prompt": f"/w/acme/f/{frames[PROMPT]}/",
        "cause": f"/w/acme/f/{frames['Find why uploads fail']}/",
        "subagent": f"/w/acme/f/{frames['Who reads the limit?']}/",
        "anchors": f"/w/acme/anchors/?project={day['project']}",
        "tasks": f"/w/acme/tasks/?project={day['project']}",
    }
    texts = {page: _text(browser, path) for page, path in pages.items()}
    assert PROMPT in texts["project"]
    for frame in frames:
        assert frame in texts["session"]
    for words in ("pytest tests/test_upload.py", "exit 1", "make deploy-staging", "MAX_UPLOAD"):
        assert words in texts["prompt"]
    for words in (
        "The proxy logs 413",
        "[redacted:aws-access-key]",
        "The proxy's limit.",
        "bodies over 5 MB",
    ):
        assert words in texts["cause"]
    assert "The proxy, too." in texts["subagent"]
    assert "50 MB at the proxy, 40 MB in the application" in texts["anchors"]
    assert "Raise the proxy's limit" in texts["tasks"]
    assert SECRET not in str(texts)


def test_nobody_else_reads_it(house, day, reader):
    browser = reader("charlie")
    frames = [frame["id"] for frame in day["ended"]]
    session = day["begun"]["session"]["id"]
    for path in (f"/w/acme/s/{session}/", *(f"/w/acme/f/{frame}/" for frame in frames)):
        assert browser.get(path).status_code == 404
    assert (
        house.count("SELECT count(*) FROM frames_event WHERE payload LIKE %s", f"%{SECRET}%") == 0
    )


def _text(browser: httpx2.Client, path: str) -> str:
    """What a page says."""
    response = browser.get(path)
    assert response.status_code == 200, path
    return html.unescape(" ".join(response.text.split()))
