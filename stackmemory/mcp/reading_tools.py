"""Tools that read, from the wide to the near: list frames, one frame, its timeline."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from django.db.models import Q
from msgspec import Meta

from frames import calls, timeline
from frames.cold import reading
from frames.models import Event, Frame
from frames.reach import anchors_of, frames_of, uuid_or_none
from stackmemory.lib.keyset import paginate
from stackmemory.lib.refusal import NotFound, Refusal
from stackmemory.mcp.call import Call
from stackmemory.mcp.params import CURSOR, FRAME, IN_PROJECT, IN_SESSION
from stackmemory.mcp.shapes import (
    AnchorShape,
    EventShape,
    FrameLine,
    Shape,
    Step,
    anchor_shape,
    bounded,
    event_shape,
    frame_line,
    listed,
    one_line,
    said_of,
    said_of_event,
    shorter,
)
from stackmemory.mcp.tool import Given, tool

NEWEST_FIRST = ("-started_at", "-id")
ANCHORS, CHILDREN = 20, 20
# A page of a timeline ends early rather than be longer than this.
LONGEST_PAGE = 40_000
LONGEST_EVENT = 60_000


class ListFrames(Given, kw_only=True):
    state: Annotated[Literal["any", "active", "closed"], Meta(description="Which ones.")] = "any"
    type: Annotated[str, Meta(description="Only of this type, e.g. “debug”.", max_length=100)] = ""
    parent: Annotated[
        str,
        Meta(description="Only directly below this frame; “none” for roots.", max_length=500),
    ] = ""
    mine: Annotated[bool, Meta(description="Only those of the key’s owner.")] = False
    session: Annotated[
        str, Meta(description="Only of this session, by our id or the client’s.", max_length=500)
    ] = ""
    project: IN_PROJECT = ""
    limit: Annotated[int, Meta(ge=1, le=100)] = 20
    cursor: CURSOR = ""


class FrameList(Shape, kw_only=True):
    frames: list[FrameLine]
    next: str | None = None


@tool(title="List frames", read=True)
def list_frames(call: Call, given: ListFrames) -> tuple[FrameList, str]:
    """Frames of the project, newest first, with the beginning of each one's digest.

    Go on with get_frame for one of them."""
    frames = frames_of(call.actor).select_related("project", "owner")
    if project := call.project_or_none(given.project):
        frames = frames.filter(project=project)
    if given.session:
        frames = frames.filter(session=call.named_session(given.session, project))
    if given.parent == "none":
        frames = frames.filter(parent=None)
    elif given.parent:
        frames = frames.filter(parent=call.named_frame(given.parent, field="parent"))
    if given.state == "active":
        frames = frames.active()
    elif given.state == "closed":
        frames = frames.filter(Q(state=Frame.CLOSED) | ~Q(closed_at=None))
    if given.type:
        frames = frames.filter(type=given.type)
    if given.mine:
        frames = frames.filter(owner=call.actor.user)
    page = paginate(frames, order=NEWEST_FIRST, cursor=given.cursor, size=given.limit)
    if page.lost:
        raise _bad_cursor()
    lines = [f"{f.pk} {said_of(f)} {f.started_at:%Y-%m-%d %H:%M}" for f in page]
    words = listed(lines, "No frames.") + (f"\nMore: cursor={page.next}" if page.next else "")
    return FrameList(frames=[frame_line(f, digest=300) for f in page], next=page.next), words


class GetFrame(Given, kw_only=True):
    frame: FRAME = ""
    session: IN_SESSION = ""
    project: IN_PROJECT = ""


class WholeFrame(Shape, kw_only=True):
    frame: FrameLine
    # From the root down to the frame above this one.
    path: list[Step] = []
    inputs: Any = None
    outputs: Any = None
    digest: Any = None
    digest_text: str = ""
    anchors: list[AnchorShape] = []
    # The latest; list_frames with parent gives all.
    children: list[FrameLine] = []


@tool(title="Read a frame", read=True)
def get_frame(call: Call, given: GetFrame) -> tuple[WholeFrame, str]:
    """One frame: the way to it, what it began with and returned, its digest, anchors and children.

    Go on with get_timeline for what happened in it."""
    frame = call.frame(given.frame, project=given.project, session=given.session)
    path = calls.path_to(call.actor, frame)[:-1]
    anchors = list(
        anchors_of(call.actor).filter(frame=frame).order_by("-pinned", "-priority", "-noted_at")
    )[:ANCHORS]
    below = frames_of(call.actor).filter(parent=frame).select_related("project", "owner")
    children = list(below.order_by(*NEWEST_FIRST)[:CHILDREN])
    words = " › ".join(shorter(one_line(each.name), 80) for each in path)
    words += f"{' › ' if path else ''}{said_of(frame)}\n{frame.digest_text}".rstrip()
    if anchors:
        words += "\nAnchors:\n" + "\n".join(
            f"- {a.type}{' (replaced)' if a.superseded_by_id else ''}: {shorter(one_line(a.text), 500)}"
            for a in anchors
        )
    if children:
        words += "\nBelow it:\n" + "\n".join(f"- {child.pk} {said_of(child)}" for child in children)
    return WholeFrame(
        frame=frame_line(frame),
        path=[Step(id=str(each.pk), name=each.name) for each in path],
        inputs=bounded(frame.inputs) if frame.inputs else None,
        outputs=bounded(frame.outputs) if frame.outputs else None,
        digest=bounded(frame.digest) if frame.digest else None,
        digest_text=shorter(frame.digest_text, 4_000),
        anchors=[anchor_shape(anchor) for anchor in anchors],
        children=[frame_line(child) for child in children],
    ), words


class GetTimeline(Given, kw_only=True):
    frame: FRAME = ""
    event: Annotated[
        str, Meta(description="Only this event, with its whole payload.", max_length=100)
    ] = ""
    order: Annotated[Literal["newest", "oldest"], Meta(description="Which come first.")] = "newest"
    types: Annotated[
        list[str], Meta(description="Only these types, e.g. [“tool_call”, “tool_result”].")
    ] = []
    errors: Annotated[bool, Meta(description="Only what failed.")] = False
    limit: Annotated[int, Meta(ge=1, le=200)] = 50
    max_chars: Annotated[
        int, Meta(description="How much of each payload to give.", ge=50, le=16_000)
    ] = 500
    cursor: CURSOR = ""
    session: IN_SESSION = ""
    project: IN_PROJECT = ""


class Timeline(Shape, kw_only=True):
    frame: Step
    events: list[EventShape]
    next: str | None = None


@tool(title="Read a frame's timeline", read=True)
def get_timeline(call: Call, given: GetTimeline) -> tuple[Timeline, str]:
    """What happened in a frame, event by event: messages, tool calls with their results, errors."""
    if given.event:
        return _one_event(call, given)
    frame = call.frame(given.frame, project=given.project, session=given.session)
    lines, more = _lines(call, frame, given)
    room = LONGEST_PAGE
    shapes: list[EventShape] = []
    for line in lines:
        room -= min(len(line.head), given.max_chars) + 200
        if room < 0 and shapes:
            more = True
            break
        shapes.append(event_shape(line, given.max_chars))
    lines = lines[: len(shapes)]
    last = str(lines[-1].place) if lines and more else None
    words = listed([said_of_event(line) for line in lines], "Nothing happened in it.")
    words = f"{said_of(frame)}\n{words}" + (f"\nMore: cursor={last}" if last else "")
    return Timeline(frame=Step(id=str(frame.pk), name=frame.name), events=shapes, next=last), words


def _lines(call: Call, frame: Frame, given: GetTimeline) -> tuple[list[timeline.Line], bool]:
    """A page of events, and whether there are more."""
    stretch = timeline.stretch_of(frame)
    place = timeline.Place.parse(given.cursor) if given.cursor else None
    if given.cursor and place is None:
        raise _bad_cursor()
    if stretch is None:
        return [], False
    events = timeline.between(call.actor.workspace, stretch, stretch.first, stretch.last)
    if given.types:
        events = events.filter(type__in=given.types)
    if given.errors:
        events = events.filter(is_error=True)
    lines = timeline.lines_beyond(
        call.actor.workspace, stretch, events, stretch.first, stretch.last, place,
        forwards=given.order != "newest", most=given.limit + 1,
        keep=lambda line: (not given.types or line.type in given.types)
        and (not given.errors or line.is_error),
    )  # fmt: skip
    return lines[: given.limit], len(lines) > given.limit


def _one_event(call: Call, given: GetTimeline) -> tuple[Timeline, str]:
    key = uuid_or_none(given.event)
    events = Event.objects.in_workspace(call.actor.workspace).select_related("frame")
    seen = frames_of(call.actor).values("pk")
    event = events.filter(pk=key, frame__in=seen).first() if key else None
    if event is None and key:
        event = reading.find(call.actor.workspace.pk, [key]).get(key)
        if event is not None and not frames_of(call.actor).filter(pk=event.frame_id).exists():
            event = None
    if event is None:
        raise NotFound("event", field="event")
    line = timeline.Line.whole(event, LONGEST_EVENT)
    step = Step(id=str(event.frame_id), name=event.frame.name)
    shape = event_shape(line, LONGEST_EVENT)
    if shape.cut:  # more than an answer holds
        shape.octets, shape.rest = line.octets, f"GET /api/v1/events/{line.id}"
    words = f"{said_of_event(line)}\n{line.head[:LONGEST_EVENT]}"
    return Timeline(frame=step, events=[shape]), words


def _bad_cursor() -> Refusal:
    return Refusal("invalid", "Not a cursor of this list; leave it out to begin.", field="cursor")
