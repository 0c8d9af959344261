"""Secrets out of texts before they are stored: the one door.

What is looked for, and what is left alone, is described in docs/redaction.md.
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import re2

from frames.redaction import assignments, own
from frames.redaction.rules import RULES, Rule
from frames.redaction.splice import Span, splice

if TYPE_CHECKING:
    from workspaces.models import Workspace

log = logging.getLogger(__name__)

DEFAULT: dict[str, Any] = {"enabled": True, "patterns": []}
# A marker can complete what an earlier round left half said; more rounds than this are a riddle.
ROUNDS = 4


class Redactor:
    """Replaces secrets by markers such as `[redacted:aws-access-key]`. Keeps no text.

    What it returns has no secret it knows of: redacting it again changes nothing. JSON stays JSON
    with the same keys and nesting.
    """

    def __init__(self, *, enabled: bool = True, patterns: tuple[own.Pattern, ...] = ()) -> None:
        self._enabled = enabled
        self._own = patterns

    def redact(self, text: str) -> tuple[str, dict[str, int]]:
        """The text without its secrets, and how many of each kind were taken out."""
        if not self._enabled:
            return text, {}
        data = text.encode("utf-8", "surrogatepass")
        spans = self._find(data)
        if not spans:
            return text, {}
        counts: Counter[str] = Counter()
        for _ in range(ROUNDS):
            data, found = splice(data, spans)
            counts.update(found)
            spans = self._find(data) if found else []
            if not spans:
                break
        return data.decode("utf-8", "surrogatepass"), dict(counts)

    def _find(self, data: bytes) -> list[Span]:
        spans: list[Span] = []
        # Which rules can match at all is found in one pass; for most texts none can.
        for number in _TRIGGERS.Match(data) or ():
            rule = _BY_TRIGGER[number]
            spans.extend(assignments.find(data) if rule is None else rule.find(data))
        for pattern in self._own:
            spans.extend(pattern.find(data))
        return spans


def redactor_for(workspace: Workspace) -> Redactor:
    """The redactor of a workspace, by its settings as they are now."""
    return _redactor(json.dumps(workspace.settings.get("redaction") or DEFAULT, sort_keys=True))


@lru_cache(maxsize=256)
def _redactor(settings: str) -> Redactor:
    value = json.loads(settings)
    if not isinstance(value, dict):
        value = DEFAULT
    patterns = []
    for item in value.get("patterns") or ():
        try:
            patterns.append(own.compiled(item))
        except own.InvalidPattern as problem:  # was set past the form; what is usable is used
            log.warning("A redaction pattern is left out: %s", problem)
    return Redactor(enabled=value.get("enabled", True) is not False, patterns=tuple(patterns))


def _triggers() -> tuple[Any, list[Rule | None]]:
    options = re2.Options()
    options.case_sensitive = False
    triggers, rules = re2.Set.SearchSet(options), list[Rule | None]()
    for rule in RULES:
        triggers.Add(rule.trigger)
        rules.append(rule)
    triggers.Add(assignments.TRIGGER)
    rules.append(None)
    triggers.Compile()
    return triggers, rules


_TRIGGERS, _BY_TRIGGER = _triggers()
