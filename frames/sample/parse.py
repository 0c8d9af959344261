"""Reading stories: text files that look like a transcript.

session PROJECT WHO CLIENT BRANCH days=N hour=H        one run of an agent
# type | name     ## type | name                       a frame; more # is deeper
> said by the person     < by the agent     * observed
read|grep|run|fail|fetch|write|edit|edit! ARGUMENT     a tool call; `fail`, `edit!`: it failed
| a line of its output (of `edit`: - old and + new)
DECISION 7 pinned key=K replaces=K: text               something to remember, any anchor type
in {…}   out {…}                                       the frame's inputs and outputs
= the frame ends with this digest; a frame without one is still going on
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from frames.sample import script
from frames.sample.script import Pin, Step, Story, Work

TOOLS: dict[str, Callable[[str, str], Step]] = {
    "read": script.read,
    "grep": script.grep,
    "run": script.run,
    "fail": script.fails,
    "fetch": script.fetch,
    "write": script.write,
}
SAID: dict[str, Callable[[str], Step]] = {">": script.ask, "<": script.say, "*": script.note}
PIN = re.compile(r"([A-Z_]+) (\d+)((?: \S+)*?): (.+)")


@dataclass
class Draft:
    """A frame while its lines are being read."""

    depth: int
    type: str
    name: str
    private: bool
    steps: list[Step | Pin | Work] = field(default_factory=list)
    inputs: dict[str, Any] = field(default_factory=dict)
    outputs: dict[str, Any] = field(default_factory=dict)

    def finished(self, digest: str | None) -> Work:
        return Work(
            self.type,
            self.name,
            tuple(self.steps),
            digest=digest or "",
            open_=digest is None,
            private=self.private,
            inputs=self.inputs,
            outputs=self.outputs,
        )


def parse(text: str) -> list[Story]:
    """Every session of a file. Raises ValueError for a line it does not understand."""
    parts = re.split(r"^session ", text, flags=re.MULTILINE)[1:]
    return [_session(*part.split("\n", 1)) for part in parts]


def _session(header: str, body: str) -> Story:
    project, who, client, branch, *when = header.split()
    stack: list[Draft] = []
    roots: list[Work] = []

    def close(digest: str | None) -> None:
        work = stack.pop().finished(digest)
        (stack[-1].steps if stack else roots).append(work)

    for line, block in _blocks(body):
        if line.startswith("#"):
            stack.append(_heading(line, len(stack)))
        elif line.startswith("= "):
            close(line[2:])
        else:
            _add(stack[-1], line, block)
    while stack:
        close(None)
    return Story(project, who, client, branch, tuple(roots), **moments(when))


def moments(pairs: list[str]) -> dict[str, float]:
    """days=3 hour=9.5, or minutes=12."""
    return {name: float(value) for name, value in (pair.split("=") for pair in pairs)}


def _blocks(body: str) -> list[tuple[str, list[str]]]:
    """Each line with the output lines below it."""
    blocks: list[tuple[str, list[str]]] = []
    for line in body.splitlines():
        if line[:2] in ("| ", "- ", "+ ") or line in ("|", "-", "+"):
            blocks[-1][1].append(line)
        elif line:
            blocks.append((line, []))
    return blocks


def _heading(line: str, depth: int) -> Draft:
    marks, _, rest = line.partition(" ")
    if len(marks) != depth + 1:
        raise ValueError(f"{line!r} stands {len(marks)} deep inside {depth} open frames")
    kind, _, name = rest.partition(" | ")
    type_, _, private = kind.partition(" ")
    return Draft(depth, type_, name, private == "private")


def _add(frame: Draft, line: str, block: list[str]) -> None:
    word, _, rest = line.partition(" ")
    if word in SAID:
        frame.steps.append(SAID[word](rest))
    elif word in TOOLS:
        frame.steps.append(TOOLS[word](rest, _text(block, "|")))
    elif word in ("edit", "edit!"):
        make = script.edit if word == "edit" else script.edit_missed
        frame.steps.append(make(rest, _text(block, "-"), _text(block, "+")))
    elif word == "artifact":
        path, _, what = rest.partition(": ")
        frame.steps.append(script.artifact(path, what))
    elif word in ("in", "out"):
        (frame.inputs if word == "in" else frame.outputs).update(json.loads(rest))
    elif found := PIN.fullmatch(line):
        frame.steps.append(pin_of(*found.groups()))
    else:
        raise ValueError(f"not understood: {line!r}")


def _text(block: list[str], mark: str) -> str:
    return "\n".join(line[2:] for line in block if line[0] == mark)


def pin_of(type_: str, priority: str, options: str, text: str) -> Pin:
    words = options.split()
    named = dict(word.split("=") for word in words if "=" in word)
    return Pin(type_, text, int(priority), pinned="pinned" in words, **named)
