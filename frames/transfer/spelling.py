"""The same JSON with its numbers written otherwise: 1e-7 and 1e-07, 1.10 and 1.1.

Python does not write every number as JavaScript does. A document that differs from ours in nothing
else is kept as the numbers that differ, not as a second copy of megabytes.
"""

from __future__ import annotations

import re
from itertools import count, zip_longest

NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
Spellings = list[tuple[int, str]]


def spellings(ours: str, theirs: str) -> Spellings | None:
    """(position, spelling) of each number that `theirs` spells otherwise; None if more differs."""
    found: Spellings = []
    a = b = 0
    for n, (one, other) in enumerate(zip_longest(NUMBER.finditer(ours), NUMBER.finditer(theirs))):
        if one is None or other is None or ours[a : one.start()] != theirs[b : other.start()]:
            return None
        if one[0] != other[0]:
            found.append((n, other[0]))
        a, b = one.end(), other.end()
    return found if ours[a:] == theirs[b:] else None


def respelled(ours: str, found: Spellings) -> str:
    """The reverse: `ours` with these spellings of its numbers."""
    wanted, numbers = dict(found), count()
    return NUMBER.sub(lambda number: wanted.get(next(numbers), number[0]), ours)
