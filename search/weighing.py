"""What a document is beside what it says: near, recent, pinned, replaced; and the reasons in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from search.models import Document

# Below this a likeness of meaning is noise (cosine; measured on unrelated texts).
ALIKE = 0.30
# Something must hold this share of what was asked, by the rarity of its words, or be that alike.
SHARE, SURELY_ALIKE = 0.2, 0.42
SUPERSEDED, PINNED, FRESH, WORTH = 0.5, 1.1, 0.1, 0.1
PHRASE, QUOTED, ALL_WORDS, ALIAS, PREFERRED = 1.15, 1.6, 1.08, 1.25, 2.0


@dataclass(slots=True)
class Hit:
    """A document found, and why: `words` it shares, `likeness` in meaning (0–1) …"""

    # As read of a candidate (backends.Light), then as it is shown (showing.Shown).
    document: Any
    score: float
    words: list[str] = field(default_factory=list)
    likeness: float | None = None
    neighbour_of: bool = False
    reasons: list[str] = field(default_factory=list)
    # The heading it stands under, where hits were asked for in groups.
    group: str = ""


@dataclass(frozen=True, slots=True)
class Sought:
    """What was looked for: each term as it was spelled, its weight and rarity."""

    spelled: Mapping[str, str] = field(default_factory=dict)
    weights: Mapping[str, float] = field(default_factory=dict)
    rarities: Mapping[str, float] = field(default_factory=dict)
    meant: Mapping[str, Sequence[str]] = field(default_factory=dict)
    phrases: Sequence[str] = ()
    prefer: Sequence[str] = ()

    def share(self, words: Sequence[str]) -> float:
        """How much of what was asked these words are, by rarity: 0 to 1."""
        guessed = {near for each in self.meant.values() for near in each}
        asked = {word for word in self.weights if word not in guessed}
        whole = sum(self.rarities[word] for word in asked)
        held = {word for word in words if word in asked}
        for word, near in self.meant.items():
            if any(each in words for each in near):
                held.add(word)
        return sum(self.rarities[word] for word in held) / whole if whole else 0.0

    def all_in(self, words: Sequence[str]) -> bool:
        """Whether these are all of the words, of several."""
        return len(set(self.spelled.values())) > 1 and self.spelled.keys() <= set(words)

    def to_read(self) -> list[str] | None:
        """Which words a document must all hold for its text to tell more; [] for any, None for none."""
        if self.phrases:
            return []
        return list(self.spelled) if len(set(self.spelled.values())) > 1 else None


def is_nonsense(hits: Sequence[Hit], sought: Sought) -> bool:
    """Whether nothing found has much to do with what was asked."""
    return not any(
        sought.share(hit.words) >= SHARE or (hit.likeness or 0) >= SURELY_ALIKE for hit in hits
    )


def weigh(hit: Hit, sought: Sought, now: datetime) -> None:
    """By what is known without reading its text."""
    document = hit.document
    hit.score *= 1 + FRESH * 0.5 ** (_days(document, now) / 14)
    if document.kind != Document.Kind.EVENT and document.score:
        hit.score *= 1 + WORTH * min(max(document.score, 0.0), 1.0)
    if document.type.lower() in sought.prefer:
        hit.score *= PREFERRED
    if document.pinned:
        hit.score *= PINNED
    if document.superseded:
        hit.score *= SUPERSEDED


def explain(hit: Hit, sought: Sought, now: datetime) -> None:
    """Say what `weigh` went by."""
    document = hit.document
    if hit.words:
        hit.reasons.append("words: " + ", ".join(_told(hit.words, sought)))
    if hit.likeness is not None and hit.likeness >= ALIKE:
        hit.reasons.append(f"meaning: {hit.likeness:.0%} alike")
    if hit.neighbour_of:
        hit.reasons.append("next to other hits in its frame")
    days = _days(document, now)
    if days < 7:
        hit.reasons.append("recent: " + ("today" if days < 1 else f"{days:.0f} d ago"))
    if document.kind != Document.Kind.EVENT and document.score and document.score >= 0.8:
        hit.reasons.append(f"weighty: {document.score:.1f} of 1")
    if document.is_open and document.kind == Document.Kind.FRAME:
        hit.reasons.append("being worked on")
    if document.type.lower() in sought.prefer:
        hit.reasons.append(f"of the kind asked for: {document.type.lower()}")
    if document.pinned:
        hit.reasons.append("pinned")
    if document.superseded:
        hit.reasons.append("superseded, so it counts half")


def _days(document: Any, now: datetime) -> float:
    return float(max((now - document.at).total_seconds() / 86_400, 0.0))


def read_closely(hit: Hit, sought: Sought, text: str | None) -> None:
    """By its text, where it has been read: whole phrases, all of the words; a name it also goes by."""
    text = (text or "").lower()
    for phrase in sought.phrases:
        if phrase.lower() in text:
            hit.score *= QUOTED
            hit.reasons.insert(0, f"the phrase “{phrase}”")
    spelled = list(dict.fromkeys(sought.spelled.values()))
    if sought.all_in(hit.words):
        if " ".join(spelled).lower() in text:
            hit.score *= PHRASE
            hit.reasons.insert(0, "the words as a phrase")
        else:
            hit.score *= ALL_WORDS
            hit.reasons.insert(0, "all of the words")
    for alias in hit.document.aliases or ():
        words = str(alias).lower().split()
        if words and set(words) <= {word.lower() for word in spelled}:
            hit.score *= ALIAS
            hit.reasons.insert(0, f"also known as “{alias}”")


def _told(words: Sequence[str], sought: Sought) -> list[str]:
    """Words as they were written, and mistyped ones with what they were taken for."""
    guessed = {near: word for word, each in sought.meant.items() for near in each}
    told = []
    for word in words:
        if word in guessed:
            told.append(f"{sought.spelled.get(guessed[word], guessed[word])} → {word}")
        else:
            told.append(sought.spelled.get(word, word))
    return list(dict.fromkeys(told))
