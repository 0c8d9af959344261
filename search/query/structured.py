"""Queries as JSON: {"time": {"last": "7d"}, "content": {"topic": ["auth"]}, "people": {…}, …}."""

from __future__ import annotations

from typing import Any

from search.query import inline
from search.query.asked import Query, Who

# section → key → the modifier that says the same
SAME: dict[str, dict[str, str]] = {
    "time": {"last": "last", "since": "since", "until": "until"},
    "content": {"topic": "topic", "files": "file"},
    "frame": {"type": "type", "status": "status", "kind": "kind", "priority": "priority",
              "project": "project"},
    "people": {"owner": "owner", "contributors": "owner", "team": "team"},
    "output": {"sort": "sort", "limit": "limit", "format": "format", "groupBy": "group"},
}  # fmt: skip
WORDS = ("text", "keywords", "errors", "tools")


def read_structured(query: Query, given: dict[str, Any], who: Who) -> None:
    """Every key means what its modifier means; unknown ones are problems."""
    for section, values in given.items():
        if section in ("text", "query"):
            query.text = f"{query.text} {values}".strip() if isinstance(values, str) else query.text
        elif section not in SAME:
            known = ", ".join(["text", *SAME])
            query.problems.append(f"There is no “{section}” in a query: {known}.")
        elif not isinstance(values, dict):
            query.problems.append(f"“{section}” has to be an object.")
        else:
            for key, value in values.items():
                _read(query, section, key, value, who)


def _read(query: Query, section: str, key: str, value: Any, who: Who) -> None:
    many = value if isinstance(value, list) else [value]
    words = [str(each).lower() if isinstance(each, bool) else str(each) for each in many[:20]]
    if section == "content" and key in WORDS:
        query.text = " ".join([query.text, *words]).strip()
    elif section == "content" and key in ("excludeKeywords", "exclude"):
        query.without += words
        query.note("without: " + ", ".join(words))
    elif section == "time" and key == "between" and len(words) == 2:
        inline.apply(query, "since", words[0], who)
        inline.apply(query, "until", words[1], who)
    elif section == "frame" and key == "score" and isinstance(value, dict):
        query.least, query.most = _number(query, value, "min"), _number(query, value, "max")
        query.note("score: " + ", ".join(f"{name} {number}" for name, number in value.items()))
    elif section == "output" and key == "include":
        pass  # everything that fits is included
    elif key in SAME[section]:
        for word in words:
            inline.apply(query, SAME[section][key], word, who)
    else:
        known = ", ".join(SAME[section])
        query.problems.append(f"There is no “{section}.{key}” in a query: {known}.")


def _number(query: Query, value: dict[str, Any], name: str) -> float | None:
    number = value.get(name)
    if number is None or (isinstance(number, int | float) and not isinstance(number, bool)):
        return number
    query.problems.append(f"“frame.score.{name}” has to be a number from 0 to 1.")
    return None
