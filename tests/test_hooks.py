"""What Claude Code's hooks say becomes a session, frames and events, once, and is answered."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from frames.capture import claude_code
from frames.models import AgentSession, Anchor, Event, EventKey, Frame, Project
from workspaces import api_keys
from workspaces.models import User, Workspace

URL = "/api/v1/hooks/claude-code"


class Agent:
    """Claude Code as its hooks show it."""

    def __init__(self, workspace: Workspace, user: User | None = None, **key: Any) -> None:
        _, self.key = api_keys.create(
            workspace=workspace, name="agent", scopes=key.pop("scopes", ["read", "write"]),
            actor=user, **key,
        )  # fmt: skip
        self.session, self.prompt, self.agent = "0f3c-session", "", ""
        self.cwd = "/home/dev/acme-api"
        self.sent: list[tuple[dict[str, Any], dict[str, str]]] = []

    def hook(self, name: str, headers: dict[str, str] | None = None, **fields: Any) -> Any:
        hook = {
            "session_id": self.session,
            "transcript_path": "/home/dev/.claude/t.jsonl",
            "cwd": self.cwd,
            "permission_mode": "default",
            "hook_event_name": name,
            **({"prompt_id": self.prompt} if self.prompt else {}),
            **({"agent_id": self.agent, "agent_type": "Explore"} if self.agent else {}),
            **fields,
        }
        self.sent.append((hook, headers or {}))
        return self.post(hook, headers)

    def post(self, body: Any, headers: dict[str, str] | None = None) -> Any:
        response = self.send(body, headers)
        assert response.status_code == 200, response.content
        return response.json()

    def send(self, body: Any, headers: dict[str, str] | None = None) -> Any:
        return Client().post(
            URL, body if isinstance(body, bytes | str) else json.dumps(body),
            content_type="application/json",
            headers={"Authorization": f"Bearer {self.key}", **(headers or {})},
        )  # fmt: skip

    def asks(self, prompt_id: str, text: str, **fields: Any) -> Any:
        self.prompt = prompt_id
        return self.hook("UserPromptSubmit", prompt=text, **fields)

    def calls(self, tool: str, id_: str, given: Any, response: Any = None, **fields: Any) -> None:
        call = {"tool_name": tool, "tool_use_id": id_, "tool_input": given}
        self.hook("PreToolUse", **call)
        if isinstance(response, Exception):
            self.hook("PostToolUseFailure", **call, error=str(response), **fields)
        elif response is not None:
            self.hook("PostToolUse", **call, tool_response=response, duration_ms=40, **fields)

    def repeat_everything(self) -> None:
        for hook, headers in list(self.sent):
            assert self.post(hook, headers) == {}


@pytest.fixture
def agent(acme: Workspace, alice: User) -> Agent:
    return Agent(acme, alice)


def work(agent: Agent) -> None:
    """A session as it really goes: two prompts, tools, a failure, a subagent, the end."""
    agent.hook("SessionStart", source="startup", model="opus")
    agent.asks("p1", "Fix the rate table\n\nIt rounds down.", session_title="Rates")
    agent.calls("Read", "t1", {"file_path": "rates.py"}, {"file": {"content": "x = 1"}})
    agent.calls("Bash", "t2", {"command": "pytest"}, RuntimeError("exit code 1"))
    spec = {"description": "Find callers", "prompt": "Who calls it?", "subagent_type": "Explore"}
    agent.calls("Agent", "t3", spec)
    agent.agent = "a1"
    agent.hook("SubagentStart")
    agent.calls("Grep", "t4", {"pattern": "rate("}, {"matches": 3})
    agent.hook("SubagentStop", stop_hook_active=False, last_assistant_message="Three callers.")
    agent.agent = ""
    agent.hook("PostToolUse", tool_name="Agent", tool_use_id="t3", tool_input=spec,
               tool_response={"content": [{"type": "text", "text": "Three callers."}]})  # fmt: skip
    agent.hook("PreCompact", trigger="auto", custom_instructions=None)
    agent.hook("Stop", stop_hook_active=False, last_assistant_message="Fixed.")
    agent.asks("p2", "Thanks, now the docs")
    agent.calls("Edit", "t5", {"file_path": "README.md"}, {"ok": True})
    agent.hook("Stop", stop_hook_active=False, last_assistant_message="Done.")
    agent.hook("SessionEnd", reason="prompt_input_exit")


def state() -> Any:
    """Everything capture made, to compare before and after."""
    return (
        list(AgentSession.unscoped.order_by("id").values()),
        list(Frame.unscoped.order_by("id").values()),
        list(Event.unscoped.order_by("id").values()),
        list(Project.unscoped.order_by("id").values()),
    )


def named(name: str) -> Frame:
    return Frame.unscoped.get(name=name)


def test_a_session_becomes_nested_frames_with_their_events(agent: Agent, alice: User) -> None:
    work(agent)

    session = AgentSession.unscoped.get()
    assert (session.source_id, session.client, session.user) == (
        "0f3c-session",
        "claude-code",
        alice,
    )
    assert session.project.slug == "acme-api"
    assert session.ended_at is not None
    root = named("Rates")
    first, second = named("Fix the rate table"), named("Thanks, now the docs")
    explored = named("Find callers")
    assert [frame.depth for frame in (root, first, second, explored)] == [0, 1, 1, 2]
    assert (first.parent, second.parent, explored.parent) == (root, root, first)
    assert Frame.unscoped.active().count() == 0
    assert first.outputs["result"] == "Fixed."
    assert explored.outputs["result"] == "Three callers."
    assert explored.inputs == {
        "agent_type": "Explore", "description": "Find callers", "prompt": "Who calls it?",
        "tool_use_id": "t3",
    }  # fmt: skip

    def told(frame: Frame) -> list[str]:
        return [event.type for event in Event.unscoped.filter(frame=frame).order_by("seq")]

    assert told(root) == ["session_start", "session_end"]
    assert told(first) == [
        "user_message", "tool_call", "tool_result", "tool_call", "tool_result", "tool_call",
        "tool_result", "pre_compact", "assistant_message",
    ]  # fmt: skip
    assert told(explored) == ["subagent_start", "tool_call", "tool_result", "assistant_message"]
    assert told(second) == ["user_message", "tool_call", "tool_result", "assistant_message"]
    assert first.error_count == 1
    failure = Event.unscoped.get(is_error=True)
    assert failure.data["error"] == "exit code 1"
    assert failure.tool == "Bash"
    assert failure.data["tool_use_id"] == "t2"


def test_the_same_session_sent_again_changes_nothing(agent: Agent) -> None:
    work(agent)
    before = state()
    agent.repeat_everything()
    assert state() == before


def test_each_hook_repeated_at_once_is_kept_once(agent: Agent) -> None:
    plain = agent.post

    def twice(body: Any, headers: Any = None) -> Any:
        answer = plain(body, headers)
        assert plain(body, headers) == {}
        return answer

    agent.post = twice  # type: ignore[method-assign]
    work(agent)
    assert Event.unscoped.count() == 19
    assert Frame.unscoped.active().count() == 0


def test_the_script_s_deliveries_tell_apart_what_says_the_same(agent: Agent) -> None:
    first, second = {"X-StackMemory-Delivery": "a" * 32}, {"X-StackMemory-Delivery": "b" * 32}
    agent.asks("p1", "x")
    for headers in (first, second, first):
        agent.hook("Notification", headers, message="Waiting for you", notification_type="idle")
    assert Event.unscoped.filter(type="notification").count() == 2
    for headers in (first, second):
        agent.hook("PreToolUse", headers, tool_name="Bash", tool_use_id="t1", tool_input={})
    assert Event.unscoped.filter(type="tool_call").count() == 1


def test_what_waited_is_kept_with_the_time_it_happened(agent: Agent) -> None:
    then = timezone.now() - timedelta(days=2)
    headers = {"X-StackMemory-At": then.isoformat(timespec="milliseconds")}
    agent.hook("SessionStart", headers, source="startup")
    agent.prompt = "p1"
    agent.hook("UserPromptSubmit", headers, prompt="from the train")
    event = Event.unscoped.get(type="user_message")
    assert abs(event.occurred_at - then) < timedelta(milliseconds=1)
    assert abs(named("from the train").started_at - then) < timedelta(milliseconds=1)
    # a timeline finds it by the time in its id
    assert EventKey.unscoped.filter(event_id=event.pk).exists()
    assert int(event.pk.hex[:12], 16) == int(event.occurred_at.timestamp() * 1000)


@pytest.mark.parametrize("at", ["1970-01-01T00:00:00+00:00", "2999-01-01T00:00:00+00:00", "soon",
                                "2026-01-01T00:00:00"])  # fmt: skip
def test_a_clock_that_cannot_be_right_is_not_believed(agent: Agent, at: str) -> None:
    agent.prompt = "p1"
    agent.hook("UserPromptSubmit", {"X-StackMemory-At": at}, prompt="x")
    event = Event.unscoped.get()
    assert abs(event.occurred_at - timezone.now()) < timedelta(minutes=1)


def test_an_interrupted_prompt_ends_with_the_next_one(agent: Agent) -> None:
    agent.asks("p1", "Rewrite everything")
    agent.asks("p2", "No, stop")
    assert not named("Rewrite everything").is_open
    assert named("No, stop").is_open


def test_a_crash_and_a_resume_go_on_in_the_same_session(agent: Agent) -> None:
    agent.hook("SessionStart", source="startup")
    agent.asks("p1", "Long work")
    agent.calls("Bash", "t1", {"command": "make"})
    agent.prompt = ""
    agent.hook("SessionEnd", reason="other")
    assert AgentSession.unscoped.get().ended_at is not None

    agent.hook("SessionStart", source="resume")
    agent.asks("p2", "Go on")

    session = AgentSession.unscoped.get()
    assert session.ended_at is None
    assert [frame.name for frame in Frame.unscoped.active().order_by("depth")] == [
        "Claude Code in acme-api", "Go on",
    ]  # fmt: skip


def test_work_goes_on_when_something_keeps_the_client_from_stopping(agent: Agent) -> None:
    agent.asks("p1", "Fix it")
    agent.hook("Stop", stop_hook_active=False, last_assistant_message="Fixed?")
    assert not named("Fix it").is_open
    agent.calls("Bash", "t1", {"command": "pytest"}, "ok")
    assert named("Fix it").is_open
    agent.hook("Stop", stop_hook_active=True, last_assistant_message="Fixed.")
    assert named("Fix it").outputs["result"] == "Fixed."


def test_a_turn_that_ends_before_its_subagents_ends_with_the_last_of_them(agent: Agent) -> None:
    agent.asks("p1", "Look around")
    for agent.agent in ("a1", "a2"):
        agent.hook("SubagentStart")
    agent.agent = ""
    running = [{"id": "a1", "type": "subagent", "status": "running", "description": ""}]
    agent.hook("Stop", last_assistant_message="They are at it.", background_tasks=running)
    agent.asks("p2", "Meanwhile")
    assert named("Look around").is_open
    agent.prompt, agent.agent = "p1", "a1"
    agent.hook("SubagentStop", last_assistant_message="one")
    assert named("Look around").is_open
    agent.agent = "a2"
    agent.hook("SubagentStop", last_assistant_message="two")
    looked = named("Look around")
    assert not looked.is_open
    assert looked.outputs["result"] == "They are at it."
    assert named("Meanwhile").is_open


def test_subagents_of_one_kind_get_the_calls_in_their_order(agent: Agent) -> None:
    agent.asks("p1", "Look around")
    for number in (1, 2):
        agent.calls(
            "Agent", f"t{number}", {"description": f"Task {number}", "subagent_type": "Explore"}
        )
    for agent.agent in ("a1", "a2"):
        agent.hook("SubagentStart")
    found = Frame.unscoped.filter(type="subtask").order_by("source_id")
    assert [frame.name for frame in found] == ["Task 1", "Task 2"]


def test_an_api_error_ends_the_turn_as_a_failure(agent: Agent) -> None:
    agent.asks("p1", "Try")
    agent.hook("StopFailure", error="rate_limit", error_details="429")
    tried = named("Try")
    assert not tried.is_open
    assert (tried.outputs["error"], tried.error_count) == ("rate_limit", 1)


def test_a_client_that_does_not_name_its_prompts(agent: Agent) -> None:
    agent.hook("UserPromptSubmit", prompt="First")
    agent.calls("Bash", "t1", {"command": "ls"}, "a")
    agent.hook("Stop", last_assistant_message="ok")
    agent.hook("UserPromptSubmit", prompt="Second")
    agent.calls("Bash", "t2", {"command": "ls"}, "a")
    assert named("First").event_count == 4
    assert not named("First").is_open
    assert named("Second").event_count == 3


def test_hooks_that_came_before_their_prompt_wait_in_its_frame(agent: Agent) -> None:
    agent.prompt = "p1"
    agent.calls("Bash", "t1", {"command": "ls"}, "a")
    assert Frame.unscoped.filter(name="A prompt that was not seen").count() == 1
    agent.asks("p1", "Here it is")
    assert named("Here it is").event_count == 3


@pytest.mark.parametrize(
    "body",
    [
        {"hook_event_name": "QuantumLeap", "session_id": "s", "prompt_id": "p", "new": {"a": [1]}},
        {"hook_event_name": "Stop", "session_id": "s"},
        {"hook_event_name": "SubagentStop", "session_id": "s"},
        {"hook_event_name": "PreToolUse", "session_id": "s", "tool_input": None},
        {"hook_event_name": "PreToolUse", "session_id": "s", "tool_use_id": 7, "tool_name": {"x": 1}},
        {"hook_event_name": "UserPromptSubmit", "session_id": "s", "prompt": 12, "prompt_id": ["p"]},
        {"hook_event_name": "UserPromptSubmit", "session_id": "s", "prompt": "\n# \n"},
        {"hook_event_name": "SessionStart", "session_id": "x" * 5000, "cwd": "C:\\"},
        {"hook_event_name": "SessionStart", "session_id": "s:prompt:p", "agent_id": "a:b \u2028"},
        {"hook_event_name": "SessionEnd", "session_id": {"a": 1}, "reason": "\x00"},
        {"hook_event_name": "x" * 3000, "session_id": "\ud800", "cwd": "\udc00/\x00"},
        {"hook_event_name": 5, "hook": "mine", "success": None},
        {"hook_event_name": "\u0130\n", "session_id": None, "session_title": "\x00"},
        {},
    ],
)  # fmt: skip
def test_whatever_a_hook_says_is_kept(agent: Agent, body: Any) -> None:
    assert agent.post(body) == {}
    assert agent.post(body) == {}
    event = Event.unscoped.get()
    for key, value in body.items():
        if isinstance(value, dict | list | int):
            assert key in event.payload
    assert event.frame.session_id == AgentSession.unscoped.get().pk


@pytest.mark.parametrize("body", ["", "null", "[]", '"x"', "{", b"\xff", "[" * 100_000])
def test_what_is_no_object_is_refused_in_one_sentence(agent: Agent, body: Any) -> None:
    response = agent.send(body)
    assert response.status_code == 400
    assert response.json()["error"]["field"] == "body"


def test_secrets_are_not_stored(agent: Agent) -> None:
    agent.asks("p1", "use PASSWORD=hunter2x please")
    agent.calls("Bash", "t1", {"command": "export PASSWORD=hunter2x"}, "PASSWORD=hunter2x")
    agent.hook("Stop", last_assistant_message="It is PASSWORD=hunter2x")
    assert "hunter2x" not in repr(state())
    assert Event.unscoped.get(type="tool_result").redactions >= 1


def test_the_project_is_the_one_that_goes_by_the_folder_s_name(
    agent: Agent, acme: Workspace
) -> None:
    known = Project.unscoped.create(
        workspace=acme, slug="backend", name="Backend", aliases=["acme-api"]
    )
    agent.hook("SessionStart", source="startup")
    assert AgentSession.unscoped.get().project == known
    assert Project.unscoped.count() == 1


@pytest.mark.parametrize(
    ("cwd", "slug"),
    [
        ("/home/dev/Acme API", "acme-api"),
        ("C:\\Users\\dev\\shop\\", "shop"),
        ("/repo/shop/.claude/worktrees/fix-1", "shop"),
        ("/", "unsorted"),
        ("", "unsorted"),
        ("/home/dev/日本", "unsorted"),
    ],
)
def test_a_new_project_is_named_after_its_folder(agent: Agent, cwd: str, slug: str) -> None:
    agent.cwd = cwd
    agent.hook("SessionStart", source="startup")
    assert Project.unscoped.get().slug == slug


def test_a_session_stays_in_its_project_wherever_it_goes(agent: Agent) -> None:
    agent.hook("SessionStart", source="startup")
    agent.cwd = "/tmp/elsewhere"
    agent.asks("p1", "x")
    assert Project.unscoped.get().slug == "acme-api"


def test_a_key_of_a_project_writes_there_alone(acme: Workspace, alice: User) -> None:
    Project.unscoped.create(workspace=acme, slug="acme-api", name="Acme API")
    shop = Project.unscoped.create(workspace=acme, slug="shop", name="Shop")
    work(Agent(acme, alice, project_id=shop.pk))
    assert {frame.project_id for frame in Frame.unscoped.all()} == {shop.pk}


def test_two_workspaces_hear_of_the_same_session_apart(
    agent: Agent, globex: Workspace, charlie: User
) -> None:
    work(agent)
    before = state()[1]
    work(Agent(globex, charlie))
    assert Frame.unscoped.filter(workspace=globex).count() == len(before)
    assert list(Frame.unscoped.exclude(workspace=globex).order_by("id").values()) == before


def test_only_who_may_write_reports(
    agent: Agent, acme: Workspace, alice: User, viola: User
) -> None:
    assert Client().post(URL, "{}", content_type="application/json").status_code == 401
    assert Agent(acme, alice, scopes=["read"]).send({}).status_code == 403
    assert Agent(acme, viola).send({}).status_code == 403
    assert Event.unscoped.count() == 0


def anchor(workspace: Workspace, project: Project, text: str, **fields: Any) -> Anchor:
    return Anchor.unscoped.create(workspace=workspace, project=project, text=text, **fields)


def context(answer: Any) -> str:
    return answer["hookSpecificOutput"]["additionalContext"]


def test_a_session_is_told_what_stands_and_what_others_are_at(
    agent: Agent, acme: Workspace, bob: User
) -> None:
    other = Agent(acme, bob)
    other.session = "bobs"
    other.asks("b1", "Migrate the ledger")
    project = Project.unscoped.get()
    old = anchor(acme, project, "Use Redis", type="DECISION")
    new = anchor(acme, project, "Use PostgreSQL for all", type="DECISION")
    Anchor.unscoped.filter(pk=old.pk).update(superseded_by=new, superseded_at=timezone.now())
    anchor(acme, project, "Amounts are integers,\nin cents", type="CONSTRAINT")
    anchor(acme, project, "A fact of no matter", type="FACT")

    answer = agent.hook("SessionStart", source="startup")

    assert answer["hookSpecificOutput"]["hookEventName"] == "SessionStart"
    text = context(answer)
    assert "- Use PostgreSQL for all" in text
    assert "- Amounts are integers, in cents" in text
    assert "- Migrate the ledger (Bob)" in text
    assert "Redis" not in text
    assert "fact of no matter" not in text


def test_a_prompt_is_told_only_what_is_new(agent: Agent, acme: Workspace) -> None:
    assert agent.hook("SessionStart", source="startup") == {}
    project = Project.unscoped.get()
    anchor(acme, project, "Since then: no floats", type="CONSTRAINT")
    assert "no floats" in context(agent.asks("p1", "x"))
    AgentSession.unscoped.update(last_seen_at=timezone.now() + timedelta(seconds=5))
    assert agent.asks("p2", "y") == {}


def test_a_session_that_begins_with_a_prompt_is_told_everything(
    agent: Agent, acme: Workspace
) -> None:
    project = Project.unscoped.create(workspace=acme, slug="acme-api", name="Acme API")
    anchor(
        acme, project, "No floats", type="CONSTRAINT", noted_at=timezone.now() - timedelta(days=90)
    )
    answer = agent.asks("p1", "x")
    assert answer["hookSpecificOutput"]["hookEventName"] == "UserPromptSubmit"
    assert "No floats" in context(answer)


def test_what_is_told_is_bounded(agent: Agent, acme: Workspace) -> None:
    project = Project.unscoped.create(workspace=acme, slug="acme-api", name="Acme API")
    for _ in range(60):
        anchor(acme, project, "long " * 4_000, type="DECISION")
    assert 1_000 < len(context(agent.hook("SessionStart", source="startup"))) < 6_000


def test_a_private_frame_is_told_to_nobody_else(agent: Agent, acme: Workspace, bob: User) -> None:
    agent.hook("SessionStart", source="startup")
    project = Project.unscoped.get()
    frame = Frame(
        workspace=acme, project=project, name="Bob's secret", owner=bob, visibility="private"
    )
    frame.root_id = frame.pk
    frame.save(force_insert=True)
    anchor(acme, project, "Bob's own decision", type="DECISION", frame=frame)
    agent.session = "another"
    assert agent.hook("SessionStart", source="startup") == {}


def test_other_hooks_are_answered_with_nothing(agent: Agent, acme: Workspace) -> None:
    project = Project.unscoped.create(workspace=acme, slug="acme-api", name="Acme API")
    anchor(acme, project, "No floats", type="CONSTRAINT")
    for name in ("PreToolUse", "PostToolUse", "Stop", "SubagentStart", "SessionEnd", "PreCompact"):
        assert agent.hook(name) == {}


def test_a_hook_costs_as_many_queries_in_a_large_session(agent: Agent) -> None:
    def cost(number: int) -> int:
        agent.calls("Bash", f"warm{number}", {"command": "ls"})  # what is known for two seconds
        with CaptureQueriesContext(connection) as queries:
            agent.calls("Bash", f"t{number}", {"command": "ls"})
        return len(queries)

    agent.hook("SessionStart", source="startup")
    agent.asks("p0", "x")
    small = cost(1)
    for number in range(2, 14):
        agent.asks(f"p{number}", f"prompt {number}")
        agent.calls("Bash", f"t{number}", {"command": "ls"}, "ok")
    assert cost(99) <= small


def test_names_of_prompts_are_their_first_words() -> None:
    name = claude_code.prompt_name
    assert name("\n\n## Fix   the *rates*\nplease") == "Fix the *rates"
    assert name("word " * 100).endswith("word …")
    assert len(name("x" * 9000)) <= claude_code.NAME_LENGTH + 2
    assert name(" \n") == "A prompt without words"


def test_the_documented_identities_are_those_in_use(agent: Agent) -> None:
    text = (Path(__file__).parent.parent / "docs/capture.md").read_text(encoding="utf-8")
    forms = {form.strip("`") for form in re.findall(r"`claude-code:[^`]*`", text)}
    agent.prompt = "p1"
    agent.hook("SessionStart", {"X-StackMemory-Delivery": "d1"}, source="startup")
    agent.asks("p1", "x")
    agent.calls("Bash", "t1", {}, "ok")
    given = {"session_id": agent.session, "prompt_id or -": "p1", "prompt_id": "p1",
             "tool_use_id": "t1", "hook_event_name": "SessionStart", "delivery": "d1"}  # fmt: skip
    filled_in = {re.sub("<([^>]+)>", lambda match: given[match[1]], form) for form in forms}
    events = set(Event.unscoped.values_list("source_id", flat=True))
    frames = set(Frame.unscoped.filter(type="session").values_list("source_id", flat=True))
    assert filled_in == events | frames
    for name, type_ in re.findall(r"^\| `(\w+)`.* \| `(\w+)` \|", text, re.MULTILINE):
        hook = claude_code.read({"hook_event_name": name, "last_assistant_message": "x"})
        assert claude_code.event_type(hook) == type_


def test_a_digest_counts_the_message_that_ends_the_work(agent: Agent) -> None:
    agent.asks("p1", "Fix it")
    agent.hook("Stop", last_assistant_message="Fixed.")
    assert named("Fix it").digest["events"] == 2
