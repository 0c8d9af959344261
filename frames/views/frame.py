"""A frame: what happened here, and what came of it?"""

from __future__ import annotations

import uuid
from typing import Any

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from frames import payload, stack, timeline
from frames.entries import entries
from frames.models import Frame
from frames.outcome import outcome_of
from frames.views.listing import text_param
from frames.views.timeline import page_for, rows
from workspaces.access import requires
from workspaces.request import WorkspaceRequest

CHILDREN, ANCHORS, CONSTRAINTS = 40, 60, 100


@require_safe
@requires("read")
def frame(request: WorkspaceRequest, frame_id: uuid.UUID) -> HttpResponse:
    workspace, user = request.workspace, request.user
    found = get_object_or_404(
        workspace.frames.visible_to(user).select_related("project", "session", "owner"),
        pk=frame_id,
    )
    found.workspace = workspace
    above, siblings = stack.family(found, user)
    called = stack.rows_for(workspace.frames.filter(parent=found), user)
    children = list(called.order_by(*stack.NEWEST_FIRST)[: CHILDREN + 1])[::-1]
    page = page_for(request, timeline.stretch_of(found))
    return render(
        request,
        "frames/frame.html",
        {
            "frame": found,
            "project": found.project,
            "above": above,
            **_beside(found, siblings),
            "outcome": outcome_of(found),
            "constraints": constraints_of(found),
            "inputs": inputs_of(found),
            "anchors": found.anchors.order_by("-pinned", "-priority", "noted_at")[:ANCHORS],
            "children": children[-CHILDREN:],
            "more_children": len(children) > CHILDREN,
            "page": page,
            "rows": rows(entries(page.lines), children=children),
            "at": text_param(request, "at"),
        },
    )


def _beside(frame: Frame, siblings: list[Frame]) -> dict[str, Any]:
    at = next((n for n, one in enumerate(siblings) if one.pk == frame.pk), 0)
    return {
        "siblings": siblings if len(siblings) > 1 else [],
        "previous": siblings[at - 1] if at else None,
        "next": siblings[at + 1] if at + 1 < len(siblings) else None,
    }


def constraints_of(frame: Frame) -> list[str]:
    """What whoever started the frame said must hold."""
    given = frame.inputs.get("constraints") if isinstance(frame.inputs, dict) else None
    listed = given if isinstance(given, list) else [given] if given else []
    texts = [payload.words(one) or payload.pretty(one) for one in listed[:CONSTRAINTS]]
    return [payload.clean(text[:2000]) for text in texts]


def inputs_of(frame: Frame) -> list[payload.Field]:
    if not isinstance(frame.inputs, dict):
        return [payload.field_of("", frame.inputs, payload.PREVIEW)] if frame.inputs else []
    return payload.fields(frame.inputs, payload.PREVIEW, skip={"constraints"})
