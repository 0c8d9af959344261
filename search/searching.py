"""Search: one function behind the page, the API and the tools."""

from __future__ import annotations

import time
from collections import OrderedDict, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import numpy as np
from django.db.models import Q, QuerySet
from django.db.models.functions import Left
from django.utils import timezone

from search import analyze, ranking, words
from search.backends import Filters, backend
from search.embedders import Embedder, Unavailable, embedder
from search.filtering import filtered, seen_now
from search.models import Document
from search.weighing import ALIKE, Hit, Sought, is_nonsense, read_closely, weigh
from workspaces.actor import Actor
from workspaces.models import Workspace

BY_TEXT, BY_VECTOR = 100, 50
# So many of the best candidates bring the documents next to them along.
WITH_NEIGHBOURS = 40
REACH = 8
# A word in more than this share of the documents finds nothing by itself; of large workspaces
# the words are looked for, rarest first, that stand in so many documents together.
COMMON, ENOUGH = 0.25, 6_000
# Counts of workspaces with more documents than this are remembered for a while.
LARGE, REMEMBERED, SECONDS = 5_000, 20_000, 300.0
MOST_COUNTED = 80_000
# What a word counts that was looked for in the place of a mistyped one.
GUESSED = 0.8
# So many of the best are read in full.
CLOSELY = 60
# So much of a text is read to show and to compare.
HEAD = 2_000


@dataclass(slots=True)
class Found:
    """`pool` are the documents that fit at all, best first; `hits` the first of them, read in full."""

    hits: list[Hit] = field(default_factory=list)
    pool: list[Document] = field(default_factory=list)
    # Words nobody wrote → those looked for in their place.
    meant: dict[str, list[str]] = field(default_factory=dict)


def search(
    *, actor: Actor, text: str, filters: Filters | None = None, limit: int = 20
) -> list[Hit]:
    """The documents that answer `text` best, among those the actor may see; most fitting first.

    Nothing where nothing fits. Deterministic; no network but a remote embedder's, where one is set.
    """
    return find(actor=actor, text=text, filters=filters, limit=limit).hits


def find(
    *,
    actor: Actor,
    text: str,
    filters: Filters | None = None,
    limit: int = 20,
    phrases: Sequence[str] = (),
    prefer: Sequence[str] = (),
    now: datetime | None = None,
    by_meaning: bool = True,
) -> Found:
    """As `search`, with what else fits and what mistyped words were taken for.

    Documents with one of the `phrases`, and of a type to `prefer`, come first. What is recent is
    so at `now`. Without `by_meaning` words alone decide, and no embedder is asked.
    """
    filters = within(actor, filters)
    query = analyze.counted(text)
    if not query:
        return Found()
    weights = {word: float(times) for word, times in query.items()}
    rarities, counts, total = _rarities(actor.workspace, list(weights), filters.projects)
    meant = words.meant(actor.workspace, [word for word in weights if not counts[word]])
    for near in meant.values():
        for word in near:
            weights.setdefault(word, GUESSED)
            counts.setdefault(word, total // 100)
            rarities.setdefault(word, ranking.rarity(total, total // 100))
    ids = backend().by_text(actor.workspace, _telling(rarities, counts), filters, BY_TEXT)
    model = embedder() if by_meaning else None
    vector = _vector(model, text)
    likeness: dict[UUID, float] = {}
    if model is not None and vector is not None:
        near_ones = backend().by_vector(actor.workspace, vector, model.name, filters, BY_VECTOR)
        likeness = dict(near_ones)
        ids = list(dict.fromkeys([*ids, *(id_ for id_, _ in near_ones[:BY_VECTOR])]))
    documents, occurrences, more = backend().measured(
        _load(actor, Document.objects.in_workspace(actor.workspace).filter(pk__in=ids)),
        list(weights), vector, model.name if model else "",
    )  # fmt: skip
    likeness |= more
    scored = _scored(documents, occurrences, weights, rarities, vector is not None, likeness)
    documents |= _neighbours(actor, filters, documents, scored)
    summed = ranking.with_neighbours(
        {id_: scored.get(id_, 0.0) for id_ in documents}, _next_to(documents.values())
    )
    sought = Sought(analyze.spelled(text), weights, rarities, meant, phrases, prefer)
    hits = []
    for id_, document in documents.items():
        own, score = scored.get(id_, 0.0), float(summed[id_])
        beside = score > own > 0 or own == 0 < score
        holds = [word for word in weights if word in occurrences.get(id_, ())]
        hits.append(Hit(document, score, holds, likeness.get(id_), neighbour_of=beside))
    good = [hit for hit in hits if hit.words or (hit.likeness or 0) >= ALIKE or hit.neighbour_of]
    if is_nonsense(good, sought):
        return Found(meant=meant)
    now = now or timezone.now()
    for hit in good:
        weigh(hit, sought, now)
    good.sort(key=order)
    for hit in good[: max(limit, CLOSELY)]:
        read_closely(hit, sought)
    good.sort(key=order)
    return Found(good[:limit], [hit.document for hit in good], meant)


def newest(
    *, actor: Actor, filters: Filters, limit: int, by: str = "-at", pool: int = 300
) -> Found:
    """What passes the filters, without words to look for."""
    rows = filtered(actor.workspace, within(actor, filters)).order_by(by, "-pk")
    documents = list(_load(actor, rows)[:pool])
    hits = [Hit(document, 0.0) for document in documents[:limit]]
    for hit in hits:
        weigh(hit, Sought(), timezone.now())
    return Found(hits, documents)


def within(actor: Actor, filters: Filters | None) -> Filters:
    """The filters, held to what the actor may see."""
    filters = (filters or Filters())._replace(person=actor.user.pk if actor.user else None)
    if actor.project_id is not None:
        filters = filters._replace(projects=[actor.project_id])
    return filters


def order(hit: Hit) -> tuple[float, UUID]:
    return (-hit.score, hit.document.pk)


def _vector(model: Embedder | None, text: str) -> np.ndarray | None:
    """None where there is no model, or it cannot be asked now: then words alone decide."""
    try:
        return model.embed([text])[0] if model else None
    except Unavailable:
        return None


_known: OrderedDict[Any, tuple[float, int]] = OrderedDict()


def _remembered(key: Any) -> int | None:
    kept = _known.get(key)
    return kept[1] if kept and kept[0] > time.monotonic() else None


def _remember(key: Any, value: int) -> None:
    _known[key] = (time.monotonic() + SECONDS, value)
    while len(_known) > REMEMBERED:
        _known.popitem(last=False)


def _rarities(
    workspace: Workspace, query: list[str], projects: list[UUID] | None
) -> tuple[dict[str, float], dict[str, int], int]:
    """Of each word its rarity and its count, among the documents of the projects; how many those are."""
    where = (workspace.pk, tuple(projects) if projects is not None else None)
    total = _remembered(where)
    counts = {w: n for w in query if (n := _remembered((*where, w))) is not None}
    missing = [word for word in query if word not in counts]
    if missing or total is None:
        # Counting further than a share would tell nothing: such words are common.
        most = max(2_000, int((total or MOST_COUNTED) * COMMON) + 1)
        new, counted = backend().word_counts(workspace, missing, projects, most)
        total = counted if total is None else total
        counts |= {word: new.get(word, 0) for word in missing}
        if total > LARGE:
            _remember(where, total)
            for word in missing:
                _remember((*where, word), counts[word])
    rarities = {word: ranking.rarity(total, min(counts[word], total)) for word in query}
    return rarities, counts, total


def _telling(rarities: dict[str, float], counts: dict[str, int]) -> dict[str, float]:
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


def _load(actor: Actor, rows: QuerySet[Document]) -> QuerySet[Document]:
    """The rows as hits show them: with the beginning of their text (`head`), and never one of a
    frame that is somebody else's private one by now."""
    shown = rows.defer("terms", "text").annotate(head=Left("text", HEAD))  # type: ignore[no-redef]
    related = ("project__slug", "project__name", "owner__name", "owner__email", "frame__name",
               "frame__workspace_id")  # fmt: skip
    return (
        seen_now(shown, actor.user)
        .select_related("project", "owner", "frame")
        .only(
            *(f.name for f in Document._meta.concrete_fields if f.name not in ("terms", "text")),
            *related,
        )
    )


def _scored(
    documents: dict[UUID, Document],
    occurrences: dict[UUID, dict[str, int]],
    weights: dict[str, float],
    rarities: dict[str, float],
    by_meaning: bool,
    likeness: dict[UUID, float],
) -> dict[UUID, float]:
    """The score of each candidate before its neighbourhood counts."""
    rows = list(documents.values())
    if not rows:
        return {}
    lengths = [row.length for row in rows]
    found = [occurrences.get(row.pk, {}) for row in rows]
    by_words = ranking.bm25(found, lengths, weights, rarities, sum(lengths) / len(lengths))
    meaning = np.array([likeness.get(row.pk, 0.0) for row in rows]) if by_meaning else None
    scores = ranking.fused(by_words, meaning)
    return {row.pk: float(s) for row, s in zip(rows, scores, strict=True)}


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
    rows = _load(actor, filtered(actor.workspace, filters).filter(near))
    return {row.pk: row for row in rows if row.pk not in documents}


def _next_to(documents: Iterable[Document]) -> dict[UUID, Sequence[tuple[int, Any]]]:
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
