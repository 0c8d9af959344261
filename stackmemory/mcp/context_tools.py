"""The tool that gives an agent what it should know, within a budget, and gives it again."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from msgspec import Meta

from search.context.compile import (
    LEAST,
    MOST,
    USUAL,
    compile_context,
    find_bundle,
    items_of,
)
from search.models import ContextBundle
from stackmemory.lib.refusal import NotFound
from stackmemory.mcp.call import Call
from stackmemory.mcp.params import IN_PROJECT, IN_SESSION
from stackmemory.mcp.shapes import Shape
from stackmemory.mcp.tool import Given, tool


class GetContext(Given, kw_only=True):
    query: Annotated[
        str,
        Meta(
            description="What the work is about, in plain words. Left out: what your session’s open"
            " frames are about.",
            max_length=20_000,
        ),
    ] = ""
    budget: Annotated[
        int, Meta(description="At most so many tokens of text.", ge=LEAST, le=MOST)
    ] = USUAL
    as_of: Annotated[
        datetime | None,
        Meta(
            description="What would have been given then, with its zone, e.g. “2026-01-31T12:00:00Z”."
        ),
    ] = None
    limit: Annotated[
        int, Meta(description="At most so many things; 0 is as many as fit.", ge=0, le=1_000)
    ] = 0
    id: Annotated[
        str,
        Meta(
            description="Of a context given before: that one again, word for word.", max_length=100
        ),
    ] = ""
    session: IN_SESSION = ""
    project: IN_PROJECT = ""


class ItemShape(Shape, kw_only=True):
    section: str
    kind: str
    id: str
    score: float
    reason: str
    tokens: int


class Context(Shape, kw_only=True):
    """The items are the text’s, in its order."""

    id: str
    project: str
    session: str | None = None
    query: str = ""
    budget: int
    tokens: int
    as_of: datetime | None = None
    made_at: datetime
    hash: str
    items: list[ItemShape]


@tool(title="Get the context of the work", read=True, records=True)
def get_context(call: Call, given: GetContext) -> tuple[Context, str]:
    """What you should know now, most important first, within a token budget: where you are and what
    must hold, decisions, digests of related work, what others do, the latest events. Ask when you
    begin, after your memory was compacted, or with a query when the work turns.

    The text is the context; the items say why each thing is in it, and its id. What was given is
    kept, and `id` gives it again."""
    if given.id:
        bundle = find_bundle(call.actor, given.id)
        if call.project_of_url not in (None, bundle.project):
            raise NotFound("context", field="id")
    else:
        project = call.project(given.project, session=given.session)
        bundle = compile_context(
            actor=call.actor,
            project=project,
            session=call.session_or_none(given.session, project),
            query=given.query,
            budget=given.budget,
            as_of=given.as_of,
            most=given.limit or None,
            origin=ContextBundle.Origin.TOOL,
        )
    context = Context(
        id=str(bundle.pk),
        project=bundle.project.slug,
        session=str(bundle.session_id) if bundle.session_id else None,
        query=bundle.query,
        budget=bundle.budget,
        tokens=bundle.tokens,
        as_of=bundle.as_of,
        made_at=bundle.created_at,
        hash=bundle.hash,
        items=[
            ItemShape(
                section=item.section, kind=item.kind, id=item.id, score=item.score,
                reason=item.reason, tokens=item.tokens,
            )
            for item in items_of(bundle)
        ],
    )  # fmt: skip
    return context, bundle.text or "Nothing is known of this project yet."
