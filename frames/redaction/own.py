"""A workspace's own patterns: checked when set, bounded when run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import re2

from frames.redaction.splice import Span

MOST = 20
LONGEST = 300
# RE2 takes time in proportion to text times program; this is about a hundred plain characters'
# worth of counted repeats.
LARGEST_PROGRAM = 2_000
NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")


class InvalidPattern(ValueError):
    """Why a pattern cannot be used, in one sentence."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """Its first group is what is taken out, or all of it where it has none."""

    kind: str
    regexp: Any

    def find(self, data: bytes) -> Iterator[Span]:
        group = 1 if self.regexp.groups else 0
        for match in self.regexp.finditer(data):
            start, end = match.span(group)
            if start < end:
                yield Span(start, end, self.kind, rank=50)


def compiled(item: Any) -> Pattern:
    """The pattern of {"name", "pattern"}. Raises InvalidPattern.

    The syntax is RE2's: Python's without look-around and back-references, which is what makes the
    time it takes a matter of the text's length alone.
    """
    if not isinstance(item, dict) or not all(
        isinstance(item.get(k), str) for k in ("name", "pattern")
    ):
        raise InvalidPattern("A pattern is a name and a regular expression.")
    name, text = item["name"], item["pattern"]
    if not NAME.fullmatch(name):
        raise InvalidPattern(
            f"“{name[:40]}” is no name: use lower-case letters, digits and hyphens, 40 at most."
        )
    if not 0 < len(text) <= LONGEST:
        raise InvalidPattern(f"{name}: a pattern has 1 to {LONGEST} characters.")
    options = re2.Options()
    options.log_errors = False
    options.max_mem = 1 << 21
    try:
        regexp = re2.compile(text, options)
        empty = regexp.search(b"") is not None
    except (re2.error, UnicodeEncodeError) as problem:
        reason = problem.args[0] if problem.args else problem
        reason = reason.decode(errors="replace") if isinstance(reason, bytes) else reason
        raise InvalidPattern(f"{name}: {reason}. The syntax is RE2’s.") from None
    if regexp.programsize > LARGEST_PROGRAM:
        raise InvalidPattern(f"{name}: too large; use smaller counts of repeats.")
    if empty:
        raise InvalidPattern(f"{name}: it matches nothing at all, so it would match everywhere.")
    return Pattern(name, regexp)


def check(patterns: Any) -> list[Pattern]:
    """All of a workspace's patterns, as they are to be stored. Raises InvalidPattern."""
    if not isinstance(patterns, list):
        raise InvalidPattern("Patterns are a list.")
    if len(patterns) > MOST:
        raise InvalidPattern(f"At most {MOST} patterns.")
    made = [compiled(item) for item in patterns]
    if len({pattern.kind for pattern in made}) < len(made):
        raise InvalidPattern("Two patterns have the same name.")
    return made
