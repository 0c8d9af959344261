"""How rare each word is in a workspace, and so which words to look for."""

from __future__ import annotations

import time
from collections import OrderedDict
from typing import Any
from uuid import UUID

import numpy as np

from search import ranking
from search.backends import backend
from workspaces.models import Workspace

# A word in more than this share of the documents finds nothing by itself; of large workspaces
# the words are looked for, rarest first, that stand in so many documents together.
COMMON, ENOUGH = 0.25, 4_000
# Counts of workspaces with more documents than this are remembered for a while.
LARGE, REMEMBERED, SECONDS = 5_000, 20_000, 300.0
# Nobody counts further than this: a word in more documents is taken for a common one.
MOST_COUNTED = 10_000
_known: OrderedDict[Any, tuple[float, int]] = OrderedDict()


def rarities(
    workspace: Workspace,
    query: list[str],
    projects: list[UUID] | None,
    counted: dict[Any, int] | None = None,
) -> tuple[dict[str, float], dict[str, int], int]:
    """Of each word its rarity and its count, among the documents of the projects; how many those are.

    `counted` keeps the counts for who asks again at once.
    """
    here: dict[Any, int] = {} if counted is None else counted
    where = (workspace.pk, tuple(projects) if projects is not None else None)
    size = here.get(where, _remembered(where))
    known = {word: here.get((*where, word), _remembered((*where, word))) for word in query}
    counts = {word: n for word, n in known.items() if n is not None}
    missing = [word for word in query if word not in counts]
    total = size or 0
    if missing or size is None:
        # Counting further than a share would tell nothing, either: such words are common.
        most = MOST_COUNTED if size is None else max(2_000, int(total * COMMON) + 1)
        most = min(most, MOST_COUNTED)
        new, there = backend().word_counts(
            workspace, missing, projects, most, with_total=size is None
        )
        total = there if size is None else size
        common = max(most, int(total * COMMON) + 1)
        counts |= {
            word: new.get(word, 0) if new.get(word, 0) < most else common for word in missing
        }
        here[where] = total
        here |= {(*where, word): counts[word] for word in missing}
        if total > LARGE:
            _remember(where, total)
            for word in missing:
                _remember((*where, word), counts[word])
    found = {word: ranking.rarity(total, min(counts[word], total)) for word in query}
    return found, counts, total


def telling(rarities: dict[str, float], counts: dict[str, int]) -> dict[str, float]:
    """The words to look for: without those nearly everything holds, where rarer ones are."""
    rare = {word: weight for word, weight in rarities.items() if weight > -np.log(COMMON)}
    chosen: dict[str, float] = {}
    together = 0
    for word in sorted(rare or rarities, key=lambda word: (counts[word], word)):
        together += counts[word]
        if chosen and together > ENOUGH:
            break
        chosen[word] = rarities[word]
    return chosen


def _remembered(key: Any) -> int | None:
    kept = _known.get(key)
    return kept[1] if kept and kept[0] > time.monotonic() else None


def _remember(key: Any, value: int) -> None:
    _known[key] = (time.monotonic() + SECONDS, value)
    while len(_known) > REMEMBERED:
        _known.popitem(last=False)
