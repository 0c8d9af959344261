"""Search over REST."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from django.http import HttpRequest
from ninja import Query as InQuery
from ninja import Router
from pydantic import BaseModel, Field

from search.asking import Answer, Chosen, ask
from search.places import place_of
from search.weighing import Hit
from stackmemory.lib.contract import In, JsonObject, Out, Wanted, absolute, actor_of
from stackmemory.lib.operations import permits
from stackmemory.lib.refusal import Refusal

router = Router(tags=["Search"])
EXCERPT = 600


class Asked(BaseModel):
    q: str = Field(
        "",
        max_length=2000,
        description="Plain words, modifiers (`+owner:alice +last:7d +type:decision`), a template"
        " (`standup for @alice`) or a query as JSON.",
    )
    project: Wanted = Field("", description="Only of this project (slug).")
    kind: Literal["", "frame", "event", "anchor", "task"] = Field("", description="Only of these.")
    type: Wanted = Field("", description="Only of this type, e.g. `decision`.")
    sort: Literal["", "relevance", "time", "score"] = Field("", description="What comes first.")
    limit: int = Field(20, ge=1, le=100, description="How many to give at most.")


class AskedIn(In):
    query: str | JsonObject = Field(
        description="As `q`, or structured: time, content, frame, people, output."
    )
    limit: int = Field(20, ge=1, le=100)


class IdOut(Out):
    """A hit where `+format:ids` was asked for."""

    id: str
    kind: str


class HitOut(Out):
    id: str = Field(description="Of the thing that was found.")
    kind: str
    type: str
    title: str
    text: str = Field(description="Its beginning; all of it with `+format:full`.")
    who: str
    at: datetime
    project: str
    frame: str | None
    score: float
    superseded: bool
    pinned: bool
    reasons: list[str] = Field(description="Why it is here.")
    group: str = Field(description="The heading it stands under, with `+group:`; else empty.")
    url: str = Field(description="The page it is on, for people.")


class Understood(Out):
    original: str
    text: str = Field(description="The words that were looked for.")
    parts: list[str] = Field(description="What everything else was taken for.")
    left_out: list[str] = Field(
        description="Read out of plain words, and dropped to find anything."
    )


class FacetOut(Out):
    value: str
    label: str
    count: int


class SearchOut(Out):
    hits: list[HitOut | IdOut]
    total: int = Field(description="How many fit, of those looked at closely.")
    understood: Understood
    suggestions: list[str] = Field(description="How to refine it.")
    facets: dict[str, list[FacetOut]] = Field(
        description="How many of those looked at closely there are of each project, kind …"
    )


@router.get("/search", response=SearchOut, summary="Search")
@permits("read")
def get_search(request: HttpRequest, asked: InQuery[Asked]) -> Any:
    """Everything the team may see, best first; every hit says why it is there."""
    chosen = Chosen(project=asked.project, kind=asked.kind, type=asked.type, sort=asked.sort)
    answer = ask(actor=actor_of(request), given=asked.q, chosen=chosen, limit=asked.limit)
    return search_out(actor_of(request).workspace.slug, answer)


@router.post("/search", response=SearchOut, summary="Search by a structured query")
@permits("read", once=False)
def post_search(request: HttpRequest, body: AskedIn) -> Any:
    """As GET, for queries too long or too structured for an address. Changes nothing."""
    answer = ask(actor=actor_of(request), given=body.query, limit=body.limit)
    return search_out(actor_of(request).workspace.slug, answer)


def search_out(slug: str, answer: Answer) -> SearchOut:
    """Raises Refusal for a query that cannot be."""
    query = answer.query
    if query.problems:
        raise Refusal("invalid", " ".join(query.problems), field="q")
    if not query.text and not query.phrases and not query.is_filtered and not answer.hits:
        raise Refusal("invalid", "Say what to look for.", field="q")
    return SearchOut(
        hits=[hit_out(slug, hit, answer) for hit in answer.hits],
        total=answer.total,
        understood=Understood(
            original=query.original,
            text=query.text,
            parts=query.understood,
            left_out=answer.yielded,
        ),
        suggestions=query.suggestions,
        facets={
            name: [FacetOut(value=c.value, label=c.label, count=c.count) for c in choices]
            for name, choices in answer.facets.items()
        },
    )


def hit_out(slug: str, hit: Hit, answer: Answer) -> HitOut | IdOut:
    document, wanted = hit.document, answer.query.format
    if wanted == "ids":
        return IdOut(id=str(document.object_id), kind=document.kind)
    return HitOut(
        id=str(document.object_id),
        kind=document.kind,
        type=document.type,
        title=document.title,
        text=document.text if wanted == "full" else document.head[:EXCERPT],
        who=document.who,
        at=document.at,
        project=document.project.slug,
        frame=str(document.frame_id) if document.frame_id else None,
        score=round(hit.score, 4),
        superseded=document.superseded,
        pinned=document.pinned,
        reasons=hit.reasons,
        group=hit.group,
        url=absolute(place_of(document, slug)),
    )
