"""Every story of the sample: those written by hand, and the everyday work between them."""

from __future__ import annotations

import random
from pathlib import Path

from frames.sample.everyday import story_of, tickets
from frames.sample.parse import parse
from frames.sample.script import Story


def all_stories(seed: int) -> list[Story]:
    folder = Path(__file__).parent
    told = [story for path in sorted(folder.glob("*.story")) for story in parse(path.read_text())]
    daily = tickets((folder / "everyday.tickets").read_text())
    return told + [
        story_of(ticket, number, random.Random(f"{seed} {ticket.title}"))
        for number, ticket in enumerate(daily)
    ]
