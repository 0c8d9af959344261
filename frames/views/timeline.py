"""Timelines on pages of frames and sessions, their older and newer parts, and single events."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.http import require_safe

from frames import stack, timeline
from frames.cold import reading
from frames.cold.errors import ColdLost
from frames.entries import Entry, entries, entry_of
from frames.models import Event, Frame
from frames.payload import WHOLE, clean, pretty
from frames.views.listing import text_param
from stackmemory.lib import blobs
from workspaces.access import requires
from workspaces.request import WorkspaceRequest

# A silence this long is said in words between two rows.
GAP = timedelta(minutes=10)
# The most of one payload that a page shows; more is a download.
READABLE = 1_000_000


@dataclass(slots=True)
class Row:
    """A row of a timeline: an entry, or a frame that was called at this point."""

    at: datetime
    entry: Entry | None = None
    child: Frame | None = None
    # Of a timeline of many frames: whose row this is, where it changes.
    frame: Frame | None = None
    new_day: bool = False
    gap: timedelta | None = None
    # From here on entries were read from cold storage.
    cold: bool = False


def rows(found: Sequence[Entry], *, children: Sequence[Frame] = ()) -> list[Row]:
    """Entries in order, with the calls of child frames between them, days and silences marked."""
    lines = [Row(at=entry.line.at, entry=entry) for entry in found]
    if lines:
        first, last = lines[0].at, lines[-1].at
        lines += [Row(at=c.started_at, child=c) for c in children if first <= c.started_at <= last]
        lines.sort(key=lambda row: row.at)
    before: datetime | None = None
    cold = False
    for row in lines:
        if row.entry is not None:
            row.cold = row.entry.line.cold and not cold
            cold = row.entry.line.cold
        row.new_day = before is None or _day(row.at) != _day(before)
        if before is not None and row.at - before >= GAP:
            row.gap = row.at - before
        before = row.at
    return lines


def _day(at: datetime) -> object:
    return timezone.localtime(at).date() if 1 < at.year < 9999 else at.date()


def asked_time(text: str) -> datetime | None:
    """The moment a URL names; one without a zone is in the reader's."""
    try:
        at = datetime.fromisoformat(text)
        aware = at if at.tzinfo else timezone.make_aware(at)
    except (ValueError, OverflowError):
        return None
    return aware if 1 < aware.year < 9999 else None


def page_for(
    request: WorkspaceRequest, stretch: timeline.Stretch | None, *, start: datetime | None = None
) -> timeline.Page:
    """The page that ?before, ?after or ?at ask for; else the one from `start` on, else the last.

    Where cold storage cannot be read, what the table has of it, and the page says what is missing.
    """
    if stretch is None:
        return timeline.Page([])
    try:
        return _page_for(request, stretch, start)
    except ColdLost as problem:
        hot = _page_for(request, replace(stretch, cold=frozenset()), start)
        return replace(hot, lost=problem.message)


def _page_for(
    request: WorkspaceRequest, stretch: timeline.Stretch, start: datetime | None
) -> timeline.Page:
    workspace = request.workspace
    if place := timeline.Place.parse(text_param(request, "before")):
        return timeline.before(workspace, stretch, place)
    if place := timeline.Place.parse(text_param(request, "after")):
        return timeline.after(workspace, stretch, place)
    at = asked_time(text_param(request, "at")) or start
    if at is not None:
        return timeline.since(workspace, stretch, at)
    return timeline.newest(workspace, stretch)


@require_safe
@requires("read")
def frame_events(request: WorkspaceRequest, frame_id: uuid.UUID) -> HttpResponse:
    """A part of a frame's timeline, to be put before or after what is on the page."""
    workspace, user = request.workspace, request.user
    frame = get_object_or_404(
        workspace.frames.visible_to(user).only(*stack.ROW_FIELDS[:-3]), pk=frame_id
    )
    page = page_for(request, timeline.stretch_of(frame))
    context = {"frame": frame, "page": page, "rows": rows(entries(page.lines))}
    return render(request, "frames/_events_part.html", context)


@require_safe
@requires("read")
def event(request: WorkspaceRequest, frame_id: uuid.UUID, event_id: uuid.UUID) -> HttpResponse:
    """One event, whole; ?with names the result of a call, ?raw downloads, ?part is a row."""
    workspace, user = request.workspace, request.user
    frame = get_object_or_404(
        workspace.frames.visible_to(user).select_related("project"), pk=frame_id
    )
    wanted = [event_id, *_uuids(text_param(request, "with"))]
    found = {one.pk: one for one in workspace.events.filter(pk__in=wanted, frame=frame)}
    if frame.cold_count and (lacking := set(wanted) - set(found)):
        try:
            cold = reading.find(workspace.pk, lacking)
        except ColdLost as problem:
            return HttpResponse(problem.message, status=problem.status, content_type="text/plain")
        found |= {pk: one for pk, one in cold.items() if one.frame_id == frame.pk}
    if event_id not in found:
        raise Http404("No such event")
    if "raw" in request.GET:
        return _download(found[event_id])
    lines, lost = _lines([found[one] for one in wanted if one in found])
    entry = entry_of(lines[0], lines[1] if len(lines) > 1 else None, WHOLE)
    context = {
        "frame": frame, "project": frame.project, "row": Row(at=lines[0].at, entry=entry),
        "lost": lost,
    }  # fmt: skip
    if "part" in request.GET:
        return render(request, "frames/_event_part.html", context)
    context["raw"] = [(line, _raw(line)) for line in lines]
    return render(request, "frames/event.html", context)


def _lines(events: Sequence[Event]) -> tuple[list[timeline.Line], str]:
    """The events whole; where one cannot be had, what its row has of it, and why."""
    lines, lost = [], ""
    for event in events:
        try:
            lines.append(timeline.Line.whole(event, READABLE))
        except blobs.Lost as problem:
            lines.append(timeline.Line.preview(event))
            lost = problem.message
    return lines, lost


def _uuids(text: str) -> list[uuid.UUID]:
    try:
        return [uuid.UUID(text)] if text else []
    except ValueError:
        return []


def _raw(line: timeline.Line) -> str:
    """The payload as it is stored; JSON on one line is given lines to read it by."""
    head = line.head[: line.limit]
    one_line = isinstance(line.data, dict | list) and "\n" not in head and not line.cut
    return clean(pretty(line.data) if one_line else head)


def _download(found: Event) -> HttpResponse:
    try:
        response = HttpResponse(found.text, content_type="text/plain; charset=utf-8")
    except blobs.Lost as lost:
        return HttpResponse(lost.message, status=lost.status, content_type="text/plain")
    response["Content-Disposition"] = f'attachment; filename="event-{found.pk}.json"'
    return response
