"""Context over REST."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from django.http import HttpRequest
from django.urls import reverse
from ninja import Path, Query, Router
from pydantic import Field, StringConstraints

from frames.reach import find_project, find_session
from search.context.compile import (
    LEAST,
    MOST,
    USUAL,
    bundles_of,
    compile_context,
    find_bundle,
    items_of,
)
from search.models import ContextBundle
from stackmemory.lib.contract import (
    In,
    Instant,
    Line,
    Listed,
    Out,
    Paging,
    Wanted,
    absolute,
    actor_of,
    page,
    visible,
)
from stackmemory.lib.operations import permits

router = Router(tags=["Context"])
Question = Annotated[str, StringConstraints(max_length=20_000), visible]
NEWEST_FIRST = ("-created_at", "-id")


class ContextIn(In):
    project: Line = Field(
        "", description="Slug or id; may be left out where a session is named, or there is one."
    )
    session: Line = Field("", description="The run it is for: our id, or the client’s own.")
    query: Question = Field(
        "", description="What the work is about; without one, what the session is at."
    )
    budget: int = Field(USUAL, ge=LEAST, le=MOST, description="In tokens, for all of the text.")
    as_of: Instant | None = Field(
        None, description="What would have been given then, from what was known then."
    )
    limit: int | None = Field(None, ge=1, le=1_000, description="At most so many things.")


class ContextFilter(Paging):
    project: Wanted = Field("", description="Only of this project (slug or id).")
    session: Wanted = Field("", description="Only of this session (our id, or the client’s).")


class ItemOut(Out):
    section: str = Field(description="path, rules, anchors, digests, others, events, pointers.")
    kind: str = Field(description="What the id names: frame, anchor or event.")
    id: str
    title: str
    score: float = Field(description="0 to 1, within its section.")
    reason: str = Field(description="Why it is here.")
    tokens: int
    text: str


class ContextBrief(Out):
    id: str
    project: str
    session: str | None
    user: str | None = Field(description="For whom: e-mail address.")
    origin: str = Field(description="api, tool, hook or page.")
    query: str
    budget: int
    tokens: int = Field(description="Of the text, by cl100k_base.")
    as_of: datetime | None
    made_at: datetime
    hash: str = Field(description="SHA-256; the same for the same state.")
    url: str = Field(description="Its page, for people.")


class ContextOut(ContextBrief):
    text: str = Field(description="What to give to the model; the most important first.")
    items: list[ItemOut]


@router.post("/context", response={201: ContextOut}, summary="Compile context")
@permits("read", once=False, records=True)
def post_context(request: HttpRequest, body: ContextIn) -> Any:
    """What an agent at work should know: the active path with its constraints, anchors, digests,
    events; within the budget, recorded."""
    actor = actor_of(request)
    session = find_session(actor, body.session) if body.session else None
    named = body.project or session is None
    project = find_project(actor, body.project) if named else session.project  # type: ignore[union-attr]
    bundle = compile_context(
        actor=actor, project=project, session=session, query=body.query, budget=body.budget,
        as_of=body.as_of, most=body.limit,
    )  # fmt: skip
    return 201, context_out(actor.workspace.slug, bundle)


@router.get("/context", response=Listed[ContextBrief], summary="List contexts")
@permits("read")
def list_contexts(request: HttpRequest, filters: Query[ContextFilter]) -> Any:
    """What agents were given, the latest first; without what holds others’ private work."""
    actor = actor_of(request)
    bundles = bundles_of(actor).defer("text", "items")
    if filters.project:
        bundles = bundles.filter(project=find_project(actor, filters.project))
    if filters.session:
        bundles = bundles.filter(session=find_session(actor, filters.session))
    slug = actor.workspace.slug
    return page(filters, bundles, NEWEST_FIRST, lambda row: ContextBrief(**_brief(slug, row)))


@router.get("/context/{id}", response=ContextOut, summary="Get a context")
@permits("read")
def get_context(request: HttpRequest, id: Path[str]) -> Any:
    """Exactly what the agent was given."""
    actor = actor_of(request)
    return context_out(actor.workspace.slug, find_bundle(actor, id))


def context_out(slug: str, bundle: ContextBundle) -> ContextOut:
    items = [
        ItemOut(**{name: getattr(item, name) for name in ItemOut.model_fields})
        for item in items_of(bundle)
    ]
    return ContextOut(**_brief(slug, bundle), text=bundle.text, items=items)


def _brief(slug: str, bundle: ContextBundle) -> dict[str, Any]:
    return {
        "id": str(bundle.pk),
        "project": bundle.project.slug,
        "session": str(bundle.session_id) if bundle.session_id else None,
        "user": bundle.user.email if bundle.user else None,
        "origin": bundle.origin,
        "query": bundle.query,
        "budget": bundle.budget,
        "tokens": bundle.tokens,
        "as_of": bundle.as_of,
        "made_at": bundle.created_at,
        "hash": bundle.hash,
        "url": absolute(reverse("search:context", args=[slug, bundle.pk])),
    }
