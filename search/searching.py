"""Search: one function behind the page, the API and the tools."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

import numpy as np
from django.utils import timezone

from frames.models import Project
from search import analyze, ranking, vectors, words
from search.backends import Filters, Light, Measured, Where, backend
from search.beside import bringing, summed
from search.embedders import Embedder, Unavailable
from search.filtering import filtered, seen_now
from search.rarity import rarities, telling
from search.showing import shown
from search.weighing import ALIKE, Hit, Sought, explain, is_nonsense, read_closely, weigh
from workspaces.actor import Actor
from workspaces.models import Workspace

BY_TEXT, BY_VECTOR = 100, 50
# For whom the best few are enough.
BY_VECTOR_BRIEF = 30
# What a word counts that was looked for in the place of a mistyped one.
GUESSED = 0.8
# So many of the best are read in full.
CLOSELY = 40
# Of so many questions the vectors are remembered: one types, picks a facet, asks for context.
QUESTIONS = 1_000


@dataclass(slots=True)
class Found:
    """`pool` are the documents that fit at all, best first; `hits` the first of them."""

    hits: list[Hit] = field(default_factory=list)
    pool: list[Light] = field(default_factory=list)
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
    counted: dict[Any, int] | None = None,
    projects: Mapping[UUID, Project] | None = None,
    whole: bool = True,
) -> Found:
    """As `search`, with what else fits and what mistyped words were taken for.

    Documents with one of the `phrases`, and of a type to `prefer`, come first. What is recent is
    so at `now`. Without `by_meaning` words alone decide, and no embedder is asked. `counted` keeps
    the counts of words for who asks again at once. `projects` are those the caller has read.
    Without `whole` the hits' documents are as those of the pool.
    """
    filters = within(actor, filters)
    query = analyze.counted(text)
    if not query:
        return Found()
    weights = {word: float(times) for word, times in query.items()}
    rarity, counts, total = rarities(actor.workspace, list(weights), filters.projects, counted)
    meant = words.meant(actor.workspace, [word for word in weights if not counts[word]])
    for near in meant.values():
        for word in near:
            weights.setdefault(word, GUESSED)
            counts.setdefault(word, total // 100)
            rarity.setdefault(word, ranking.rarity(total, total // 100))
    ids = backend().by_text(actor.workspace, telling(rarity, counts), filters, BY_TEXT)
    vector, where = _vector(actor.workspace, text) if by_meaning else (None, NOWHERE)
    if vector is not None:
        most = BY_VECTOR if whole else BY_VECTOR_BRIEF
        near = backend().by_vector(actor.workspace, vector, where, filters, most)
        ids = list(dict.fromkeys([*ids, *(id_ for id_, _ in near)]))
    sought = Sought(analyze.spelled(text), weights, rarity, meant, phrases, prefer)
    measured = backend().measured(
        actor.workspace, filters, ids, list(weights), vector, where.model, sought.to_read()
    )
    scores = _scored(measured, weights, rarity, by_meaning=vector is not None)
    measured, scores = _with_neighbours(actor, filters, measured, scores)
    good, texts = [], {}
    for (row, held, likeness, words_of), own, score in zip(
        measured, scores, summed([each.row for each in measured], scores), strict=True
    ):
        beside = score > own > 0 or own == 0 < score
        if held or beside or (likeness or 0) >= ALIKE:
            there = [word for word in weights if word in held]
            good.append(Hit(row, score, there, likeness, neighbour_of=beside))
            texts[row.pk] = words_of
    if is_nonsense(good, sought):
        return Found(meant=meant)
    now = now or timezone.now()
    for hit in good:
        weigh(hit, sought, now)
    good.sort(key=order)
    pool = [hit.document for hit in good]
    best = good[: max(limit, CLOSELY)]
    for hit in best:
        read_closely(hit, sought, texts[hit.document.pk])
    best.sort(key=order)
    hits = best[:limit]
    if whole:
        hits = _read(actor, hits, projects or {})
    for hit in hits:
        explain(hit, sought, now)
    return Found(hits, pool, meant)


def newest(
    *, actor: Actor, filters: Filters, limit: int, by: str = "-at", pool: int = 300,
    projects: Mapping[UUID, Project] | None = None,
) -> Found:  # fmt: skip
    """What passes the filters, without words to look for."""
    rows = filtered(actor.workspace, within(actor, filters)).order_by(by, "-pk")
    newest = seen_now(rows, actor.user).values_list(*Light._fields)[:pool]
    documents = [Light(*row) for row in newest]
    hits = _read(actor, [Hit(document, 0.0) for document in documents[:limit]], projects or {})
    for hit in hits:
        explain(hit, Sought(), timezone.now())
    return Found(hits, documents)


def within(actor: Actor, filters: Filters | None) -> Filters:
    """The filters, held to what the actor may see."""
    filters = (filters or Filters())._replace(person=actor.user.pk if actor.user else None)
    if actor.project_id is not None:
        filters = filters._replace(projects=[actor.project_id])
    return filters


def order(hit: Hit) -> tuple[float, UUID]:
    return (-hit.score, hit.document.pk)


NOWHERE = Where("", 0)


def _vector(workspace: Workspace, text: str) -> tuple[np.ndarray | None, Where]:
    """The text's vector, by the model the workspace is searched by, and where to look for its like.

    None where there is no model, or none can be asked now: then words alone decide.
    """
    for model, found in vectors.to_search_by(workspace):
        bucket = found.bucket if found is not None and found.is_arranged else None
        try:
            return _asked(model, text), Where(model.name, model.dimension, bucket)
        except Unavailable:
            continue
    return None, NOWHERE


@lru_cache(maxsize=QUESTIONS)
def _asked(model: Embedder, text: str) -> np.ndarray:
    """The question's vector, by an embedder that lives as long as the process."""
    vector: np.ndarray = model.embed([text])[0]
    vector.flags.writeable = False
    return vector


def _read(actor: Actor, hits: list[Hit], projects: Mapping[UUID, Project]) -> list[Hit]:
    """The hits with their documents as they are shown; without those that are gone by now."""
    full = shown(actor, [hit.document.pk for hit in hits], projects)
    there = [hit for hit in hits if hit.document.pk in full]
    for hit in there:
        hit.document = full[hit.document.pk]
    return there


def _scored(
    measured: Sequence[Measured], weights: dict[str, float], rarities: dict[str, float], *,
    by_meaning: bool,
) -> list[float]:  # fmt: skip
    """The score of each candidate before its neighbourhood counts."""
    if not measured:
        return []
    lengths = [each.row.length for each in measured]
    held = [each.held for each in measured]
    by_words = ranking.bm25(held, lengths, weights, rarities, sum(lengths) / len(lengths))
    meaning = np.array([each.likeness or 0.0 for each in measured]) if by_meaning else None
    scores: list[float] = ranking.fused(by_words, meaning).tolist()
    return scores


def _with_neighbours(
    actor: Actor, filters: Filters, measured: list[Measured], scores: list[float]
) -> tuple[list[Measured], list[float]]:
    """The candidates and what stands next to the best of them, which has no score of its own."""
    best = bringing([each.row for each in measured], scores)
    known = {each.row.pk for each in measured}
    more = [
        Measured(row, {}, None, None)
        for row in (backend().beside(actor.workspace, filters, best) if best else ())
        if row.pk not in known
    ]
    return measured + more, scores + [0.0] * len(more)
