"""What stands next to the best documents in their frames: an answer follows its question."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet

from search.backends import Filters
from search.filtering import NOTHING, filtered
from search.models import Document
from workspaces.models import Workspace

# So many of the best candidates bring the documents next to them along.
WITH_NEIGHBOURS = 40
REACH = 8


def neighbours(
    workspace: Workspace,
    filters: Filters,
    documents: Mapping[UUID, Any],
    scored: Mapping[UUID, float],
) -> QuerySet[Document]:
    """The documents next to the best ones in their frames, those among them."""
    best = sorted(scored, key=lambda id_: (-scored[id_], id_))[:WITH_NEIGHBOURS]
    spans: defaultdict[UUID, list[tuple[int, int]]] = defaultdict(list)
    for id_ in best:
        document = documents[id_]
        if document.frame_id and document.place is not None:
            spans[document.frame_id].append((document.place - REACH, document.place + REACH))
    near = NOTHING
    for frame, each in spans.items():
        for first, last in _joined(sorted(each)):
            near |= Q(frame_id=frame, place__range=(first, last))
    return filtered(workspace, filters).filter(near)


def _joined(spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Overlapping spans, in order, as one."""
    joined: list[tuple[int, int]] = []
    for first, last in spans:
        if joined and first <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(last, joined[-1][1]))
        else:
            joined.append((first, last))
    return joined


def next_to(documents: Iterable[Any]) -> dict[UUID, Sequence[tuple[int, Any]]]:
    """For each document those one and two steps before and after it in its frame."""
    frames: defaultdict[UUID | None, list[Any]] = defaultdict(list)
    found: dict[UUID, Sequence[tuple[int, Any]]] = {}
    for document in documents:
        found[document.pk] = ()
        if document.frame_id and document.place is not None:
            frames[document.frame_id].append(document)
    for rows in frames.values():
        rows.sort(key=lambda row: (row.place, row.at, row.pk))
        for number, row in enumerate(rows):
            found[row.pk] = [
                (abs(other - number), rows[other].pk)
                for other in range(max(0, number - 2), min(len(rows), number + 3))
                if other != number and abs(rows[other].place - row.place) <= REACH
            ]
    return found
