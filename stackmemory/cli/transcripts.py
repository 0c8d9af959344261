"""Claude Code's transcripts, as what its hooks would have said: a mapping and nothing else.

A session is one file of JSON lines; what its subagents did stands in files of their own, or in
older versions among the rest (`isSidechain`). Lines of kinds nobody knows are passed over.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stackmemory.cli.place import repository
from stackmemory.cli.turns import Asked, Report, Turn, content_of, hook_of, lines, time_of, uuid_of

AGENT_TOOLS = ("Agent", "Task")


@dataclass
class Session:
    """One session's files and what a first reading tells of them."""

    path: Path
    id: str = ""
    cwd: str = ""
    branch: str = ""
    title: str = ""
    first: str = ""
    last: str = ""
    prompts: int = 0
    agents: dict[str, Path | None] = field(default_factory=dict)
    # agent → (the prompt it worked for, what it was called with)
    calls: dict[str, tuple[str, dict[str, Any]]] = field(default_factory=dict)
    bytes: int = 0

    @property
    def project(self) -> str:
        """The repository's name, while its folder is there; else what the path tells."""
        if not self.cwd:
            return ""
        home = repository(Path(self.cwd)) if Path(self.cwd).is_dir() else None
        if home is not None:
            return home.name
        path = re.split(r"[\\/]\.(?:claude|git|)[\\/]?worktrees[\\/]|[\\/]\.claude[\\/]", self.cwd)[
            0
        ]
        parts = [part for part in re.split(r"[\\/]+", path) if part and not part.endswith(":")]
        return parts[-1] if parts else ""


def find(projects: Path) -> Iterator[Session]:
    """Every session under Claude Code's folder of projects in which something was said."""
    for folder in sorted(projects.iterdir()) if projects.is_dir() else ():
        if not folder.is_dir():
            continue
        beside = _agents_beside(folder)
        for path in sorted(folder.glob("*.jsonl")):
            if not path.name.startswith("agent-") and (session := look(path, beside)) is not None:
                yield session


def look(path: Path, beside: dict[str, list[Path]]) -> Session | None:
    """Read through a session once; None where nobody said anything in it."""
    session = Session(path)
    calls: dict[str, tuple[str, dict[str, Any]]] = {}
    asked = Asked()
    for entry in lines(path):
        _title(session, entry)
        if entry.get("type") not in ("user", "assistant") or not time_of(entry):
            continue
        session.id = session.id or str(entry.get("sessionId") or path.stem)
        session.cwd = session.cwd or str(entry.get("cwd") or "")
        session.branch = session.branch or str(entry.get("gitBranch") or "")
        session.first = session.first or time_of(entry)
        session.last = max(session.last, time_of(entry))
        asked.hear(entry)
        _agents(session, entry, asked.prompt, calls)
    session.prompts = asked.number
    session.bytes = path.stat().st_size
    own = sorted((path.parent / path.stem / "subagents").glob("agent-*.jsonl"))
    for agent_file in (*own, *beside.get(session.id, ())):
        _agent_file(session, agent_file)
    return session if session.id and (asked.number or session.agents) else None


def reports(session: Session) -> Iterator[Report]:
    """What happened in a session, in the order of time."""
    started = {"source": "startup", **({"session_title": session.title} if session.title else {})}
    yield Report(
        session.first, "start", hook_of(session.id, session.cwd, "SessionStart", **started)
    )
    ways: list[Iterable[Report]] = [_main(session)]
    for agent, file in session.agents.items():
        if file is not None:
            ways.append(_agent(session, agent, lines(file)))
    yield from heapq.merge(*ways, key=lambda report: report.at)


def over(session: Session) -> Report:
    """The end of a session that nobody went on with; another one, once somebody has."""
    when = re.sub(r"\D", "", session.last)
    hook = hook_of(session.id, session.cwd, "SessionEnd", reason="other")
    return Report(session.last, f"end-{when}", hook)


def _main(session: Session) -> Iterator[Report]:
    """The conversation with the person; of older versions with the subagents' among it."""
    asked, turn = Asked(), Turn(session.id, session.cwd)
    chains: dict[str, str] = {}
    sides: dict[str, Turn] = {}
    for entry in lines(session.path):
        if not time_of(entry):
            continue
        if entry.get("isSidechain"):
            agent = _chain(entry, chains)
            side = sides.get(agent)
            if side is None:
                prompt, call = session.calls.get(agent, (asked.prompt, {}))
                side = sides[agent] = Turn(session.id, session.cwd, prompt, agent, call)
                yield side.begin(entry)
            yield from side.hear(entry)
            continue
        if begun := asked.hear(entry):
            yield from turn.end()
            first, text = begun
            turn = Turn(session.id, session.cwd, asked.prompt)
            yield Report(time_of(first), uuid_of(first), turn.hook("UserPromptSubmit", prompt=text))
        if entry.get("subtype") == "compact_boundary":
            told = entry.get("compactMetadata")
            trigger = told.get("trigger") if isinstance(told, dict) else None
            hook = turn.hook("PreCompact", trigger=trigger or "auto")
            yield Report(time_of(entry), uuid_of(entry), hook)
        yield from turn.hear(entry)
    yield from turn.end()
    for side in sides.values():
        yield from side.end()


def _agent(session: Session, agent: str, entries: Iterable[dict[str, Any]]) -> Iterator[Report]:
    prompt, call = session.calls.get(agent, ("", {}))
    turn: Turn | None = None
    for entry in entries:
        if not time_of(entry):
            continue
        if turn is None:
            turn = Turn(session.id, session.cwd, prompt, agent, call)
            yield turn.begin(entry)
        yield from turn.hear(entry)
    if turn is not None:
        yield from turn.end()


def _title(session: Session, entry: dict[str, Any]) -> None:
    named = {"ai-title": "aiTitle", "custom-title": "customTitle", "summary": "summary"}
    key = named.get(str(entry.get("type")))
    if key and isinstance(entry.get(key), str):
        session.title = entry[key]


def _agents(
    session: Session,
    entry: dict[str, Any],
    prompt: str,
    calls: dict[str, tuple[str, dict[str, Any]]],
) -> None:
    """Which call a subagent came from: its result names the agent."""
    content = content_of(entry)
    for block in content if isinstance(content, list) else ():
        if block.get("type") == "tool_use" and block.get("name") in AGENT_TOOLS:
            given = block.get("input") if isinstance(block.get("input"), dict) else {}
            told = {**given, "tool_use_id": block.get("id")}  # type: ignore[dict-item]
            calls[str(block.get("id"))] = (prompt, told)
        elif block.get("type") == "tool_result":
            result = entry.get("toolUseResult")
            agent = result.get("agentId") if isinstance(result, dict) else None
            if agent and (call := calls.get(str(block.get("tool_use_id")))):
                session.calls[str(agent)] = call
                session.agents.setdefault(str(agent), None)
    if entry.get("isSidechain") and entry.get("parentUuid") is None and not entry.get("agentId"):
        # Older versions: the chain begins with the words its call was made with.
        words = content if isinstance(content, str) else ""
        for call in calls.values():
            if call[1].get("prompt") == words:
                session.calls.setdefault(uuid_of(entry), call)


def _chain(entry: dict[str, Any], chains: dict[str, str]) -> str:
    """The subagent an entry among the main conversation is of."""
    agent = str(entry.get("agentId") or chains.get(str(entry.get("parentUuid"))) or uuid_of(entry))
    chains[uuid_of(entry)] = agent
    return agent


def _agents_beside(folder: Path) -> dict[str, list[Path]]:
    """Older versions keep subagents' files beside the sessions: session → those of its agents."""
    found: dict[str, list[Path]] = {}
    for path in sorted(folder.glob("agent-*.jsonl")):
        first = next((entry for entry in lines(path) if entry.get("sessionId")), {})
        found.setdefault(str(first.get("sessionId")), []).append(path)
    return found


def _agent_file(session: Session, path: Path) -> None:
    first = next((e for e in lines(path) if e.get("sessionId") and time_of(e)), None)
    if first is None or first.get("sessionId") != session.id:
        return
    agent = str(first.get("agentId") or path.stem.removeprefix("agent-"))
    session.agents[agent] = path
    session.bytes += path.stat().st_size
    if agent not in session.calls:
        session.calls[agent] = (_prompt_at(session, time_of(first)), {})


def _prompt_at(session: Session, at: str) -> str:
    """The prompt that was being worked on then."""
    asked, prompt = Asked(), ""
    for entry in lines(session.path):
        if time_of(entry) and time_of(entry) > at:
            break
        asked.hear(entry)
        prompt = asked.prompt
    return prompt
