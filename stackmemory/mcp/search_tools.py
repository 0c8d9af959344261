"""Tools that find: search everything, then fetch one thing whole."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from msgspec import Meta

from frames.reach import uuid_or_none
from search.asking import Answer, Chosen, ask
from search.fetching import fetch_document
from search.places import place_of
from search.weighing import Hit
from stackmemory.lib.contract import absolute
from stackmemory.lib.refusal import NotFound, Refusal
from stackmemory.mcp.call import Call
from stackmemory.mcp.params import IN_PROJECT
from stackmemory.mcp.shapes import Shape, listed, one_line, shorter
from stackmemory.mcp.tool import Given, tool

EXCERPT, LINE = 400, 200
LONGEST = 60_000


class Search(Given, kw_only=True):
    query: Annotated[
        str,
        Meta(
            description="Plain words (“what did we decide about caching”), with modifiers where they"
            " help (“+owner:alice +last:7d +type:decision +file:*.py”), a template (“standup for"
            " @alice”), or JSON.",
            min_length=1,
            max_length=2_000,
        ),
    ]
    project: IN_PROJECT = ""
    limit: Annotated[int, Meta(ge=1, le=50)] = 10


class FoundShape(Shape, kw_only=True):
    id: str
    kind: str
    type: str = ""
    title: str = ""
    text: str = ""
    who: str = ""
    at: datetime | None = None
    project: str = ""
    frame: str | None = None
    superseded: bool = False
    reasons: list[str] = []
    url: str = ""


class SearchResult(Shape, kw_only=True):
    results: list[FoundShape]
    total: int
    understood: list[str] = []
    left_out: list[str] = []
    suggestions: list[str] = []


@tool(title="Search the team's memory", read=True)
def search(call: Call, given: Search) -> tuple[SearchResult, str]:
    """Find frames, decisions, tasks and moments of any timeline, best first, each with the reasons
    it is there.

    Go on with fetch for one of them, or get_frame and get_timeline for its surroundings."""
    return _searched(call, given)


@tool(title="Search the team's memory (old name)", read=True)
def sm_search(call: Call, given: Search) -> tuple[SearchResult, str]:
    """The same as search, under the name it has in the local StackMemory."""
    return _searched(call, given)


class Fetch(Given, kw_only=True):
    id: Annotated[str, Meta(description="`id` of a search’s result.", max_length=100)]


class Fetched(Shape, kw_only=True):
    id: str
    kind: str
    type: str = ""
    title: str = ""
    text: str = ""
    who: str = ""
    at: datetime
    project: str
    frame: str | None = None
    superseded: bool = False
    url: str = ""


@tool(title="Fetch what a search found", read=True)
def fetch(call: Call, given: Fetch) -> tuple[Fetched, str]:
    """One thing that a search found, with all of its text and where it is from."""
    key = uuid_or_none(given.id)
    project = call.project_of_url
    found = fetch_document(call.actor, key, project=project) if key else None
    if found is None:
        raise NotFound("such thing", field="id")
    fetched = Fetched(
        id=str(found.object_id), kind=found.kind, type=found.type, title=found.title,
        text=shorter(found.text, LONGEST), who=found.who, at=found.at, project=found.project.slug,
        frame=str(found.frame_id) if found.frame_id else None, superseded=found.superseded,
        url=absolute(place_of(found, call.actor.workspace.slug)),
    )  # fmt: skip
    return fetched, f"{found.title} ({found.kind}, {found.at:%Y-%m-%d %H:%M})\n{fetched.text}"


def _searched(call: Call, given: Search) -> tuple[SearchResult, str]:
    project = call.project_or_none(given.project)
    chosen = Chosen(project=project.slug if project else "")
    answer = ask(actor=call.actor, given=given.query, chosen=chosen, limit=given.limit)
    if answer.query.problems:
        raise Refusal("invalid", " ".join(answer.query.problems), field="query")
    slug = call.actor.workspace.slug
    result = SearchResult(
        results=[_shape(hit, slug, answer) for hit in answer.hits],
        total=answer.total,
        understood=answer.query.understood,
        left_out=answer.yielded,
        suggestions=answer.query.suggestions,
    )
    lines = [
        f"{hit.document.object_id} {hit.document.kind}"
        f" “{shorter(one_line(hit.document.title), 80)}”"
        f" {hit.document.at:%Y-%m-%d}: {shorter(one_line(hit.document.head), LINE)}"
        f" [{'; '.join(hit.reasons)}]"
        for hit in answer.hits
    ]
    words = listed(lines, "Nothing fits. Try other words, or fewer modifiers.")
    if answer.query.understood:
        words = f"Taken as: {', '.join(answer.query.understood)}\n{words}"
    return result, words


def _shape(hit: Hit, slug: str, answer: Answer) -> FoundShape:
    document = hit.document
    if answer.query.format == "ids":
        return FoundShape(id=str(document.object_id), kind=document.kind)
    return FoundShape(
        id=str(document.object_id), kind=document.kind, type=document.type, title=document.title,
        text=shorter(document.text, LONGEST) if answer.query.format == "full" else shorter(document.head, EXCERPT),
        who=document.who, at=document.at, project=document.project.slug,
        frame=str(document.frame_id) if document.frame_id else None,
        superseded=document.superseded, reasons=hit.reasons,
        url=absolute(place_of(document, slug)),
    )  # fmt: skip
