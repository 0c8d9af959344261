"""Claude Code's transcripts, as what its hooks would have said: a mapping and nothing else.

A session is one file of JSON lines; what its subagents did stands in files of their own, or in
older versions among the rest (`isSidechain`). Lines of kinds nobody knows are passed over, and so
are those that a session copied from the one it was resumed or branched from.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stackmemory.cli.lines import content_of, fitting, key_of, lines, origin_of, time_of, uuid_of
from stackmemory.cli.place import repository
from stackmemory.cli.turns import Asked, Report, Turn, hook_of, queued_text

AGENT_TOOLS = ("Agent", "Task")


@dataclass
class Session:
    """One session's files and what a first reading tells of them."""

    path: Path
    id: str = ""
    cwd: str = ""
    branch: str = ""
    title: str = ""
    # The first words that were asked.
    words: str = ""
    first: str = ""
    last: str = ""
    prompts: int = 0
    agents: dict[str, Path | None] = field(default_factory=dict)
    # agent → (the prompt it worked for, what it was called with)
    calls: dict[str, tuple[str, dict[str, Any]]] = field(default_factory=dict)
    bytes: int = 0
    # The session that lines name → their keys; and which of them another session has.
    keys: dict[str, set[int]] = field(default_factory=dict, repr=False)
    copied: frozenset[int] = field(default=frozenset(), repr=False)

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


def find(
    projects: Path, *, unread: list[Path] | None = None, sent: Sequence[str] = ()
) -> list[Session]:
    """Every session under Claude Code's folder of projects in which something was said, the oldest
    first. Files that cannot be read are put into `unread`. What files have in common is of that
    which was `sent` first."""
    unread = [] if unread is None else unread
    turns = {path: number for number, path in enumerate(sent)}
    found: list[Session] = []
    seen: set[Path] = set()
    for folder in sorted(projects.iterdir()) if projects.is_dir() else ():
        try:
            paths = sorted(folder.glob("*.jsonl")) if folder.is_dir() else []
        except OSError:
            unread.append(folder)
            continue
        beside = _agents_beside(paths, unread)
        for path in paths:
            # The same file may be reached by two ways.
            if path.name.startswith("agent-") or (place := path.resolve()) in seen:
                continue
            seen.add(place)
            try:
                session = look(path, beside) if is_file(path) else None
            except OSError:
                unread.append(path)
                continue
            if session is not None:
                found.append(session)
    found.sort(key=lambda session: (session.first, session.last, str(session.path)))
    _once(sorted(found, key=lambda session: turns.get(str(session.path), len(turns))))
    kept = [each for each in found if each.first and (each.prompts or each.agents)]
    return sorted(kept, key=lambda session: session.first)


def is_file(path: Path) -> bool:
    """Whether it can be read without waiting for a writer. Raises OSError for a link to nothing."""
    path.stat()
    return path.is_file()


def _once(sessions: list[Session]) -> None:
    """A line that several sessions have is of the one that it names, else of the first."""
    owner: dict[int, int] = {}
    for own in (True, False):
        for number, session in enumerate(sessions):
            for named, keys in session.keys.items():
                if (named == session.id) is own:
                    for key in keys:
                        owner.setdefault(key, number)
    for number, session in enumerate(sessions):
        copied = {key for keys in session.keys.values() for key in keys if owner[key] != number}
        session.keys.clear()
        if copied:
            session.copied = frozenset(copied)
            _read(session)


def look(path: Path, beside: dict[str, list[Path]]) -> Session | None:
    """Read through a session once; None where nobody said anything in it. Raises OSError."""
    session = Session(path)
    _read(session)
    session.bytes = path.stat().st_size
    own = sorted((path.parent / path.stem / "subagents").glob("agent-*.jsonl"))
    for agent_file in (*own, *beside.get(session.id, ())):
        _agent_file(session, agent_file)
    return session if session.id and (session.prompts or session.agents) else None


def _read(session: Session) -> None:
    """What its main file tells, apart from lines that are copies."""
    session.first = session.last = session.words = ""
    session.calls.clear()
    session.agents = {agent: file for agent, file in session.agents.items() if file is not None}
    calls: dict[str, tuple[str, dict[str, Any]]] = {}
    asked = Asked()
    for entry in lines(session.path, session.copied):
        _title(session, entry)
        if entry.get("type") not in ("user", "assistant") or not time_of(entry):
            continue
        named = str(entry.get("sessionId") or session.path.stem)
        if not session.id or named == session.path.stem:
            session.id = named
        if (key := key_of(entry)) is not None:
            named = str(origin_of(entry).get("sessionId") or named)
            session.keys.setdefault(named, set()).add(key)
        session.cwd = session.cwd or str(entry.get("cwd") or "")
        session.branch = session.branch or str(entry.get("gitBranch") or "")
        session.first = session.first or time_of(entry)
        session.last = max(session.last, time_of(entry))
        if (begun := asked.hear(entry)) and not session.words:
            session.words = begun[1][:200]
        _agents(session, entry, asked.prompt, calls)
    session.prompts = asked.number


def reports(session: Session) -> Iterator[Report]:
    """What happened in a session, in the order of time."""
    source = "resume" if session.copied else "startup"
    started = {"source": source, **({"session_title": session.title} if session.title else {})}
    yield Report(
        session.first, "start", hook_of(session.id, session.cwd, "SessionStart", **started)
    )
    ways: list[Iterable[Report]] = [_main(session)]
    for agent, file in session.agents.items():
        if file is not None:
            ways.append(_agent(session, agent, lines(file, session.copied)))
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
    for entry in lines(session.path, session.copied):
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
            yield Report(
                time_of(first), uuid_of(first), turn.hook("UserPromptSubmit", prompt=fitting(text))
            )
        if entry.get("subtype") == "compact_boundary":
            told = entry.get("compactMetadata")
            trigger = told.get("trigger") if isinstance(told, dict) else None
            hook = turn.hook("PreCompact", trigger=trigger or "auto")
            yield Report(time_of(entry), uuid_of(entry), hook)
        if words := queued_text(entry):
            hook = turn.hook("UserMessage", prompt=fitting(words))
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


def _agents_beside(paths: Iterable[Path], unread: list[Path]) -> dict[str, list[Path]]:
    """Older versions keep subagents' files beside the sessions: session → those of its agents."""
    found: dict[str, list[Path]] = {}
    for path in paths:
        if path.name.startswith("agent-"):
            try:
                entries = lines(path) if is_file(path) else ()
                first = next((entry for entry in entries if entry.get("sessionId")), {})
            except OSError:
                unread.append(path)
                continue
            found.setdefault(str(first.get("sessionId")), []).append(path)
    return found


def _agent_file(session: Session, path: Path) -> None:
    if not is_file(path):
        return
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
    for entry in lines(session.path, session.copied):
        if time_of(entry) and time_of(entry) > at:
            break
        asked.hear(entry)
        prompt = asked.prompt
    return prompt
