"""Into the budget: the most important first, so that whoever cuts the text off loses the least.

Each section is sure of its share; what one leaves over goes to the others in their order. An item
that is longer than its section allows is shortened, never split over two.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import Any

from search.context.candidates import Candidate
from search.context.tokens import LINES, count, shortened


@dataclass(frozen=True, slots=True)
class Section:
    name: str
    heading: str
    # Of the budget, sure; and of one item, in tokens.
    share: float
    longest: int


# In the order in which they are given.
SECTIONS = (
    Section("path", "Where you are, outermost first:", 0.20, 160),
    Section("rules", "What must hold:", 0.30, 90),
    Section("anchors", "Decided and known:", 0.25, 90),
    Section("digests", "Done before:", 0.25, 200),
    Section("others", "Others are at work on:", 0.06, 40),
    Section("events", "Latest here, newest first:", 0.15, 80),
)
# Kept free to say what was left out, and how to get it.
FOR_POINTERS, POINTERS = 0.12, 160
MORE = "Left out for room:"
WHAT = {
    "path": ("frames of the active path", "get_hot_stack"),
    "rules": ("constraints and pinned anchors", "search “+type:constraint +project:{slug}”"),
    "anchors": ("decisions and other anchors", "search “+kind:anchor +project:{slug}”"),
    "digests": ("digests", "search “+kind:frame +project:{slug}”"),
    "others": ("frames of others", "list_frames with state=active"),
    "events": ("events", "get_timeline"),
}  # fmt: skip


@dataclass(slots=True)
class Packed:
    text: str = ""
    tokens: int = 0
    items: list[dict[str, Any]] = field(default_factory=list)
    private: bool = False


def pack(
    candidates: Sequence[Candidate], *, head: str, slug: str, budget: int, most: int | None = None
) -> Packed:
    """At most `budget` tokens, headings and all, and at most `most` things."""
    ranked = {
        section.name: sorted(
            (each for each in candidates if each.section == section.name),
            key=lambda each: (-each.score, each.id),
        )
        for section in SECTIONS
    }
    if not candidates:
        return Packed()
    texts = {section.name: _Lines(ranked[section.name], section) for section in SECTIONS}
    kept = _chosen(texts, budget - count(head + "\n"), most)
    while True:
        packed = _written(ranked, texts, kept, head, slug, budget)
        if packed.tokens <= budget:
            return packed
        name = next((s.name for s in reversed(SECTIONS) if kept[s.name]), None)
        if name is None:
            return Packed()
        kept[name] -= 1


class _Lines:
    """The lines of a section and their tokens, each made when it is looked at: most never are."""

    def __init__(self, candidates: Sequence[Candidate], section: Section) -> None:
        self.candidates, self.section = candidates, section
        self.made: list[tuple[str, int]] = []

    def __len__(self) -> int:
        return len(self.candidates)

    def __getitem__(self, number: int) -> tuple[str, int]:
        while len(self.made) <= number:
            self.made.append(_line(self.candidates[len(self.made)].text, self.section.longest))
        return self.made[number]


@lru_cache(maxsize=LINES)
def _line(text: str, longest: int) -> tuple[str, int]:
    """A thing as it is given, in at most so many tokens, and how many they are."""
    if len(text) <= longest * 40:
        line = f"- {text}\n"
        tokens = count(line)
        if tokens <= longest + 3:
            return line, tokens
    line = f"- {shortened(text, longest)}\n"
    return line, count(line)


@cache
def _heads() -> dict[str, int]:
    return {section.name: count(f"\n{section.heading}\n") for section in SECTIONS}


def _chosen(texts: dict[str, _Lines], room: int, most: int | None) -> dict[str, int]:
    """Of each section how many, the best of it."""
    heads = _heads()
    free = room - min(int(room * FOR_POINTERS), POINTERS)
    kept = {section.name: 0 for section in SECTIONS}
    left = most if most is not None else sum(map(len, texts.values()))
    spent = 0
    for sure in (True, False):
        for section in SECTIONS:
            name = section.name
            lines = texts[name]
            used = sum(lines[n][1] for n in range(kept[name])) + (heads[name] if kept[name] else 0)
            while kept[name] < len(lines) and left > 0:
                cost = lines[kept[name]][1] + (0 if kept[name] else heads[name])
                if spent + cost > free or (sure and used + cost > room * section.share):
                    break
                kept[name] += 1
                spent, used, left = spent + cost, used + cost, left - 1
    return kept


def _written(
    ranked: dict[str, list[Candidate]], texts: dict[str, _Lines], kept: dict[str, int],
    head: str, slug: str, budget: int,
) -> Packed:  # fmt: skip
    packed, heads = Packed(f"{head}\n", count(f"{head}\n")), _heads()
    for section in SECTIONS:
        chosen = [
            (ranked[section.name][n], *texts[section.name][n]) for n in range(kept[section.name])
        ]
        if section.name == "path":
            chosen.sort(key=lambda row: row[0].score)  # from the root
        if chosen:
            packed.text += f"\n{section.heading}\n"
            packed.tokens += heads[section.name]
        for each, line, tokens in chosen:
            _add(packed, section.name, each, line, tokens, each.title, each.reason)
            packed.private |= each.private
    if not packed.items:
        return Packed()
    _point(packed, ranked, kept, slug, budget)
    packed.tokens = count(packed.text)
    return packed


def _point(
    packed: Packed, ranked: dict[str, list[Candidate]], kept: dict[str, int], slug: str, budget: int
) -> None:
    """Say what did not fit, and how to get at it."""
    started = False
    for section in SECTIONS:
        left = ranked[section.name][kept[section.name] :]
        if not left:
            continue
        what, how = WHAT[section.name]
        line = f"- {len(left)} {what}: {how.format(slug=slug)}\n"
        heading = "" if started else f"\n{MORE}\n"
        tokens = count(line)
        if packed.tokens + count(heading) + tokens > budget:
            continue
        packed.text += heading
        packed.tokens += count(heading)
        started = True
        why = f"{len(left)} of {len(ranked[section.name])} did not fit; this is the best of them"
        _add(packed, "pointers", left[0], line, tokens, what, why)


def _add(
    packed: Packed, section: str, each: Candidate, line: str, tokens: int, title: str, reason: str
) -> None:
    start = len(packed.text) + 2  # after the dash
    packed.text += line
    packed.tokens += tokens
    packed.items.append(
        {
            "section": section, "kind": each.kind, "id": str(each.id), "title": title[:200],
            "score": round(each.score, 4), "reason": reason, "tokens": tokens,
            "from": start, "to": len(packed.text) - 1,
        }
    )  # fmt: skip
