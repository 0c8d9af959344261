"""Tools that work the call stack: start, close, what is open, hand off."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from django.utils import timezone
from msgspec import Meta

from frames import calls, handing_off, timeline
from frames.models import Anchor, Frame
from frames.reach import anchors_of
from stackmemory.lib.refusal import NotFound
from stackmemory.mcp.call import Call
from stackmemory.mcp.choices import members_to_choose, open_frames
from stackmemory.mcp.params import FRAME, IN_PROJECT, IN_SESSION, SOURCE_ID
from stackmemory.mcp.shapes import (
    AnchorShape,
    EventShape,
    FrameLine,
    SessionShape,
    Shape,
    Step,
    ago,
    anchor_shape,
    bounded,
    event_shape,
    frame_line,
    listed,
    one_line,
    said_of,
    said_of_event,
    session_shape,
    shorter,
)
from stackmemory.mcp.tool import Given, tool

ANCHORS_EACH = 5


class StartFrame(Given, kw_only=True):
    name: Annotated[
        str, Meta(description="What is to be done, in one line.", min_length=1, max_length=500)
    ]
    type: Annotated[
        str,
        Meta(description="task, subtask, tool_scope, review, write or debug.", max_length=100),
    ] = "task"
    constraints: Annotated[
        list[Annotated[str, Meta(max_length=2_000)]],
        Meta(description="What must hold meanwhile, one sentence each.", max_length=100),
    ] = []
    inputs: Annotated[
        dict[str, Any], Meta(description="Anything else the work begins with, as JSON.")
    ] = {}
    parent: Annotated[
        str,
        Meta(description="The frame this is part of, if not the one on top.", max_length=500),
    ] = ""
    visibility: Annotated[
        Literal["team", "private"],
        Meta(description="private: seen only by the key’s owner until promoted."),
    ] = "team"
    source_id: SOURCE_ID = ""
    session: IN_SESSION = ""
    project: IN_PROJECT = ""


class Started(Shape, kw_only=True):
    frame: FrameLine
    # False where the source_id was known: this is the frame it became.
    made: bool
    session: str
    stack: list[Step]


@tool(title="Start a frame")
def start_frame(call: Call, given: StartFrame) -> tuple[Started, str]:
    """Begin a piece of work: puts a frame on top of your session's call stack.

    What you do next belongs to it until close_frame. Use one for a task and one for each part of it
    that is worth finding again."""
    parent = call.named_frame(given.parent, field="parent") if given.parent else None
    if parent is not None and not given.project:
        project = parent.project
    else:
        project = call.project(given.project, session=given.session)
    session = call.open_session(given.session, project)
    frame, made = calls.start_frame(
        actor=call.actor,
        project=project,
        name=given.name,
        type=given.type,
        session=session,
        parent=parent,
        inputs=given.inputs,
        constraints=given.constraints,
        visibility=given.visibility,
        source_id=given.source_id or None,
    )
    path = calls.path_to(call.actor, frame)
    stack = [Step(id=str(each.pk), name=each.name) for each in path]
    words = f"Started frame {frame.pk} {said_of(frame)} in project {frame.project.slug}."
    if not made:
        words = f"This source_id is known: it is frame {frame.pk} {said_of(frame)}."
    words += "\nStack: " + " › ".join(shorter(one_line(each.name), 80) for each in path)
    return Started(frame=frame_line(frame), made=made, session=str(session.pk), stack=stack), words


class CloseFrame(Given, kw_only=True):
    frame: FRAME = ""
    result: Annotated[
        str, Meta(description="What came of it, in a few sentences.", max_length=20_000)
    ] = ""
    outputs: Annotated[
        dict[str, Any], Meta(description="Anything else that came of it, as JSON.")
    ] = {}
    session: IN_SESSION = ""
    project: IN_PROJECT = ""


class Closed(Shape, kw_only=True):
    frame: FrameLine
    # The frames closed with it, which were still open below it.
    closed: list[Step]
    # False where it had been closed before; nothing has changed then.
    was_open: bool
    digest: Any
    # What is on top of the stack now.
    now: Step | None = None


@tool(title="Close a frame", idempotent=True)
def close_frame(call: Call, given: CloseFrame) -> tuple[Closed, str]:
    """End a piece of work: closes the frame on top of the stack, or the one named, and what is still
    open below it. Answers with the digest that is kept of it."""
    frame = call.frame(given.frame, project=given.project, session=given.session, lock=True)
    closed = calls.close_frame(
        actor=call.actor, frame=frame, result=given.result or None, outputs=given.outputs or None
    )
    seen = [each for each in closed if each.pk != frame.pk and _is_seen(call, each)]
    stack = calls.active_stack(call.actor, frame.session) if frame.session else []
    now = Step(id=str(stack[-1].pk), name=stack[-1].name) if stack else None
    words = f"Closed frame {frame.pk} {said_of(frame)}." if closed else "It was closed already."
    if seen:
        words += " With it: " + ", ".join(shorter(one_line(each.name), 80) for each in seen) + "."
    words += f"\n{frame.digest_text}" if frame.digest_text else ""
    words += f"\nOn top now: {now.id} “{now.name}”" if now else "\nThe stack is empty now."
    steps = [Step(id=str(each.pk), name=each.name) for each in seen]
    return Closed(
        frame=frame_line(frame),
        closed=steps,
        was_open=bool(closed),
        digest=bounded(frame.digest),
        now=now,
    ), words


def _is_seen(call: Call, frame: Frame) -> bool:
    mine = call.actor.user is not None and frame.owner_id == call.actor.user.pk
    return mine or frame.visibility == Frame.Visibility.TEAM


class GetHotStack(Given, kw_only=True):
    max_events: Annotated[
        int, Meta(description="How many of the latest events to give.", ge=0, le=50)
    ] = 10
    session: IN_SESSION = ""
    project: IN_PROJECT = ""


class StackFrame(Shape, kw_only=True):
    frame: FrameLine
    inputs: Any = None
    anchors: list[AnchorShape] = []


class HotStack(Shape, kw_only=True):
    session: SessionShape | None = None
    # From the root to the frame being worked in.
    stack: list[StackFrame] = []
    events: list[EventShape] = []
    # Open frames of other runs of yours: what broke off and could be resumed.
    elsewhere: list[FrameLine] = []


@tool(title="Show the open call stack", read=True)
def get_hot_stack(call: Call, given: GetHotStack) -> tuple[HotStack, str]:
    """What is being worked on now: the open frames of your session from the root to the top, their
    anchors and constraints, the latest events; and frames that other runs of yours left open."""
    project = call.project_or_none(given.project)
    session = call.session_or_none(given.session, project)
    path = calls.active_stack(call.actor, session) if session else []
    anchors = _anchors(call, path)
    shown = {frame.pk for frame in path}
    elsewhere = [f for f in open_frames(call.actor, project, limit=6) if f.pk not in shown][:5]
    stretch = timeline.stretch_of(*path)
    page = timeline.newest(call.actor.workspace, stretch) if stretch and given.max_events else None
    lines = page.lines[-given.max_events :] if page else []
    said = [f"{'  ' * n}{frame.pk} {said_of(frame)}" for n, frame in enumerate(path)]
    nothing = "No frame is open in this session." if session else "Nothing is open: a new session."
    words = listed(said, nothing)
    if noted := [
        f"- {a.type}: {shorter(one_line(a.text), 500)}" for each in anchors.values() for a in each
    ]:
        words += "\nAnchors:\n" + "\n".join(noted)
    if lines:
        words += "\nLatest events:\n" + "\n".join(said_of_event(line) for line in lines)
    if elsewhere:
        words += "\nLeft open by other runs of yours:\n" + "\n".join(
            f"{f.pk} {said_of(f)}, started {ago(f.started_at, timezone.now())}" for f in elsewhere
        )
    return HotStack(
        session=session_shape(session) if session else None,
        stack=[
            StackFrame(
                frame=frame_line(frame),
                inputs=bounded(frame.inputs) if frame.inputs else None,
                anchors=[anchor_shape(anchor) for anchor in anchors.get(frame.pk, [])],
            )
            for frame in path
        ],
        events=[event_shape(line, 500) for line in lines],
        elsewhere=[frame_line(frame) for frame in elsewhere],
    ), words


def _anchors(call: Call, path: list[Frame]) -> dict[Any, list[Anchor]]:
    """The weightiest standing anchors of each frame."""
    found: dict[Any, list[Anchor]] = {}
    anchors = anchors_of(call.actor).standing().filter(frame__in=[frame.pk for frame in path])
    for anchor in anchors.order_by("-pinned", "-priority", "-noted_at")[:100] if path else ():
        kept = found.setdefault(anchor.frame_id, [])
        if len(kept) < ANCHORS_EACH:
            kept.append(anchor)
    return found


class HandOffFrame(Given, kw_only=True):
    to: Annotated[
        str,
        Meta(description="The member’s e-mail address, e.g. “bob@example.com”.", max_length=254),
    ]
    message: Annotated[
        str, Meta(description="What they should know to go on.", max_length=10_000)
    ] = ""
    frame: FRAME = ""
    session: IN_SESSION = ""
    project: IN_PROJECT = ""


class HandedOff(Shape, kw_only=True):
    id: str
    frame: FrameLine
    to: str
    state: str


@tool(title="Hand a frame to a person")
def hand_off(call: Call, given: HandOffFrame) -> tuple[HandedOff, str]:
    """Ask a member of the team to take a frame over; they accept or decline in the browser."""
    frame = call.frame(given.frame, project=given.project, session=given.session)
    try:
        offer = handing_off.hand_off(
            actor=call.actor, frame=frame, to=given.to, message=given.message
        )
    except NotFound as refusal:
        refusal.choices = members_to_choose(call.actor)
        raise
    words = f"Asked {offer.to_user.email} to take over frame {frame.pk} {said_of(frame)}."
    return HandedOff(
        id=str(offer.pk), frame=frame_line(frame), to=offer.to_user.email, state=offer.state
    ), words
