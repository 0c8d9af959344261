"""What stands next to the best documents in their frames: an answer follows its question."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from search.ranking import NEIGHBOURS, REACH

if TYPE_CHECKING:
    from search.backends.asked import Light

# So many of the best candidates bring the documents next to them along.
WITH_NEIGHBOURS = 40


def bringing(rows: Sequence[Light], scores: Sequence[float]) -> list[Light]:
    """The best of the candidates, as far as they stand somewhere in a frame."""
    best = sorted(range(len(rows)), key=lambda n: (-scores[n], rows[n].pk))[:WITH_NEIGHBOURS]
    return [rows[n] for n in best if rows[n].frame_id and rows[n].place is not None]


def summed(rows: Sequence[Light], scores: Sequence[float]) -> list[float]:
    """Each one's score and part of the scores of those next to it."""
    total = list(scores)
    for numbers in _frames(rows).values():
        for at, number in enumerate(numbers):
            score = scores[number]
            if not score:
                continue
            for steps, share in enumerate(NEIGHBOURS, start=1):
                for there in (at - steps, at + steps):
                    if 0 <= there < len(numbers) and _near(rows[numbers[there]], rows[number]):
                        total[numbers[there]] += share * score
    return total


def spans(best: Sequence[Light]) -> Iterator[tuple[UUID, int, int]]:
    """(frame, first, last place) of all that can be next to these; overlapping ones as one."""
    each: defaultdict[UUID, list[int]] = defaultdict(list)
    for row in best:
        if row.frame_id and row.place is not None:
            each[row.frame_id].append(row.place)
    for frame, places in each.items():
        places.sort()
        first = last = places[0]
        for place in places[1:]:
            if place - REACH > last + REACH + 1:
                yield frame, first - REACH, last + REACH
                first = place
            last = place
        yield frame, first - REACH, last + REACH


def closest(rows: Sequence[Light], best: Sequence[Light]) -> list[Light]:
    """Of these rows those that are next or next but one to one of the best."""
    wanted = {row.pk for row in best}
    kept: dict[UUID, Light] = {}
    for numbers in _frames(rows).values():
        for at, number in enumerate(numbers):
            if rows[number].pk not in wanted:
                continue
            for other in numbers[max(0, at - len(NEIGHBOURS)) : at + len(NEIGHBOURS) + 1]:
                if other != number and _near(rows[other], rows[number]):
                    kept[rows[other].pk] = rows[other]
    return list(kept.values())


def _frames(rows: Sequence[Light]) -> dict[UUID, list[int]]:
    """The numbers of the rows of each frame, in the order in which they stand there."""
    frames: defaultdict[UUID, list[int]] = defaultdict(list)
    for number, row in enumerate(rows):
        if row.frame_id and row.place is not None:
            frames[row.frame_id].append(number)
    for numbers in frames.values():
        numbers.sort(key=lambda n: (rows[n].place, rows[n].at, rows[n].pk))
    return frames


def _near(one: Light, other: Light) -> bool:
    return abs((one.place or 0) - (other.place or 0)) <= REACH
