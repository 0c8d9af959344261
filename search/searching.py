"""Search: one function behind the page, the API and the tools."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import numpy as np
from django.db.models import QuerySet
from django.db.models.functions import Left
from django.utils import timezone

from search import analyze, ranking, vectors, words
from search.backends import Filters, Where, backend
from search.beside import neighbours, next_to
from search.embedders import Unavailable
from search.filtering import filtered, seen_now
from search.models import Document
from search.rarity import rarities, telling
from search.weighing import ALIKE, Hit, Sought, explain, is_nonsense, read_closely, weigh
from workspaces.actor import Actor
from workspaces.models import Workspace

BY_TEXT, BY_VECTOR = 100, 50
# What a word counts that was looked for in the place of a mistyped one.
GUESSED = 0.8
# So many of the best are read in full.
CLOSELY = 40
# So much of a text is read to show and to compare.
HEAD = 2_000
# What is read of the others.
LIGHT = ("pk", "frame_id", "place", "at", "length", "kind", "type", "is_open", "score", "pinned",
         "superseded", "project_id", "owner_id")  # fmt: skip


@dataclass(slots=True)
class Found:
    """`pool` are the documents that fit at all, best first, each with what LIGHT names; `hits` the
    first of them, read in full."""

    hits: list[Hit] = field(default_factory=list)
    pool: list[Any] = field(default_factory=list)
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
) -> Found:
    """As `search`, with what else fits and what mistyped words were taken for.

    Documents with one of the `phrases`, and of a type to `prefer`, come first. What is recent is
    so at `now`. Without `by_meaning` words alone decide, and no embedder is asked. `counted` keeps
    the counts of words for who asks again at once.
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
    likeness: dict[UUID, float] = {}
    if vector is not None:
        likeness = dict(backend().by_vector(actor.workspace, vector, where, filters, BY_VECTOR))
        ids = list(dict.fromkeys([*ids, *likeness]))
    candidates = Document.objects.in_workspace(actor.workspace).filter(pk__in=ids)
    documents, occurrences, more = backend().measured(
        seen_now(candidates, actor.user), LIGHT, list(weights), vector, where.model
    )
    likeness |= more
    scored = _scored(documents, occurrences, weights, rarity, vector is not None, likeness)
    near_by = neighbours(actor.workspace, filters, documents, scored)
    documents |= {
        row.pk: row
        for row in seen_now(near_by, actor.user).values_list(*LIGHT, named=True)
        if row.pk not in documents
    }
    summed = ranking.with_neighbours(
        {id_: scored.get(id_, 0.0) for id_ in documents}, next_to(documents.values())
    )
    sought = Sought(analyze.spelled(text), weights, rarity, meant, phrases, prefer)
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
    pool = [hit.document for hit in good]
    best = _read(actor, good[: max(limit, CLOSELY)])
    for hit in best:
        read_closely(hit, sought)
    best.sort(key=order)
    for hit in best[:limit]:
        explain(hit, sought, now)
    return Found(best[:limit], pool, meant)


def newest(
    *, actor: Actor, filters: Filters, limit: int, by: str = "-at", pool: int = 300
) -> Found:
    """What passes the filters, without words to look for."""
    rows = filtered(actor.workspace, within(actor, filters)).order_by(by, "-pk")
    documents = list(seen_now(rows, actor.user).values_list(*LIGHT, named=True)[:pool])
    hits = _read(actor, [Hit(document, 0.0) for document in documents[:limit]])
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
            return model.embed([text])[0], Where(model.name, model.dimension, bucket)
        except Unavailable:
            continue
    return None, NOWHERE


def _read(actor: Actor, hits: list[Hit]) -> list[Hit]:
    """The hits with their documents in full; without those that are gone by now."""
    rows = Document.objects.in_workspace(actor.workspace)
    rows = rows.filter(pk__in=[hit.document.pk for hit in hits])
    full = {row.pk: row for row in _load(actor, rows)}
    there = [hit for hit in hits if hit.document.pk in full]
    for hit in there:
        hit.document = full[hit.document.pk]
    return there


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
    documents: dict[UUID, Any],
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
