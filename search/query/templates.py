"""Sentences that stand for a whole query: `standup for @alice`, `investigate errors in billing`."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

from search.query import inline
from search.query.asked import Query, Who

OF = r"(?:for|of|in|on) (?P<what>.+?)"


def _standup(query: Query, found: re.Match[str], who: Who) -> None:
    inline.owner(query, found["what"], who)
    back = 3 if who.now.weekday() == 0 else 1  # on Mondays since Friday
    query.since = who.now - timedelta(days=back)
    query.kinds, query.sort = ["frame", "task", "anchor"], "time"
    query.note(f"standup: the last {back * 24} hours, newest first")


def _errors(query: Query, found: re.Match[str], who: Who) -> None:
    _about(query, found, who, "error failed exception", hours=48)
    query.prefer += ["error", "tool_error"]


def _progress(query: Query, found: re.Match[str], who: Who) -> None:
    query.text = re.sub(r" feature$", "", found["what"], flags=re.IGNORECASE)
    query.kinds = ["frame", "task", "anchor"]
    query.note(f"progress: frames, tasks and anchors about {query.text}")


def _review(query: Query, found: re.Match[str], who: Who) -> None:
    what = found["what"]
    if "." in what and " " not in what:
        query.files.append(what)
        query.note(f"file: {what}")
    else:
        query.text = what
    query.since = who.now - timedelta(hours=24)
    query.note("code review: the last 24 hours")


def _retrospective(query: Query, found: re.Match[str], who: Who) -> None:
    days = {"week": 7, "sprint": 14, "month": 30}[found["what"].rpartition(" ")[2].lower()]
    query.since, query.group = who.now - timedelta(days=days), "owner"
    query.kinds, query.sort = ["frame", "anchor", "task"], "time"
    query.note(f"retrospective: the last {days} days, by person")


def _performance(query: Query, found: re.Match[str], who: Who) -> None:
    _about(query, found, who, "performance slow latency timeout", hours=7 * 24)


def _security(query: Query, found: re.Match[str], who: Who) -> None:
    _about(query, found, who, "security vulnerability auth permission secret token")


def _deployment(query: Query, found: re.Match[str], who: Who) -> None:
    _about(query, found, who, "deploy deployment release failed blocked migration", hours=48)


def _about(query: Query, found: re.Match[str], who: Who, words: str, hours: int = 0) -> None:
    query.text = f"{found['what'] or ''} {words}".strip()
    query.note(f"about: {query.text}")
    if hours:
        query.since = who.now - timedelta(hours=hours)
        query.note(f"time: the last {hours} hours")


TEMPLATES: list[tuple[str, str, Callable[[Query, re.Match[str], Who], None]]] = [
    (rf"stand-?up {OF}", "standup for @alice", _standup),
    (rf"investigate errors? {OF}", "investigate errors in billing", _errors),
    (rf"progress {OF}", "progress on checkout feature", _progress),
    (rf"code review {OF}", "code review for *.py", _review),
    (r"retrospective for (?P<what>(?:the )?(?:last|this) (?:week|sprint|month))",
     "retrospective for last week", _retrospective),
    (rf"performance issues? {OF}", "performance issues for search", _performance),
    (rf"security audit(?: {OF})?", "security audit for login", _security),
    (rf"deployment readiness(?: {OF})?", "deployment readiness for api", _deployment),
]  # fmt: skip
EXAMPLES = [example for _, example, _ in TEMPLATES]


def read_template(query: Query, text: str, who: Who) -> bool:
    """Whether the whole text is a template; the query says what it stands for."""
    for pattern, _, read in TEMPLATES:
        if found := re.fullmatch(pattern, text.strip(" ?.!"), re.IGNORECASE):
            read(query, found, who)
            return True
    return False
