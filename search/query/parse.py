"""From what was typed, or sent as JSON, to a query."""

from __future__ import annotations

import json
from typing import Any

from search.query import inline, natural, templates
from search.query.asked import Query, Who
from search.query.structured import read_structured

LONGEST = 2_000


def parse(given: str | dict[str, Any], who: Who) -> Query:
    """Never raises: what cannot be understood or cannot be is in the query's `problems`."""
    if isinstance(given, str) and given.lstrip().startswith("{"):
        try:
            given = json.loads(given)
        except (ValueError, RecursionError):
            given = str(given)
    if isinstance(given, dict):
        query = Query(original=json.dumps(given, ensure_ascii=False)[:LONGEST])
        read_structured(query, given, who)
    else:
        text = " ".join(str(given)[:LONGEST].replace("\x00", " ").split())
        query = Query(original=text)
        text = inline.read_modifiers(query, text, who)
        template = Query()
        if templates.read_template(template, text, who):
            _merge(query, template)
        else:
            left = natural.read_words(query, text, who)
            query.text = f"{left} {query.text}".strip()
    _check(query)
    _suggest(query)
    return query


def _merge(query: Query, template: Query) -> None:
    """What the modifiers left open, the template says."""
    for name in ("text", "since", "people", "kinds", "files", "prefer", "sort", "group", "phrases"):
        if not getattr(query, name):
            setattr(query, name, getattr(template, name))
    query.understood += template.understood
    query.problems += template.problems


def _check(query: Query) -> None:
    if query.since and query.until and query.since >= query.until:
        query.problems.append("The time ends before it begins: nothing can lie between.")
    if query.least is not None and query.most is not None and query.least > query.most:
        query.problems.append("The least score is above the most: nothing can lie between.")
    query.types = list(dict.fromkeys(name.lower() for name in query.types))
    query.kinds_or_types = list(dict.fromkeys(query.kinds_or_types))
    if not query.types:
        query.kinds, query.kinds_or_types = [*query.kinds, *query.kinds_or_types], []
    query.kinds = list(dict.fromkeys(query.kinds))


def _suggest(query: Query) -> None:
    """How to narrow it, by what is not said yet."""
    if not query.text and not query.is_filtered:
        query.suggestions += ["what did we decide about caching", *templates.EXAMPLES[:2]]
        return
    for there, more in (
        (query.since or query.until, "+last:7d"),
        (query.types or query.kinds or query.kinds_or_types, "+type:decision"),
        (query.people, "+owner:me"),
    ):
        if not there:
            query.suggestions.append(f"{query.original} {more}".strip())
