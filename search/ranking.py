"""Scores of candidates: words and meaning as a sum of normalised scores, then their neighbourhood.

The words' score is BM25 (Robertson and Zaragoza, 2009) over the counts of the searched projects; the
constants and weights below were chosen by measurement on conversations (docs/search.md).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

K1, B = 1.0, 0.5
# What a unit of meaning weighs against one of words, each in standard deviations.
MEANING = 0.8
# What the next and the next but one in a frame add to a document.
NEIGHBOURS = (0.4, 0.2)
# What is further away by its number in the frame is no neighbour, whatever is between.
REACH = 8


def rarity(total: int, documents: int) -> float:
    """BM25's inverse document frequency, never negative."""
    return math.log(1 + (total - documents + 0.5) / (documents + 0.5))


def bm25(
    terms: Sequence[Mapping[str, int]],
    lengths: Sequence[int],
    query: Mapping[str, float],
    rarities: Mapping[str, float],
    mean_length: float,
) -> np.ndarray:
    """The words' score of each document."""
    scores = np.zeros(len(terms))
    for number, (document, length) in enumerate(zip(terms, lengths, strict=True)):
        norm = K1 * (1 - B + B * length / (mean_length or 1))
        for word, times in query.items():
            found = document.get(word, 0)
            if found:
                scores[number] += times * rarities[word] * found * (K1 + 1) / (found + norm)
    return scores


def fused(words: np.ndarray, meaning: np.ndarray | None) -> np.ndarray:
    """One score, zero for the worst: a sum of both in standard deviations, or the words' alone."""
    if meaning is None:
        return words
    total = standard(words) + MEANING * standard(meaning)
    return np.asarray(total - total.min()) if len(total) else total


def standard(scores: np.ndarray) -> np.ndarray:
    spread = scores.std() if len(scores) else 0.0
    return (scores - scores.mean()) / spread if spread > 1e-9 else np.zeros(len(scores))
