"""A thing that could be given, and what counts for it whatever it is: age, privacy, people's marks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from frames.models import Frame
from search.context.moment import FrameOfNoted, Moment
from search.models import ContextMark

# A hit this far behind the best one says little.
RELEVANT = 0.3
HALF_LIFE = timedelta(days=14)
# A person's mark moves a score by this share at most, however many there are.
MARKED = 0.2


@dataclass(slots=True)
class Candidate:
    section: str
    kind: str
    id: UUID
    title: str
    text: str
    score: float
    reasons: list[str] = field(default_factory=list)
    private: bool = False

    @property
    def reason(self) -> str:
        return "; ".join(dict.fromkeys(self.reasons))


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which parts, and of what: `since` keeps to what others noted after it, or what fits the query
    so well that it reaches `relevance`; `given` is what the session has been given already."""

    parts: frozenset[str] = frozenset({"path", "rules", "anchors", "digests", "others", "events"})
    since: datetime | None = None
    relevance: float = RELEVANT
    given: frozenset[UUID] = frozenset()
    by_meaning: bool = True


def heed_marks(moment: Moment, found: list[Candidate]) -> None:
    """What people marked useful goes up, what they marked otherwise goes down, by a fifth at most."""
    marks = ContextMark.objects.in_workspace(moment.actor.workspace)
    marks = marks.filter(object_id__in={each.id for each in found})
    if moment.at is not None:
        marks = marks.filter(created_at__lte=moment.at)
    said: dict[UUID, list[int]] = {}
    for object_id, useful in marks.values_list("object_id", "useful"):
        said.setdefault(object_id, []).append(1 if useful else -1)
    for each in found:
        if votes := said.get(each.id):
            each.score = min(each.score * marked(votes), 1.0)
            useful = votes.count(1)
            each.reasons.append(f"marked useful by {useful} of {len(votes)}")


def marked(votes: Sequence[int]) -> float:
    """The factor of marks (1 or -1 each): .9 to 1.1 for one, nearing .8 and 1.2 for many."""
    return 1 + MARKED * sum(votes) / (len(votes) + 1)


def recency(at: datetime, clock: datetime) -> float:
    """1 for what is of this moment, half of it every fortnight."""
    age: float = max((clock - at) / HALF_LIFE, 0.0)
    return float(0.5**age)


def is_private(frame: Frame | FrameOfNoted) -> bool:
    return bool(frame.visibility == Frame.Visibility.PRIVATE)
