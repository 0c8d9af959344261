"""From a story to moments: when each frame began and ended and each event happened."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from frames.sample.script import Pin, Step, Story, Work


@dataclass
class Moment:
    """An event to be, `at` seconds after the story began."""

    at: float
    type: str
    payload: dict[str, Any]
    tool: str = ""
    failed: bool = False
    pin: Pin | None = None


@dataclass
class Planned:
    """A frame to be."""

    work: Work
    parent: Planned | None
    start: float
    end: float | None = None
    moments: list[Moment] = field(default_factory=list)
    children: list[Planned] = field(default_factory=list)

    @property
    def depth(self) -> int:
        return self.parent.depth + 1 if self.parent else 0

    @property
    def root(self) -> Planned:
        return self.parent.root if self.parent else self

    def walk(self) -> Iterator[Planned]:
        yield self
        for child in self.children:
            yield from child.walk()

    def digest(self) -> dict[str, Any]:
        """What a deterministic digest would say of this frame."""
        calls = [m for m in self.moments if m.type == "tool_call"]
        files = {m.payload["arguments"]["file_path"] for m in calls if m.tool in ("Edit", "Write")}
        pins = [m.pin for m in self.moments if m.pin]
        return {
            "summary": self.work.digest,
            "filesModified": sorted(files),
            "toolCallCount": len(calls),
            "toolCallsByType": dict(Counter(m.tool for m in calls)),
            "errorsEncountered": sum(m.failed for m in self.moments),
            "decisions": [pin.text for pin in pins if pin.type == "DECISION"],
            "constraints": [pin.text for pin in pins if pin.type == "CONSTRAINT"],
            "risks": [pin.text for pin in pins if pin.type == "RISK"],
            "durationSeconds": round((self.end or self.start) - self.start),
            "exitStatus": "success",
        }


def plan(story: Story, dice: random.Random) -> list[Planned]:
    """Lay the story out in time; the same dice throw the same times."""
    clock = Clock(dice)
    roots = []
    for work in story.works:
        roots.append(clock.lay(work, None))
        clock.pass_(90)
    return roots


def last_moment(roots: list[Planned]) -> float:
    return max(
        at
        for root in roots
        for frame in root.walk()
        for at in (frame.start, frame.end or 0, *(m.at for m in frame.moments))
    )


class Clock:
    def __init__(self, dice: random.Random) -> None:
        self.now = 0.0
        self.dice = dice
        self.calls = 0

    def pass_(self, seconds: float) -> float:
        self.now += seconds * self.dice.uniform(0.5, 1.8)
        return self.now

    def lay(self, work: Work, parent: Planned | None) -> Planned:
        frame = Planned(work, parent, self.pass_(2))
        for step in work.steps:
            if isinstance(step, Work):
                frame.children.append(self.lay(step, frame))
            elif isinstance(step, Pin):
                payload = {"anchor_type": step.type, "text": step.text, "priority": step.priority}
                moment = Moment(self.pass_(30), "decision", payload, pin=step)
                frame.moments.append(moment)
            else:
                frame.moments.extend(self.events(step))
        if not work.open_:
            frame.end = self.pass_(4)
        return frame

    def events(self, step: Step) -> Iterator[Moment]:
        at = self.pass_(step.seconds)
        if step.result is None:
            yield Moment(at, step.kind, dict(step.payload))
            return
        self.calls += 1
        link = {"tool_use_id": f"toolu_{self.dice.getrandbits(72):018x}"}
        name = step.payload["tool_name"]
        yield Moment(at, "tool_call", step.payload | link, name)
        failed = not step.result["success"]
        yield Moment(self.pass_(step.took), "tool_result", step.result | link, name, failed)
