"""The words stories are written in: a session is a tree of frames, a frame is a list of steps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Step:
    """One event, or a tool call with its result."""

    kind: str
    payload: dict[str, Any]
    seconds: float  # how long after the previous event it happens
    result: dict[str, Any] | None = None  # of a tool call
    took: float = 0.0  # how long the tool ran


@dataclass(frozen=True)
class Pin:
    """Something to remember: an anchor, and the event that noted it."""

    type: str
    text: str
    priority: int
    pinned: bool = False
    key: str = ""
    replaces: str = ""


@dataclass(frozen=True)
class Work:
    """A frame. `open_` says that it is still going on when the story ends."""

    type: str
    name: str
    steps: tuple[Step | Pin | Work, ...]
    digest: str = ""
    open_: bool = False
    private: bool = False
    inputs: dict[str, Any] = field(default_factory=dict)
    outputs: dict[str, Any] = field(default_factory=dict)

    def walk(self) -> Iterator[Work]:
        yield self
        for step in self.steps:
            if isinstance(step, Work):
                yield from step.walk()


@dataclass(frozen=True)
class Story:
    """One session of one person with one agent, `days` before now at `hour` (UTC), or one last heard of
    `minutes` ago."""

    project: str
    who: str
    client: str
    branch: str
    works: tuple[Work, ...]
    days: float = 0
    hour: float = 9.0
    minutes: float | None = None

    @property
    def is_open(self) -> bool:
        return any(work.open_ for work in self.works)


def story(project: str, who: str, client: str, branch: str, *works: Work, **when: Any) -> Story:
    return Story(project, who, client, branch, works, **when)


def frame(type_: str, name: str, *steps: Step | Pin | Work, **fields: Any) -> Work:
    return Work(type_, name, steps, **fields)


# --- What is said -------------------------------------------------------------------------------
def ask(text: str, after: float = 240) -> Step:
    return Step("user_message", {"content": text}, after)


def say(text: str, after: float = 50) -> Step:
    return Step("assistant_message", {"content": text}, after)


def note(text: str, after: float = 25) -> Step:
    return Step("observation", {"content": text}, after)


def artifact(path: str, what: str, after: float = 10) -> Step:
    return Step("artifact", {"kind": "file", "path": path, "ref": path, "content": what}, after)


# --- What is done -------------------------------------------------------------------------------
def tool(name: str, arguments: dict[str, Any], out: str, *, ok: bool, took: float) -> Step:
    key = "result" if ok else "error"
    return Step(
        "tool_call",
        {"tool_name": name, "arguments": arguments},
        20,
        {"tool_name": name, "success": ok, key: out},
        took,
    )


def read(path: str, out: str, **lines: int) -> Step:
    return tool("Read", {"file_path": path, **lines}, out, ok=True, took=0.3)


def grep(pattern: str, out: str) -> Step:
    return tool("Grep", {"pattern": pattern}, out, ok=True, took=0.6)


def edit(path: str, old: str, new: str) -> Step:
    arguments = {"file_path": path, "old_string": old, "new_string": new}
    return tool("Edit", arguments, f"The file {path} has been updated.", ok=True, took=0.4)


def edit_missed(path: str, old: str, new: str) -> Step:
    """An edit whose old text is not in the file: the agent remembered it wrongly."""
    arguments = {"file_path": path, "old_string": old, "new_string": new}
    return tool("Edit", arguments, "String to replace not found in file.", ok=False, took=0.2)


def write(path: str, content: str) -> Step:
    arguments = {"file_path": path, "content": content}
    return tool("Write", arguments, f"File created: {path}", ok=True, took=0.4)


def run(command: str, out: str, took: float = 14) -> Step:
    return tool("Bash", {"command": command}, out, ok=True, took=took)


def fails(command: str, out: str, took: float = 16, code: int = 1) -> Step:
    return tool("Bash", {"command": command}, f"Exit code {code}\n{out}", ok=False, took=took)


def fetch(url: str, out: str) -> Step:
    return tool("WebFetch", {"url": url}, out, ok=True, took=2.5)


# --- What is remembered -------------------------------------------------------------------------
def decide(text: str, priority: int = 7, **fields: Any) -> Pin:
    return Pin("DECISION", text, priority, **fields)


def fact(text: str, priority: int = 5, **fields: Any) -> Pin:
    return Pin("FACT", text, priority, **fields)


def risk(text: str, priority: int = 6, **fields: Any) -> Pin:
    return Pin("RISK", text, priority, **fields)


def todo(text: str, priority: int = 4, **fields: Any) -> Pin:
    return Pin("TODO", text, priority, **fields)


def contract(text: str, priority: int = 7, **fields: Any) -> Pin:
    return Pin("INTERFACE_CONTRACT", text, priority, **fields)
