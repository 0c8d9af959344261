"""The part of a text that shows why it was found, with the words marked."""

from __future__ import annotations

import re
from collections.abc import Iterable

from search.analyze import TOKEN, terms_of

LENGTH = 280


def passage(text: str, terms: Iterable[str], length: int = LENGTH) -> list[tuple[str, bool]]:
    """Pieces of the text around the densest run of the terms: (words, whether they are marked)."""
    wanted = set(terms)
    marks = [m.span() for m in TOKEN.finditer(text[:8_000]) if wanted & set(terms_of(m[0]))]
    start = _best_start(marks, length)
    if start:
        start = _word_start(text, max(0, start - length // 4))
    end = min(len(text), start + length)
    pieces: list[tuple[str, bool]] = [("… ", False)] if start else []
    at = start
    for first, last in marks:
        if first >= at and last <= end:
            pieces += [(_flat(text[at:first]), False), (text[first:last], True)]
            at = last
    pieces.append((_flat(text[at:end]) + (" …" if end < len(text) else ""), False))
    return [piece for piece in pieces if piece[0]]


def _best_start(marks: list[tuple[int, int]], length: int) -> int:
    """Where the passage that holds most marks begins."""
    best, most = 0, 0
    for number, (first, _) in enumerate(marks):
        held = sum(1 for other, _ in marks[number:] if other < first + length * 3 // 4)
        if held > most:
            best, most = first, held
    return best if best > length // 2 else 0


def _word_start(text: str, at: int) -> int:
    found = re.compile(r"\s").search(text, at)
    return found.end() if found and found.end() < at + 40 else at


def _flat(text: str) -> str:
    return re.sub(r"\s+", " ", text)
