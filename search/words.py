"""The words of a workspace, and which of them a mistyped one may have meant."""

from __future__ import annotations

import re
from collections.abc import Iterable

from django.db.models import Q

from search.models import Document, Word
from workspaces.models import Workspace

WORD = re.compile(r"[^\W\d_][\w-]{3,39}")
# A shorter word has too many neighbours.
SHORTEST = 4
MOST = 2


def remember(workspace: Workspace, documents: Iterable[Document]) -> None:
    """Note the words of documents that the whole team may see."""
    found = {
        word
        for document in documents
        if document.private_to_id is None
        for word in document.terms
        if WORD.fullmatch(word)
    }
    known = Word.objects.in_workspace(workspace).filter(text__in=found)
    new = found - set(known.values_list("text", flat=True)) if found else set()
    Word.unscoped.bulk_create(
        [
            Word(workspace=workspace, text=word, first=word[0], length=len(word))
            for word in sorted(new)
        ],
        ignore_conflicts=True,
        batch_size=2_000,
    )


def meant(workspace: Workspace, words: Iterable[str]) -> dict[str, list[str]]:
    """For each word that no document of the workspace holds, the nearest ones that some do."""
    unknown = [word for word in words if len(word) >= SHORTEST and WORD.fullmatch(word)]
    if not unknown:
        return {}
    wanted = Q(text__in=unknown)
    for word in unknown:
        lengths = (len(word) - _slips(word), len(word) + _slips(word))
        wanted |= Q(first__in={word[0], word[1]}, length__range=lengths)
    there = Word.objects.in_workspace(workspace).filter(wanted).values_list("text", flat=True)
    known = set(there)
    return {word: near for word in unknown if word not in known if (near := _near(known, word))}


def _slips(word: str) -> int:
    return 1 if len(word) < 8 else 2


def _near(known: Iterable[str], word: str) -> list[str]:
    """At most MOST words within a slip of the fingers or two, nearest first."""
    slips = _slips(word)
    pairs = _pairs(word)
    rated = []
    for other in known:
        # Each slip spoils at most three pairs of letters.
        if len(pairs & _pairs(other)) < len(pairs) - 3 * slips:
            continue
        away = slips_between(word, other, slips)
        if away <= slips:
            rated.append((away, other[:2] != word[:2], abs(len(other) - len(word)), other))
    nearest = min((away for away, *_ in rated), default=0)
    return [other for away, _, _, other in sorted(rated) if away == nearest][:MOST]


def _pairs(word: str) -> set[str]:
    return {word[n : n + 2] for n in range(len(word) - 1)}


def slips_between(one: str, other: str, most: int) -> int:
    """How many letters must be added, left out, changed or swapped; `most` + 1 stands for more."""
    if abs(len(one) - len(other)) > most:
        return most + 1
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, start=1):
        earlier, before, row = before, row, [i]
        for j, b in enumerate(other, start=1):
            cost = min(before[j] + 1, row[-1] + 1, before[j - 1] + (a != b))
            if i > 1 and j > 1 and a == other[j - 2] and one[i - 2] == b:
                cost = min(cost, earlier[j - 2] + 1)
            row.append(cost)
        if min(row) > most:
            return most + 1
    return row[-1]
