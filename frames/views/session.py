"""A session: how did this run go? Its frames over time, and what was said at a moment of it."""

from __future__ import annotations

import uuid

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.http import require_safe

from frames import flame, overview, stack, timeline
from frames.entries import entries
from frames.models import AgentSession, Frame
from frames.views.listing import text_param
from frames.views.timeline import asked_time, page_for, rows
from workspaces.access import requires
from workspaces.request import WorkspaceRequest

# More bars than this are more than a picture can say; the longest runs have few hundred.
BARS = 1_000


@require_safe
@requires("read")
def session(request: WorkspaceRequest, session_id: uuid.UUID) -> HttpResponse:
    found, frames = _session(request, session_id)
    now = timezone.now()
    by_id = {frame.pk: frame for frame in frames}
    zoom = _uuid(text_param(request, "zoom"))
    chosen = by_id.get(zoom) if zoom else None
    picture = flame.draw(frames[:BARS], now=now, zoom=chosen.pk if chosen else None)
    at = asked_time(text_param(request, "at"))
    return render(
        request,
        "frames/session.html",
        {
            "session": found,
            "project": found.project,
            "about": _about(frames),
            "live": overview.is_live(found, now),
            "frames": frames[:BARS],
            "more_frames": len(frames) > BARS,
            "totals": _totals(frames),
            "flame": picture,
            "types": _legend(picture),
            "chosen": chosen,
            "at": at,
            "at_x": picture.x_of(at) if picture and at else None,
            "as_table": text_param(request, "view") == "table",
            **_timeline(request, frames, chosen),
        },
    )


@require_safe
@requires("read")
def session_events(request: WorkspaceRequest, session_id: uuid.UUID) -> HttpResponse:
    """A part of a session's timeline, to be put into the page."""
    found, frames = _session(request, session_id)
    context = {"session": found, "project": found.project, **_timeline(request, frames, None)}
    return render(request, "frames/_events_part.html", context)


def _session(request: WorkspaceRequest, session_id: uuid.UUID) -> tuple[AgentSession, list[Frame]]:
    """The session and those of its frames that this person may see."""
    workspace, user = request.workspace, request.user
    sessions = workspace.agentsessions.select_related("project", "user")
    found = get_object_or_404(sessions, pk=session_id)
    frames = found.frames.visible_to(user).select_related("owner").only(*stack.ROW_FIELDS)
    return found, list(frames.order_by("started_at", "id")[: BARS + 1])


def _timeline(
    request: WorkspaceRequest, frames: list[Frame], chosen: Frame | None
) -> dict[str, object]:
    stretch = timeline.stretch_of(*frames)
    start = chosen.started_at if chosen else stretch.first if stretch else None
    page = page_for(request, stretch, start=start)
    by_id = {frame.pk: frame for frame in frames}
    found = rows(entries(page.lines))
    previous: Frame | None = None
    for row in found:
        owner = by_id.get(row.entry.line.frame_id) if row.entry else None
        row.frame = owner if owner is not previous else None
        previous = owner
    return {"page": page, "rows": found}


def _about(frames: list[Frame]) -> Frame | None:
    """The outermost frame, the latest of several: what the session was about."""
    outermost = min((frame.depth for frame in frames), default=0)
    return next((frame for frame in reversed(frames) if frame.depth == outermost), None)


def _totals(frames: list[Frame]) -> dict[str, int]:
    return {
        "frames": len(frames),
        "events": sum(frame.event_count for frame in frames),
        "errors": sum(frame.error_count for frame in frames),
        "anchors": sum(frame.anchor_count for frame in frames),
    }


def _legend(picture: flame.Flame | None) -> list[tuple[str, int]]:
    """The colours in the picture and the types they stand for."""
    if picture is None:
        return []
    types = {bar.frame.type: bar.tint for bar in picture.bars}
    named = sorted((tint, kind) for kind, tint in types.items() if tint != flame.OTHER)
    others = sorted(kind for kind, tint in types.items() if tint == flame.OTHER)
    legend = [(kind, tint) for tint, kind in named]
    if others:
        legend.append((others[0] if len(others) == 1 else "other", flame.OTHER))
    return legend


def _uuid(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None
