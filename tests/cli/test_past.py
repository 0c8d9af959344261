"""push --claude-code: what transcripts tell becomes what hooks would have kept, once."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from frames.models import AgentSession, Event, Frame
from stackmemory.cli import main, past
from stackmemory.cli.server import Away, Server
from stackmemory.cli.transcripts import find
from tests.api.client import ok
from tests.cli.carrier import URL
from tests.cli.claude import BEGAN, Transcript, newer, older
from workspaces.limits import set_limit
from workspaces.models import LimitName

pytestmark = pytest.mark.django_db


@pytest.fixture
def projects(home: Path) -> Path:
    """A developer's transcripts: of a repository that is there, and of one that is gone."""
    (home / "code" / "shop" / ".git").mkdir(parents=True)
    folder = home / ".claude" / "projects"
    newer(folder, str(home / "code" / "shop"))
    older(folder, str(home / "code" / "shop"))
    gone = Transcript(
        folder / "-gone" / "s-gone.jsonl", "s-gone", "/gone/Web App/.claude/worktrees/x"
    )
    gone.asks("Hello", "g1")
    gone.says("Hi.")
    return folder


def told(carrier: Any, caller: Any, projects: Path, **choice: Any) -> past.Told:
    found = past.Told()
    choice = {"folder": None, "since": None} | choice
    past.send(carrier.server(caller), past.wanted(projects, told=found, **choice), found)
    return found


def tree(workspace: Any, session: str) -> list[tuple[Any, ...]]:
    """Frames of a session, and in each its events in their order, as far as they can be read."""
    rows = []
    frames = Frame.objects.in_workspace(workspace).filter(session__source_id=session)
    for frame in frames.order_by("depth", "started_at"):
        events = Event.objects.in_workspace(workspace).filter(frame=frame)
        kinds = [
            e.type + (f" {e.tool}" if e.tool else "") for e in events.order_by("occurred_at", "seq")
        ]
        rows.append((frame.depth, frame.type, frame.name, frame.state, kinds))
    return rows


def test_sessions_prompts_and_subagents_become_frames(
    acme, agent, carrier, projects, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks() as after:
        found = told(carrier, agent, projects)
    jobs = [each for each in after if "index_changed" in repr(each)]
    assert len(jobs) == 6, "one of frames and one of events for each part"
    assert (found.sessions, found.prompts, found.subagents, found.rejected) == (3, 6, 1, 0)
    assert found.created == found.reports == Event.objects.in_workspace(acme).count()
    assert found.projects == {"shop": 2, "Web App": 1}
    assert tree(acme, "s-new") == [
        (0, "session", "Rounding in the till", "closed", ["session_start", "session_end"]),
        (1, "task", "Fix the till", "closed", [
            "user_message", "assistant_message", "tool_call Bash", "tool_result Bash",
            "tool_call Agent", "tool_result Agent", "tool_call Edit", "tool_result Edit",
            "pre_compact", "assistant_message"]),
        (1, "task", "And the receipts?", "closed",
            ["user_message", "tool_call Read", "tool_result Read"]),
        (1, "task", "/review till.py", "closed", ["user_message", "assistant_message"]),
        (2, "subtask", "Look for rounding", "closed", [
            "subagent_start", "tool_call Grep", "tool_result Grep", "assistant_message"]),
    ]  # fmt: skip
    assert [row[:3] for row in tree(acme, "s-old")] == [
        (0, "session", "Counting"), (1, "task", "continue"), (1, "task", "continue"),
        (2, "subtask", "Count"),
    ]  # fmt: skip
    till = Frame.objects.in_workspace(acme).get(name="Fix the till")
    assert till.outputs["result"] == "It rounds once now."
    assert till.started_at == BEGAN + timedelta(seconds=1)
    assert till.digest["commands"] == ["pytest"]
    agent_frame = Frame.objects.in_workspace(acme).get(name="Look for rounding")
    assert (agent_frame.parent, agent_frame.inputs["prompt"]) == (till, "Look everywhere")
    session = AgentSession.objects.in_workspace(acme).get(source_id="s-new")
    assert (session.branch, session.client) == ("fix/till", "claude-code")
    assert session.ended_at == session.last_seen_at == BEGAN + timedelta(seconds=28.5)
    failed = Event.objects.in_workspace(acme).get(type="tool_result", tool="Edit")
    assert failed.is_error


def test_again_it_is_all_there_and_what_is_new_comes_along(acme, agent, carrier, projects):
    told(carrier, agent, projects)
    before = [tree(acme, session) for session in ("s-new", "s-old", "s-gone")]
    carrier.asked = []
    assert told(carrier, agent, projects).unchanged == 3
    assert len(carrier.asked) == 1, "nothing is sent that is known to be there"
    (past.accounts.state_folder() / "told.json").unlink()
    again = told(carrier, agent, projects)
    assert (again.created, again.duplicate, again.rejected) == (0, again.reports, 0)
    assert [tree(acme, session) for session in ("s-new", "s-old", "s-gone")] == before
    more = Transcript(
        projects / "-gone" / "s-gone.jsonl", "s-gone", "/gone/x", BEGAN + timedelta(days=1)
    )
    more.number = 100
    more.asks("One more", "g2")
    more.says("Sure.")
    assert told(carrier, agent, projects).created == 3
    assert [row[2:4] for row in tree(acme, "s-gone")] == [
        ("Claude Code in Web App", "closed"), ("Hello", "closed"), ("One more", "closed"),
    ]  # fmt: skip


HOOKS: list[dict[str, Any]] = [
    {"hook_event_name": "SessionStart", "source": "startup"},
    {"hook_event_name": "UserPromptSubmit", "prompt_id": "p1", "prompt": "Fix the till"},
    {"hook_event_name": "PreToolUse", "prompt_id": "p1", "tool_name": "Bash", "tool_use_id": "toolu_1",
     "tool_input": {"command": "pytest"}},
    {"hook_event_name": "PostToolUse", "prompt_id": "p1", "tool_name": "Bash", "tool_use_id": "toolu_1",
     "tool_response": {"stdout": "2 failed"}},
    {"hook_event_name": "SubagentStart", "prompt_id": "p1", "agent_id": "a1", "agent_type": "Explore"},
    {"hook_event_name": "SubagentStop", "prompt_id": "p1", "agent_id": "a1", "agent_type": "Explore",
     "last_assistant_message": "It rounds twice."},
    {"hook_event_name": "Stop", "prompt_id": "p1", "last_assistant_message": "It rounds once now."},
    {"hook_event_name": "UserPromptSubmit", "prompt_id": "p3", "prompt": "/review till.py"},
]  # fmt: skip


def test_what_hooks_captured_is_met_and_what_goes_on_is_left_alone(acme, agent, carrier, projects):
    """Hooks told a part of it, and are at the last prompt just now."""
    for hook in HOOKS:
        ok(agent.post("hooks/claude-code", hook | {"session_id": "s-new", "cwd": "/home/x/shop"}))
    woken = AgentSession.objects.in_workspace(acme).get(source_id="s-new").last_seen_at
    found = told(carrier, agent, projects)
    assert found.duplicate == 8
    frames = tree(acme, "s-new")
    kinds = [kind for row in frames for kind in row[4]]
    assert kinds.count("assistant_message") == 4, "one between, one of the subagent, two at ends"
    assert sorted(kinds.count(k) for k in ("session_start", "user_message", "subagent_start")) == [
        1, 1, 3,
    ]  # fmt: skip
    assert len(frames) == 5
    session = AgentSession.objects.in_workspace(acme).get(source_id="s-new")
    assert (session.ended_at, session.last_seen_at) == (None, woken)
    assert frames[-2][2] == "/review till.py" or "/review till.py" in [row[2] for row in frames]


LATE = [
    *HOOKS[:-1],
    {"hook_event_name": "PreCompact", "prompt_id": "p1", "trigger": "manual"},
    {"hook_event_name": "UserPromptSubmit", "prompt_id": "p3", "prompt": "/review till.py"},
    {"hook_event_name": "Stop", "prompt_id": "p3", "last_assistant_message": " Fine.\n"},
    {"hook_event_name": "SessionEnd", "reason": "other"},
]


@pytest.mark.parametrize("first", ["hooks", "transcript"])
def test_hooks_and_transcript_come_to_the_same_in_either_order(
    acme, agent, carrier, projects, first
):
    def hooks() -> None:
        at = (BEGAN + timedelta(seconds=29)).isoformat()
        for hook in LATE:
            told_hook = hook | {"session_id": "s-new", "cwd": "/home/x/shop"}
            ok(agent.post("hooks/claude-code", told_hook, x_stackmemory_at=at))

    way: list[Any] = [hooks, lambda: told(carrier, agent, projects)]
    for go in way if first == "hooks" else reversed(way):
        go()
    frames = tree(acme, "s-new")
    assert {row[2]: (row[3], sorted(row[4])) for row in frames if row[1] != "session"} == {
        "Fix the till": ("closed", sorted([
            "user_message", "assistant_message", "tool_call Bash", "tool_result Bash",
            "tool_call Agent", "tool_result Agent", "tool_call Edit", "tool_result Edit",
            "pre_compact", "assistant_message"])),
        "And the receipts?": ("closed", ["tool_call Read", "tool_result Read", "user_message"]),
        "/review till.py": ("closed", ["assistant_message", "user_message"]),
        "Look for rounding" if first == "transcript" else "Subagent Explore": ("closed", [
            "assistant_message", "subagent_start", "tool_call Grep", "tool_result Grep"]),
    }  # fmt: skip
    assert sorted(frames[0][4]) == ["session_end", "session_start"]


def test_what_was_last_and_then_was_not_is_there_once(acme, agent, carrier, projects):
    """A turn rests, is told, and goes on: what it said before the pause is no end any more."""
    rests = Transcript(projects / "-x" / "s-rests.jsonl", "s-rests", "/x")
    rests.asks("Build it", "r1")
    rests.says("Waiting for the build.")
    told(carrier, agent, projects)
    rests.at += timedelta(hours=1)
    rests._user("<task-notification>done</task-notification>")
    rests.says("It is built.")
    told(carrier, agent, projects)
    frame = Frame.objects.in_workspace(acme).get(name="Build it")
    kinds = ["user_message", "assistant_message", "assistant_message"]
    assert [row[4] for row in tree(acme, "s-rests")][1] == kinds
    assert (frame.outputs["result"], frame.state) == ("It is built.", "closed")


def test_broken_off_it_goes_on_and_nothing_is_there_twice(
    acme, agent, carrier, projects, monkeypatch
):
    monkeypatch.setattr(past, "MOST_REPORTS", 5)
    turns = iter(range(1000))
    carrier.lose = lambda method, path: "answer" if next(turns) % 3 == 2 else ""
    assert told(carrier, agent, projects).rejected == 0
    carrier.lose = lambda method, path: "request"
    with pytest.raises(Away):
        past.send(Server(URL, agent.text, 0, carrier.send), [], past.Told())
    carrier.lose = lambda method, path: ""
    (past.accounts.state_folder() / "told.json").unlink()
    again = told(carrier, agent, projects)
    assert (again.created, again.reports) == (0, Event.objects.in_workspace(acme).count())


def test_secrets_are_redacted_and_quotas_hold(acme, agent, carrier, home):
    folder = home / ".claude" / "projects"
    secret = "ghp_" + "a1B2" * 9
    one = Transcript(folder / "-x" / "s.jsonl", "s", "/x")
    one.asks(f"Use {secret}", "p1")
    one.calls("toolu_1", "Bash", {"stdout": secret}, command=f"curl -H {secret}")
    told(carrier, agent, folder)
    assert not Event.objects.in_workspace(acme).filter(payload__contains=secret).exists()
    assert secret not in str(list(Frame.objects.in_workspace(acme).values_list("name", "inputs")))
    set_limit(acme, LimitName.EVENTS, 1)
    one.asks("More", "p2")
    with pytest.raises(past.Denied) as refusal:
        told(carrier, agent, folder)
    assert refusal.value.status == 402


def test_odd_lines_harm_nobody(acme, agent, carrier, home, monkeypatch):
    folder = home / ".claude" / "projects"
    odd = Transcript(folder / "-x" / "s.jsonl", "s", "/x")
    odd.raw("[1]")
    odd.raw('{"type":"user","timestamp":"yesterday","message":{"content":"when?"}}')
    odd.raw('{"type":"user","timestamp":"2026-02-03T10:00:00","message":{"content":"no zone"}}')
    odd.raw('{"type":"assistant","timestamp":"2026-02-03T10:00:00Z","message":7}')
    odd.raw('{"type":"assistant","timestamp":"2026-02-03T10:00:00Z","message":{"content":[1,{}]}}')
    odd.asks("half \ud800 of a \x00 character", "p:1 é")
    odd.calls("toolu_1", "Bash", {"n": float("nan")}, command="x")
    deep: Any = "x"
    for _ in range(250):
        deep = [deep]
    odd.calls("toolu_2", "Bash", deep, command="y")
    odd.calls("toolu_3", "Read", {"base64": "x" * 5_000_000}, file_path="z")
    odd.calls("toolu 4 : ü", "", None)
    odd.asks({"not": "content"}, "p2")
    found = told(carrier, agent, folder)
    assert found.rejected == 1, "the one that is nested too deeply"
    large = Event.objects.in_workspace(acme).get(type="tool_result", tool="Read")
    assert "too large to send" in large.text


def test_what_is_too_long_is_cut_and_nothing_else_is_lost(acme, agent, carrier, home):
    folder = home / ".claude" / "projects"
    one = Transcript(folder / "-x" / "s.jsonl", "s", "/x")
    one.path.write_bytes(b"\xef\xbb\xbf")
    one.asks("p" * 9_000_000, "p1")
    one.calls("toolu_1", "Write", "ok", file_path="a", content="z" * 9_000_000)
    one._assistant({"type": "text", "text": "without a time"}, timestamp=None)
    one._assistant({"type": "text", "text": "Hel"}, id="msg_1")
    one._assistant({"type": "text", "text": "Hello."}, id="msg_1")
    one.asks([{"type": "image", "source": {"data": "AAAA"}}], "p2")
    one.line("attachment", attachment={"type": "queued_command", "prompt": "No, in euros"})
    one.says("Nice picture.")
    one.asks("Again", "p3")
    one._assistant({"type": "text", "text": "API Error: 529"}, isApiErrorMessage=True)
    one.asks("And again", "p4")
    one._assistant({"type": "text", "text": "No response requested."}, model="<synthetic>")
    assert told(carrier, agent, folder).rejected == 0
    assert [(row[2][:9], row[4]) for row in tree(acme, "s")][1:] == [
        ("p" * 9, [
            "user_message", "tool_call Write", "tool_result Write", "assistant_message",
            "assistant_message"]),
        ("[Image]", ["user_message", "user_message", "assistant_message"]),
        ("Again", ["user_message", "error"]),
        ("And again", ["user_message"]),
    ]  # fmt: skip
    said = Event.objects.in_workspace(acme).filter(type="assistant_message").order_by("seq")
    assert {event.data["message"] for event in said} == {
        "without a time", "Hello.", "Nice picture.",
    }  # fmt: skip


def test_what_a_resumed_session_copied_is_of_the_first_alone(acme, agent, carrier, home):
    """Copied under a new id, under the old one, and with new ids that name the old."""
    folder = home / ".claude" / "projects" / "-x"
    first = Transcript(folder / "s1.jsonl", "s1", "/x")
    first.asks("Begin", "p1")
    first.calls("toolu_1", "Bash", {"stdout": "1"}, command="ls")
    first.says("Begun.")
    copies = [json.loads(line) for line in first.path.read_text().splitlines()]
    for name, change in (
        ("s2", lambda line: line | {"sessionId": "s2"}),
        ("s3", lambda line: line),
        ("s4", lambda line: line | {"sessionId": "s4", "uuid": "new-" + line["uuid"],
            "forkedFrom": {"sessionId": "s1", "messageUuid": line["uuid"]}}),
    ):  # fmt: skip
        later = Transcript(folder / f"{name}.jsonl", name, "/x", BEGAN + timedelta(days=1))
        for line in copies:
            later.raw(json.dumps(change(line)))
        later.asks(f"Go on in {name}", "p-" + name)
        later.says("Gone on.")
    told(carrier, agent, folder.parent)
    names = ["Begin", "Go on in s2", "Go on in s3", "Go on in s4"]
    for session, name in zip(("s1", "s2", "s3", "s4"), names, strict=True):
        assert [row[2] for row in tree(acme, session)][1:] == [name], session
    # The first goes on after the others: what they have in common stays with it.
    first.at = BEGAN + timedelta(days=3)
    first.asks("Go on in s1", "p9")
    again = told(carrier, agent, folder.parent)
    assert (again.sessions, again.created, again.unchanged) == (1, 2, 3)


def test_files_that_are_none_are_passed_over(home, projects, capsys):
    (projects / "-x").mkdir()
    (projects / "-x" / "gone.jsonl").symlink_to("/nowhere/x.jsonl")
    (projects / "-x" / "folder.jsonl").mkdir()
    os.mkfifo(projects / "-x" / "pipe.jsonl")
    (projects / "-linked").symlink_to(projects / "-home-dev-shop")
    found = past.Told()
    assert len(past.wanted(projects, folder=None, since=None, told=found)) == 3
    assert (found.unread, "gone.jsonl cannot be read" in capsys.readouterr().err) == (1, True)


def test_which_sessions_are_chosen(home, projects):
    def chosen(**choice: Any) -> list[str]:
        found = past.Told()
        choice = {"folder": None, "since": None} | choice
        return [session.id for session in past.wanted(projects, told=found, **choice)]

    assert chosen() == ["s-old", "s-gone", "s-new"]
    assert chosen(folder=home / "code") == ["s-old", "s-new"]
    assert chosen(folder=home / "code" / "sho") == []
    assert chosen(since=datetime(2026, 2, 1, tzinfo=UTC)) == ["s-gone", "s-new"]
    now = Transcript(projects / "-x" / "s-now.jsonl", "s-now", "/x", datetime.now(UTC))
    now.asks("Hello", "n1")
    assert "s-now" not in chosen()
    assert {session.id for session in find(projects)} > {"s-now"}


def test_a_dry_run_needs_no_server_and_says_what_would_be_sent(
    agent, carrier, projects, monkeypatch, capsys
):
    make = lambda url, key, **_: Server(url, key, send=carrier.send, patience=0)  # noqa: E731
    monkeypatch.setattr(main, "Server", make)
    push = ["push", "--claude-code"]
    assert main.main([*push, "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert "Would send 3 sessions with 6 prompts and 1 subagents" in said
    assert "Rounding in the till" in said, "each session is named"
    assert carrier.asked == []
    assert main.main([*push, "--to", URL, "--key", agent.text, "--json"]) == 0
    report = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (report["status"], report["created"]) == ("done", report["reports"])
    for wrong in (
        ["--since", "soon"],
        ["--since", "0001-01-01"],
        ["--project", "/nowhere"],
        ["x.db"],
        ["--keep-project-ids"],
    ):
        assert main.main([*push, *wrong]) == 2
    assert main.main(["push", "--since", "2026-01-01"]) == 2
