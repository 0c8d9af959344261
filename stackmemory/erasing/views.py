"""Pages on which a frame or a session is erased: what would go, and a word to type."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods

from frames.models import AgentSession, Frame
from stackmemory.erasing import doing
from stackmemory.lib.refusal import Conflict, Forbidden
from workspaces.access import requires
from workspaces.actor import Actor
from workspaces.forms import ConfirmForm
from workspaces.request import WorkspaceRequest


@require_http_methods(["GET", "HEAD", "POST"])
@requires("read")
def frame_erasure(request: WorkspaceRequest, frame_id: uuid.UUID) -> HttpResponse:
    frames = request.workspace.frames.visible_to(request.user)
    frame = get_object_or_404(frames.select_related("project", "session"), pk=frame_id)
    return _erasure(request, frame, frame.project)


@require_http_methods(["GET", "HEAD", "POST"])
@requires("read")
def session_erasure(request: WorkspaceRequest, session_id: uuid.UUID) -> HttpResponse:
    sessions = request.workspace.agentsessions.select_related("project")
    session = get_object_or_404(sessions, pk=session_id)
    return _erasure(request, session, session.project)


def _erasure(request: WorkspaceRequest, thing: Frame | AgentSession, project: Any) -> HttpResponse:
    actor = Actor.of_member(request.membership)
    form = ConfirmForm(request.POST or None, expected=doing.WORD)
    context = {"thing": thing, "frame": isinstance(thing, Frame), "project": project, "form": form}
    try:
        if request.method == "POST" and form.is_valid():
            told = doing.erase_thing(actor, thing, request)
            messages.success(request, _done(told))
            return redirect("frames:project", request.workspace.slug, project.slug)
        context["told"] = doing.told(doing.find(actor, thing))
    except Forbidden as refusal:
        raise PermissionDenied(refusal.message) from None
    except Conflict as refusal:
        context["held"] = refusal.message
    status = 422 if form.is_bound else 200
    return render(request, "erasing/erasure.html", context, status=status)


def _done(told: doing.Told) -> str:
    number = told.goes.frames
    what = f"{number:,} frame{'s' if number != 1 else ''}"
    if told.by_worker:
        return f"{what} with {told.goes.events:,} events are being erased; that takes some minutes."
    return f"{what} with {told.goes.events:,} events are erased."
