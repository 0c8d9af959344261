"""What plain words say beside what to look for: whose, what kind, how urgent."""

from __future__ import annotations

import re

from search.query.asked import Query, Who
from search.query.kinds import types_called
from search.query.times import read_times

THINGS = "work|changes|commits|frames|tasks|decisions|anchors|messages|errors|sessions|notes|bugs"
AT = re.compile(r"(?<!\S)@([\w.+-]+)")
OF = re.compile(rf"\b([\w.-]+)['’]s?\s+((?:\S+\s+){{0,3}}?)({THINGS})\b", re.IGNORECASE)
MINE = re.compile(rf"\bmy\s+((?:\S+\s+){{0,3}}?)({THINGS})\b", re.IGNORECASE)
BY = re.compile(r"\b(?:by|from) ([\w.-]+)[?.!]*$", re.IGNORECASE)
DECIDED = re.compile(r"\b(?:decide|decided|decision|decisions|agreed|agree)\b", re.IGNORECASE)
QUOTED = re.compile(r'"([^"]{2,200})"|“([^”]{2,200})”')
FILE = re.compile(r"(?<!\S)(\*\.\w{1,8}|[\w./-]*\*[\w.*/-]*\.\w{1,8})(?!\S)")
# The whole of what is asked, and what it stands for.
SHORTCUTS = {
    "bugs": "bug", "features": "feature", "architecture": "architecture",
    "refactoring": "refactoring", "decisions": "decision", "constraints": "constraint",
    "risks": "risk", "todos": "todo", "tasks": "task", "frames": "frame", "anchors": "anchor",
    "errors": "error", "messages": "message", "facts": "fact",
}  # fmt: skip


def read_words(query: Query, text: str, who: Who) -> str:
    """Take out of a text what is no word to look for; what is left of it."""
    for found in QUOTED.finditer(text):
        query.phrases.append(found[1] or found[2])
        query.note(f"phrase: {found[1] or found[2]}")
    for found in FILE.finditer(text):
        query.files.append(found[1])
        query.soft.add("files")
        query.note(f"file: {found[1]}")
    text = FILE.sub(" ", text)
    text = read_times(query, " ".join(text.split()), who.now)
    text = _read_people(query, text, who)
    text = _read_shortcut(query, text)
    if DECIDED.search(text) and not query.types:
        query.prefer.append("decision")
        query.note("decisions count more")
    return text


def _read_people(query: Query, text: str, who: Who) -> str:
    for at in AT.finditer(text):
        people = who.called(at[1])
        if people:
            _add(query, people)
            text = text.replace(at[0], " ")
        else:
            names = ", ".join(sorted({p.name or p.email for p in who.people})[:8])
            query.suggestions.append(f"Nobody here is called @{at[1]}: {names}.")
    if found := MINE.search(text):
        if who.me:
            _add(query, [who.me])
            text = text[: found.start()] + _things(query, found[1], found[2]) + text[found.end() :]
    elif (found := OF.search(text)) and (people := who.called(found[1])):
        _add(query, people)
        text = text[: found.start()] + _things(query, found[2], found[3]) + text[found.end() :]
    elif (found := BY.search(text)) and (people := who.called(found[1])):
        _add(query, people)
        text = text[: found.start()]
    text = re.sub(r"^\s*(?:the )?team(?:['’]s)? work\b", " ", text, flags=re.IGNORECASE)
    return " ".join(text.split())


def _things(query: Query, between: str, thing: str) -> str:
    """The words between whose and what; what it is narrows the kind."""
    word = thing.lower()
    if word in SHORTCUTS:
        kinds, types = types_called(SHORTCUTS[word])
        query.kinds += kinds
        query.types += types
        query.soft.add("types")
        query.note(f"type: {word}")
    return f" {between} "


def _read_shortcut(query: Query, text: str) -> str:
    """`bugs`, `critical`, `stalled` …: only where nothing else is asked."""
    words = text.strip(" ?.!").lower()
    if words in SHORTCUTS and not query.types and not query.kinds:
        query.kinds, query.types = types_called(SHORTCUTS[words])
        query.note(f"type: {words}")
        return ""
    for level, bounds in (("critical", (0.8, None)), ("high priority", (0.7, None)),
                          ("low priority", (None, 0.3))):  # fmt: skip
        if words == level or (level != "critical" and level in words):
            query.least, query.most = bounds
            query.soft.add("priority")
            query.note(f"priority: {level.partition(' ')[0]}")
            text = re.sub(level, " ", text, flags=re.IGNORECASE)
    if words in ("open", "active", "stalled", "closed", "done"):
        query.is_open = words not in ("closed", "done")
        query.note(f"status: {words}")
        return ""
    if found := re.match(r"(open|active|closed|done|completed) (tasks?|frames?)\b", words):
        query.is_open = found[1] in ("open", "active")
        query.kinds, _ = types_called(found[2])
        query.soft |= {"status", "types"}
        query.note(f"status: {found[1]} {found[2]}")
        text = text.strip()[found.end() :]
    return " ".join(text.split())


def _add(query: Query, people: list) -> None:  # type: ignore[type-arg]
    for person in people:
        if person not in query.people:
            query.people.append(person)
            query.soft.add("people")
            query.note(f"person: {person.name or person.email}")
