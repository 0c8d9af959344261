"""The search page: where was that?"""

from __future__ import annotations

import uuid
from dataclasses import asdict
from urllib.parse import parse_qsl, urlencode

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from frames.views.listing import text_param
from search.asking import Answer, Chosen, ask
from search.models import Document, SavedSearch
from search.passages import passage
from search.places import place_of
from search.query.templates import EXAMPLES
from workspaces.access import requires
from workspaces.actor import Actor
from workspaces.request import WorkspaceRequest

LONGEST = 2_000
MOST_SAVED = 30
PARAMETERS = ("q", "project", "kind", "type", "person", "age", "sort")
FACETS = (("project", "Project"), ("kind", "Kind"), ("type", "Type"), ("person", "Person"), ("age", "Time"))  # fmt: skip
TRY = (
    ("what did we decide about caching", "a question in plain words"),
    ("my work this week", "whose and when, as you would say it"),
    ("timeout +file:*.py +last:7d", "with modifiers, which always hold"),
    *((example, "a template") for example in EXAMPLES[:2]),
    ("+type:decision +sort:time", "no words: the newest decisions"),
)


@require_safe
@requires("read")
def search(request: WorkspaceRequest) -> HttpResponse:
    """The page; with ?part=1 what changes as one types."""
    given = request.GET.get("q", "").replace("\x00", "").strip()[:LONGEST]
    chosen = Chosen(**{name: text_param(request, name) for name in PARAMETERS[1:]})
    answer = ask(actor=Actor.of_member(request.membership), given=given, chosen=chosen)
    slug = request.workspace.slug
    context = {
        "answer": answer,
        "q": given,
        "chosen": asdict(chosen),
        "is_narrowed": bool(chosen),
        "rows": _rows(answer, slug),
        "facets": [(name, label, answer.facets.get(name, ())) for name, label in FACETS],
        "is_asked": bool(given or chosen),
        "has_documents": bool(answer.hits) or _has_documents(request),
        "examples": TRY,
    }
    if request.GET.get("part"):
        return render(request, "search/_results.html", context)
    if not context["is_asked"]:
        saved = SavedSearch.objects.in_workspace(request.workspace).filter(user=request.user)
        context["saved"] = list(saved[:MOST_SAVED])
    return render(request, "search/search.html", context)


@require_POST
@requires("read")
def save(request: WorkspaceRequest) -> HttpResponse:
    """Keep a search under a name; the same name again keeps the new one."""
    query = clean_query(request.POST.get("query", ""))
    name = " ".join(request.POST.get("name", "").replace("\x00", "").split())[:80]
    saved = SavedSearch.objects.in_workspace(request.workspace).filter(user=request.user)
    if not query:
        messages.error(request, "There is nothing to save: search for something first.")
    elif saved.count() >= MOST_SAVED:
        messages.error(request, f"You have {MOST_SAVED} saved searches already; remove one first.")
    else:
        name = name or dict(parse_qsl(query)).get("q", "")[:80] or "Search"
        SavedSearch.unscoped.update_or_create(
            workspace=request.workspace, user=request.user, name=name, defaults={"query": query}
        )
        messages.success(request, f"Saved as “{name}”.")
    return _back(request, query)


@require_POST
@requires("read")
def forget(request: WorkspaceRequest, saved_id: uuid.UUID) -> HttpResponse:
    saved = SavedSearch.objects.in_workspace(request.workspace).filter(user=request.user)
    get_object_or_404(saved, pk=saved_id).delete()
    return _back(request, clean_query(request.POST.get("query", "")))


def clean_query(text: str) -> str:
    """A query string of this page's own parameters and of nothing else."""
    pairs = parse_qsl(text.lstrip("?").replace("\x00", "")[:3_000])
    query = urlencode([(k, v) for k, v in pairs if k in PARAMETERS and v])
    return query if len(query) <= 1_000 else ""


def _back(request: WorkspaceRequest, query: str) -> HttpResponse:
    response = redirect("search:search", request.workspace.slug)
    if query:
        response["Location"] += f"?{query}"
    return response


def _rows(answer: Answer, slug: str) -> list[dict[str, object]]:
    rows = []
    for hit in answer.hits:
        document = hit.document
        phrases = " ".join(answer.query.phrases)
        rows.append(
            {
                "hit": hit,
                "document": document,
                "url": place_of(document, slug),
                "title": passage(document.title, hit.words, 160),
                "passage": passage(document.head, hit.words or phrases.lower().split()),
                "who": document.who if document.who not in ("user", "assistant") else "",
            }
        )
    return rows


def _has_documents(request: WorkspaceRequest) -> bool:
    return bool(Document.objects.in_workspace(request.workspace).exists())
