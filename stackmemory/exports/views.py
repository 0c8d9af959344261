"""The page of exports: ask for one, see how far it is, fetch it, let it go."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from frames.models import Export
from stackmemory.exports import making
from stackmemory.exports.forms import ArchiveForm, StoreForm
from stackmemory.exports.sending import pieces_of, send
from stackmemory.lib.refusal import Refusal
from workspaces.access import may, requires
from workspaces.actor import Actor
from workspaces.request import WorkspaceRequest

SHOWN = 30


@require_http_methods(["GET", "HEAD", "POST"])
@requires("export")
def exports(request: WorkspaceRequest) -> HttpResponse:
    if request.method != "POST":
        return _page(request)
    archive = request.POST.get("format") == Export.Format.ARCHIVE
    form = ArchiveForm(request.POST) if archive else _store_form(request, request.POST)
    if form.is_valid():
        data = form.cleaned_data
        try:
            making.ask(
                actor=Actor.of_member(request.membership),
                format=Export.Format.ARCHIVE if archive else Export.Format.STORE,
                project=data.get("project"),
                schema=data.get("schema") or "new",
                private=bool(data.get("private")),
            )
        except Refusal as refusal:
            form.add_error(None, refusal.message)
        else:
            messages.success(request, "It is being made; this page says when it can be fetched.")
            return redirect("exports", request.workspace.slug)
    return _page(request, **{"archive" if archive else "store": form})


@require_safe
@requires("export")
def progress(request: WorkspaceRequest) -> HttpResponse:
    """The part of the page that moves; it says when there is nothing more to wait for."""
    context = _context(request)
    response = render(request, "exports/_list.html", context)
    response["Cache-Control"] = "no-store"
    if not context["under_way"]:
        response["X-Over"] = "1"
    return response


@require_safe
@requires("read")
def download(request: WorkspaceRequest, export_id: uuid.UUID) -> HttpResponseBase:
    export = _find(request, export_id)
    path = making.file_of(export)
    if path is None:
        raise Http404("There is no file of this export, or no more.")
    kind = "application/zip" if path.suffix == ".zip" else "application/vnd.sqlite3"
    return send(request, pieces_of(path), name=path.name, kind=kind, size=path.stat().st_size)


@require_POST
@requires("read")
def cancellation(request: WorkspaceRequest, export_id: uuid.UUID) -> HttpResponse:
    if making.cancel(_find(request, export_id)):
        messages.success(request, "It is stopped, and nothing of it is kept.")
    return redirect("exports", request.workspace.slug)


def _find(request: WorkspaceRequest, export_id: uuid.UUID) -> Export:
    """One's own export, while one may still make such; else 404."""
    mine = making.exports_of(request.workspace, request.user)
    export: Export = get_object_or_404(mine, pk=export_id)
    if not may(request.membership.role, making.PERMISSIONS[Export.Format(export.format)]):
        raise Http404("Not yours any more.")
    return export


def _store_form(request: WorkspaceRequest, data: Any = None) -> StoreForm:
    owner = may(request.membership.role, "archive")
    return StoreForm(data, workspace=request.workspace, owner=owner)


def _context(request: WorkspaceRequest) -> dict[str, Any]:
    found = list(making.exports_of(request.workspace, request.user).order_by("-id")[:SHOWN])
    for export in found:
        export.silent = making.is_silent(export)  # type: ignore[attr-defined]
        export.there = making.file_of(export) is not None  # type: ignore[attr-defined]
        total = max(export.total_rows, 1)
        export.percent = min(99, 100 * export.done_rows // total)  # type: ignore[attr-defined]
    waiting = [e for e in found if not e.is_over and not e.silent]  # type: ignore[attr-defined]
    return {"exports": found, "under_way": bool(waiting)}


def _page(request: WorkspaceRequest, **bound: Any) -> HttpResponse:
    forms: dict[str, Any] = {"store": _store_form(request)}
    if may(request.membership.role, "archive"):
        forms["archive"] = ArchiveForm()
    context = _context(request) | {"forms": forms | bound}
    return render(request, "exports/exports.html", context, status=422 if bound else 200)
