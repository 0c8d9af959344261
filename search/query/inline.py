"""`+owner:alice +last:7d +type:decision`: what holds, whatever the words around it say."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from uuid import UUID

from search.query.asked import FORMATS, GROUPS, MOST, SORTS, Query, Who
from search.query.kinds import OPEN, PRIORITIES, topic, types_called
from search.query.times import day_of, last_of

MODIFIER = re.compile(r'(?<!\S)\+([A-Za-z]+):(?:"([^"]*)"|(\S*))')


def read_modifiers(query: Query, text: str, who: Who) -> str:
    """Take the modifiers out of a text; what is left of it."""
    for found in MODIFIER.finditer(text):
        name, value = found[1].lower(), (found[2] if found[2] is not None else found[3]).strip()
        apply(query, name, value, who)
    return " ".join(MODIFIER.sub(" ", text).split())


def apply(query: Query, name: str, value: str, who: Who) -> None:
    """One modifier; what is wrong with it is said in `problems`."""
    read = READERS.get(name)
    if read is None:
        near = difflib.get_close_matches(name, READERS, n=1)
        hint = f"; did you mean +{near[0]}:?" if near else ". There are " + listed(READERS)
        query.problems.append(f"There is no modifier “+{name}:”{hint}")
    elif not value:
        query.problems.append(f"“+{name}:” has no value after the colon.")
    else:
        read(query, value, who)


def _last(query: Query, value: str, who: Who) -> None:
    since = last_of(value, who.now)
    if since is None:
        query.problems.append(f"“+last:{value}” is no length of time: 3h, 2d, 1w or 1m (a month).")
    else:
        query.since = since
        query.note(f"time: last {value}")


def _since(query: Query, value: str, who: Who) -> None:
    query.since = _moment(query, "since", value, who) or query.since


def _until(query: Query, value: str, who: Who) -> None:
    query.until = _moment(query, "until", value, who) or query.until


def _moment(query: Query, name: str, value: str, who: Who):  # type: ignore[no-untyped-def]
    at = day_of(value, who.now)
    if at is None:
        query.problems.append(f"“+{name}:{value}” is no date, as 2026-01-31.")
    else:
        query.note(f"{name} {value}")
    return at


def owner(query: Query, value: str, who: Who) -> None:
    """Several names, separated by commas, are any of them."""
    for word in filter(None, value.split(",")):
        if word.lower().lstrip("@") in ("me", "$current_user"):
            people = [who.me] if who.me else []
        else:
            people = who.called(word)
        if not people:
            names = listed(sorted({p.name or p.email for p in who.people})[:8])
            known = f" Here are {names}." if names else ""
            query.problems.append(f"Nobody here is called “{word}”.{known}")
        for person in people:
            if person not in query.people:
                query.people.append(person)
                query.note(f"person: {person.name or person.email}")


def _team(query: Query, value: str, who: Who) -> None:
    query.note("everybody’s: a workspace is one team")


def project(query: Query, value: str, who: Who) -> None:
    for slug in filter(None, value.split(",")):
        if slug in who.projects or _is_id(slug):
            query.projects.append(slug)
            query.note(f"project: {slug}")
        else:
            known = f" There are {listed(list(who.projects)[:8])}." if who.projects else ""
            query.problems.append(f"There is no project “{slug}”.{known}")


def _type(query: Query, value: str, who: Who) -> None:
    for word in filter(None, value.split(",")):
        kinds, types = types_called(word)
        query.kinds_or_types += kinds
        query.types += types
        query.note(f"type: {word.lower()}")


def _kind(query: Query, value: str, who: Who) -> None:
    for word in filter(None, value.split(",")):
        kinds, _ = types_called(word)
        if kinds:
            query.kinds += kinds
            query.note(f"kind: {word.lower()}")
        else:
            query.problems.append(f"“+kind:{word}” is none of frame, event, anchor, task.")


def _topic(query: Query, value: str, who: Who) -> None:
    query.text = f"{query.text} {topic(value)}".strip()
    query.note(f"topic: {topic(value)}")


def _file(query: Query, value: str, who: Who) -> None:
    if value.count("*") > 4 or len(value) > 200:
        query.problems.append(f"“+file:{value[:40]}” is too long a pattern.")
    else:
        query.files.append(value)
        query.note(f"file: {value}")


def _status(query: Query, value: str, who: Who) -> None:
    if value.lower() == "stalled":
        query.is_open, query.until = True, query.until or last_of("7d", who.now)
        query.note("open, and nothing for a week")
    elif value.lower() in OPEN:
        query.is_open = OPEN[value.lower()]
        query.note("status: " + ("open" if query.is_open else "closed"))
    else:
        query.problems.append(f"“+status:{value}” is none of active, open, closed, done, stalled.")


def _priority(query: Query, value: str, who: Who) -> None:
    if value.lower() not in PRIORITIES:
        query.problems.append(f"“+priority:{value}” is none of {listed(PRIORITIES)}.")
        return
    query.least, query.most = PRIORITIES[value.lower()]
    query.note(f"priority: {value.lower()}")


def _sort(query: Query, value: str, who: Who) -> None:
    query.sort = _choice(query, "sort", value, SORTS) or query.sort


def _format(query: Query, value: str, who: Who) -> None:
    query.format = _choice(query, "format", value, FORMATS) or query.format


def _group(query: Query, value: str, who: Who) -> None:
    query.group = _choice(query, "group", value, GROUPS) or query.group


def _limit(query: Query, value: str, who: Who) -> None:
    if value.isascii() and value.isdigit() and 0 < int(value[:9]) <= MOST:
        query.limit = int(value)
        query.note(f"at most {value}")
    else:
        query.problems.append(f"“+limit:{value}” is no number from 1 to {MOST}.")


def _choice(query: Query, name: str, value: str, choices: tuple[str, ...]) -> str:
    if value.lower() in choices:
        query.note(f"{name}: {value.lower()}")
        return value.lower()
    query.problems.append(f"“+{name}:{value}” is none of {listed(choices)}.")
    return ""


def listed(words) -> str:  # type: ignore[no-untyped-def]
    return ", ".join(words)


def _is_id(text: str) -> bool:
    try:
        return bool(UUID(text))
    except ValueError:
        return False


READERS: dict[str, Callable[[Query, str, Who], None]] = {
    "owner": owner, "by": owner, "team": _team, "project": project, "type": _type, "kind": _kind,
    "topic": _topic, "file": _file, "status": _status, "priority": _priority, "last": _last,
    "since": _since, "until": _until, "sort": _sort, "limit": _limit, "format": _format,
    "group": _group,
}  # fmt: skip
