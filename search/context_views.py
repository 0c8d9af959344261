"""Pages of context: what the agents of a session were given, and what a person thinks of it."""

from __future__ import annotations

import uuid
from itertools import groupby
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from frames.models import AgentSession, Frame
from frames.views.listing import page_of
from frames.views.timeline import asked_time
from search.context.compile import USUAL, bundles_of, compile_context, find_bundle, items_of
from search.context.marking import mark, marks_by
from search.context.pack import SECTIONS
from search.erasing import TAKEN_OUT
from search.models import ContextBundle
from stackmemory.lib.refusal import NotFound, Refusal
from workspaces.access import may, requires
from workspaces.actor import Actor
from workspaces.request import WorkspaceRequest

HEADINGS = {
    "path": "Where the work is", "rules": "What must hold", "anchors": "Decided and known",
    "digests": "Done before", "others": "Others are at work on", "events": "Latest events",
    "pointers": "Left out for room",
}  # fmt: skip
NEWEST_FIRST = ("-created_at", "-id")


@require_safe
@requires("read")
def contexts(request: WorkspaceRequest, session_id: uuid.UUID) -> HttpResponse:
    """What one session's agent was given, the latest first; and the form that asks for another."""
    session = _session(request, session_id)
    actor = Actor.of_member(request.membership)
    bundles = bundles_of(actor).filter(session=session).defer("text")
    return render(
        request,
        "search/contexts.html",
        {
            "session": session,
            "project": session.project,
            "page": page_of(request, bundles, order=NEWEST_FIRST),
            "budget": USUAL,
        },
    )


@require_POST
@requires("read")
def context_new(request: WorkspaceRequest, session_id: uuid.UUID) -> HttpResponse:
    """Compile what this session would be given now, or at a time that has passed."""
    session = _session(request, session_id)
    given = request.POST
    at = given.get("as_of", "").strip()
    as_of = asked_time(at) if at else None
    try:
        if at and as_of is None:
            raise Refusal("invalid", "That is not a time; nothing was compiled.", field="as_of")
        bundle = compile_context(
            actor=Actor.of_member(request.membership), project=session.project, session=session,
            query=given.get("query", "").replace("\x00", "")[:2_000], as_of=as_of,
            budget=_number(given.get("budget", "")), origin=ContextBundle.Origin.PAGE,
        )  # fmt: skip
    except Refusal as refusal:
        messages.error(request, refusal.message)
        return redirect("search:contexts", request.workspace.slug, session.pk)
    return redirect("search:context", request.workspace.slug, bundle.pk)


@require_safe
@requires("read")
def context(request: WorkspaceRequest, bundle_id: uuid.UUID) -> HttpResponse:
    """One bundle, each thing with its reason, and the text exactly as it was given."""
    bundle = _bundle(request, bundle_id)
    said = marks_by(request.workspace, request.user, [row["id"] for row in bundle.items])
    rows: list[dict[str, Any]] = [
        {"item": item, "url": _place(request, item), "useful": said.get(item.id)}
        for item in items_of(bundle)
    ]
    groups = [
        (HEADINGS[section], section != "pointers", list(each))
        for section, each in groupby(rows, key=lambda row: row["item"].section)
    ]
    shares = [
        (HEADINGS[section.name], spent)
        for section in SECTIONS
        if (spent := sum(row["tokens"] for row in bundle.items if row["section"] == section.name))
    ]
    again = bundle.as_of or bundle.created_at
    return render(
        request,
        "search/context.html",
        {
            "bundle": bundle,
            "project": bundle.project,
            "groups": groups,
            "shares": shares,
            "things": sum(row["section"] != "pointers" for row in bundle.items),
            "may_mark": may(request.membership.role, "write"),
            "again": again.astimezone(timezone.get_current_timezone()),
        },
    )


@require_POST
@requires("write")
def context_mark(request: WorkspaceRequest, bundle_id: uuid.UUID) -> HttpResponse:
    """Say of one thing in it whether it was of use; the same again takes that back."""
    bundle = _bundle(request, bundle_id)
    useful = {"yes": True, "no": False}.get(request.POST.get("useful", ""))
    try:
        mark(
            actor=Actor.of_member(request.membership), bundle=bundle,
            item_id=request.POST.get("item", ""), useful=useful,
        )  # fmt: skip
    except Refusal as refusal:
        messages.error(request, refusal.message)
    return redirect("search:context", request.workspace.slug, bundle.pk)


def _session(request: WorkspaceRequest, session_id: uuid.UUID) -> AgentSession:
    sessions = request.workspace.agentsessions.select_related("project", "user")
    found: AgentSession = get_object_or_404(sessions, pk=session_id)
    return found


def _bundle(request: WorkspaceRequest, bundle_id: uuid.UUID) -> ContextBundle:
    try:
        return find_bundle(Actor.of_member(request.membership), str(bundle_id))
    except NotFound:
        raise Http404 from None


def _place(request: WorkspaceRequest, item: Any) -> str:
    """The page of the thing itself; that of an anchor or event is not known without asking."""
    is_there = item.kind == "frame" and item.title != TAKEN_OUT
    return Frame(pk=item.id, workspace=request.workspace).get_absolute_url() if is_there else ""


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else USUAL
