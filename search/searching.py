"""Search: one function behind the page, the API and the tools."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import numpy as np
from django.db.models import Q
from django.utils import timezone

from search import analyze, ranking
from search.backends import Filters, backend
from search.embedders import embedder
from search.models import Document, Embedding
from workspaces.actor import Actor

BY_TEXT, BY_VECTOR = 100, 50
# So many of the best candidates bring the documents next to them along.
WITH_NEIGHBOURS = 40
REACH = 8
# A word in more than this share of many documents finds nothing by itself.
COMMON, MANY = 0.25, 2_000
# Below this a likeness of meaning is noise (cosine; measured on unrelated texts).
ALIKE = 0.30
SUPERSEDED, PINNED, FRESH = 0.5, 1.1, 0.1


@dataclass(slots=True)
class Hit:
    """A document found, and why: `words` it shares, `likeness` in meaning (0–1) …"""

    document: Document
    score: float
    words: list[str] = field(default_factory=list)
    likeness: float | None = None
    neighbour_of: bool = False
    reasons: list[str] = field(default_factory=list)


def search(
    *, actor: Actor, text: str, filters: Filters | None = None, limit: int = 20
) -> list[Hit]:
    """The documents that answer `text` best, among those the actor may see; most fitting first.

    Nothing where nothing fits. Deterministic; no network but a remote embedder's, where one is set.
    """
    workspace = actor.workspace
    filters = (filters or Filters())._replace(person=actor.user.pk if actor.user else None)
    if actor.project_id is not None:
        filters = filters._replace(projects=[actor.project_id])
    query = analyze.counted(text)
    if not query:
        return []
    rarities = _rarities(actor, query, filters)
    ids = backend().by_text(workspace, _telling(rarities), filters, BY_TEXT)
    model = embedder()
    vector = model.embed([text])[0] if model else None
    if model is not None and vector is not None:
        near = backend().by_vector(workspace, vector, model.name, filters, BY_VECTOR)
        ids = list(dict.fromkeys([*ids, *near]))
    documents = _load(actor, ids)
    scored, likeness = _scored(documents, query, rarities, vector, model.name if model else "")
    documents |= _neighbours(actor, filters, documents, scored)
    total = ranking.with_neighbours(
        {id_: scored.get(id_, 0.0) for id_ in documents}, _next_to(documents.values())
    )
    hits = [
        _hit(document, float(total[id_]), scored.get(id_, 0.0), query, likeness.get(id_))
        for id_, document in documents.items()
    ]
    good = [hit for hit in hits if hit.words or (hit.likeness or 0) >= ALIKE or hit.neighbour_of]
    if not any(hit.words or (hit.likeness or 0) >= ALIKE for hit in good):
        return []
    now = timezone.now()
    for hit in good:
        _weigh(hit, now)
    good.sort(key=lambda hit: (-hit.score, hit.document.pk))
    return good[:limit]


def _rarities(actor: Actor, query: Counter[str], filters: Filters) -> dict[str, float]:
    documents = Document.objects.in_workspace(actor.workspace)
    if filters.projects is not None:
        documents = documents.filter(project__in=filters.projects)
    total = documents.count()
    counts = backend().word_counts(actor.workspace, list(query), filters)
    return {word: ranking.rarity(total, min(counts.get(word, 0), total)) for word in query}


def _telling(rarities: dict[str, float]) -> dict[str, float]:
    """The words to look for: without those nearly everything holds, where rarer ones are."""
    rare = {word: weight for word, weight in rarities.items() if weight > -np.log(COMMON)}
    return rare or rarities


def _load(actor: Actor, ids: Iterable[UUID]) -> dict[UUID, Document]:
    rows = Document.objects.in_workspace(actor.workspace).filter(pk__in=list(ids))
    return {row.pk: row for row in rows}


def _scored(
    documents: dict[UUID, Document],
    query: Counter[str],
    rarities: dict[str, float],
    vector: np.ndarray | None,
    model: str,
) -> tuple[dict[UUID, float], dict[UUID, float]]:
    """(score, likeness) of each candidate before its neighbourhood counts."""
    rows = list(documents.values())
    if not rows:
        return {}, {}
    lengths = [row.length for row in rows]
    words = ranking.bm25(
        [row.terms for row in rows], lengths, query, rarities, sum(lengths) / len(lengths)
    )
    meaning, likeness = None, {}
    if vector is not None:
        vectors = dict(
            Embedding.unscoped.filter(
                workspace_id=rows[0].workspace_id, model=model, document__in=rows
            ).values_list("document", "vector")
        )
        meaning = np.array(
            [float(vectors[r.pk] @ vector) if r.pk in vectors else 0.0 for r in rows]
        )
        likeness = {row.pk: float(value) for row, value in zip(rows, meaning, strict=True)}
    scores = ranking.fused(words, meaning)
    return {row.pk: float(s) for row, s in zip(rows, scores, strict=True)}, likeness


def _neighbours(
    actor: Actor, filters: Filters, documents: dict[UUID, Document], scored: dict[UUID, float]
) -> dict[UUID, Document]:
    """The documents next to the best ones in their frames."""
    best = sorted(scored, key=lambda id_: (-scored[id_], id_))[:WITH_NEIGHBOURS]
    near = Q(pk__in=())
    for id_ in best:
        document = documents[id_]
        if document.frame_id and document.place is not None:
            places = (document.place - REACH, document.place + REACH)
            near |= Q(frame_id=document.frame_id, place__range=places)
    seen = Document.objects.in_workspace(actor.workspace).visible_to(actor.user)
    if filters.kinds is not None:
        seen = seen.filter(kind__in=filters.kinds)
    if filters.since is not None:
        seen = seen.filter(at__gte=filters.since)
    if filters.until is not None:
        seen = seen.filter(at__lt=filters.until)
    return {row.pk: row for row in seen.filter(near) if row.pk not in documents}


def _next_to(documents: Iterable[Document]) -> dict[UUID, Sequence[tuple[int, Any]]]:
    """For each document those one and two steps before and after it in its frame."""
    frames: defaultdict[UUID | None, list[Document]] = defaultdict(list)
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


def _hit(
    document: Document, total: float, own: float, query: Counter[str], likeness: float | None
) -> Hit:
    words = [word for word in query if document.terms.get(word)]
    return Hit(document, total, words, likeness, neighbour_of=total > own > 0 or own == 0 < total)


def _weigh(hit: Hit, now: datetime) -> None:
    """What a document is beside what it says: replaced, pinned, recent; and the reasons in words."""
    document = hit.document
    if hit.words:
        hit.reasons.append("words: " + ", ".join(hit.words))
    if hit.likeness is not None and hit.likeness >= ALIKE:
        hit.reasons.append(f"meaning: {hit.likeness:.0%} alike")
    if hit.neighbour_of:
        hit.reasons.append("next to other hits in its frame")
    days = max((now - document.at).total_seconds() / 86_400, 0.0)
    hit.score *= 1 + FRESH * 0.5 ** (days / 14)
    if days < 7:
        hit.reasons.append("recent")
    if document.pinned:
        hit.score *= PINNED
        hit.reasons.append("pinned")
    if document.superseded:
        hit.score *= SUPERSEDED
        hit.reasons.append("superseded")
