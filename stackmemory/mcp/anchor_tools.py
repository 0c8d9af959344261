"""Tools that pin down what must not be forgotten."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from msgspec import Meta

from frames import anchoring
from frames.models import Anchor, Frame, Project
from frames.reach import find_anchor
from stackmemory.mcp.call import Call
from stackmemory.mcp.params import IN_PROJECT, IN_SESSION, SOURCE_ID
from stackmemory.mcp.shapes import AnchorShape, Shape, anchor_shape, one_line, shorter
from stackmemory.mcp.tool import Given, tool

ANCHOR_FRAME = Annotated[
    str,
    Meta(
        description="The frame it belongs to, by our id or your own. Left out: the one on top of your"
        " session’s stack, or the project as a whole where none is open.",
        max_length=500,
    ),
]
SUPERSEDES = Annotated[
    str,
    Meta(description="The anchor this replaces, by id; it stays, struck through.", max_length=500),
]
# Decisions weigh what they did in the local tool: 0.8 of the most.
DECISION_PRIORITY = 8
TYPES = {"decision": "DECISION", "constraint": "CONSTRAINT", "learning": "FACT"}


class AddAnchor(Given, kw_only=True):
    type: Annotated[
        str,
        Meta(
            description="FACT, DECISION, CONSTRAINT, INTERFACE_CONTRACT, TODO or RISK.",
            max_length=100,
        ),
    ]
    text: Annotated[
        str,
        Meta(description="One sentence that stands for itself.", min_length=1, max_length=20_000),
    ]
    priority: Annotated[int, Meta(description="10 weighs most.", ge=0, le=10)] = 5
    pinned: Annotated[bool, Meta(description="Always show it first.")] = False
    aliases: Annotated[
        list[str],
        Meta(description="Other words it should be found by.", max_length=20),
    ] = []
    supersedes: SUPERSEDES = ""
    frame: ANCHOR_FRAME = ""
    source_id: SOURCE_ID = ""
    session: IN_SESSION = ""
    project: IN_PROJECT = ""


class Anchored(Shape, kw_only=True):
    anchor: AnchorShape
    # False where the source_id was known: this is the anchor it became.
    made: bool
    project: str


@tool(title="Add an anchor")
def add_anchor(call: Call, given: AddAnchor) -> tuple[Anchored, str]:
    """Pin down what must not be forgotten: a fact, a constraint, a risk, an interface, a to-do.

    For decisions, add_decision is shorter."""
    return _anchor(
        call,
        given,
        type=given.type,
        text=given.text,
        priority=given.priority,
        pinned=given.pinned,
        aliases=given.aliases,
    )


class AddDecision(Given, kw_only=True):
    content: Annotated[
        str,
        Meta(
            description="What was decided and why, e.g. “Cursors instead of page numbers: rows arrive"
            " while people page.”",
            min_length=1,
            max_length=20_000,
        ),
    ]
    type: Annotated[
        Literal["decision", "constraint", "learning"], Meta(description="What kind it is.")
    ] = "decision"
    supersedes: SUPERSEDES = ""
    frame: ANCHOR_FRAME = ""
    source_id: SOURCE_ID = ""
    session: IN_SESSION = ""
    project: IN_PROJECT = ""


@tool(title="Note a decision")
def add_decision(call: Call, given: AddDecision) -> tuple[Anchored, str]:
    """Keep a decision, constraint or lesson for everybody who works on the project after you."""
    return _anchor(
        call, given, type=TYPES[given.type], text=given.content, priority=DECISION_PRIORITY
    )


def _anchor(
    call: Call,
    given: AddAnchor | AddDecision,
    *,
    type: str,
    text: str,
    priority: int,
    pinned: bool = False,
    aliases: Sequence[str] = (),
) -> tuple[Anchored, str]:
    frame, project = _where(call, given)
    anchor, made = anchoring.add_anchor(
        actor=call.actor,
        project=project,
        frame=frame,
        type=type,
        text=text,
        priority=priority,
        pinned=pinned,
        aliases=aliases,
        supersedes=find_anchor(call.actor, given.supersedes, field="supersedes")
        if given.supersedes
        else None,
        source_id=given.source_id or None,
    )
    words = "Kept" if made else "This source_id is known: it is"
    words += f" {anchor.type} {anchor.pk} in project {project.slug}: {_short(anchor)}"
    return Anchored(anchor=anchor_shape(anchor), made=made, project=project.slug), words


def _where(call: Call, given: AddAnchor | AddDecision) -> tuple[Frame | None, Project]:
    if given.frame:
        frame = call.named_frame(given.frame)
        return frame, frame.project
    top = call.top_frame(project=given.project, session=given.session)
    if top is not None:
        return top, top.project
    return None, call.project(given.project, session=given.session)


def _short(anchor: Anchor) -> str:
    return shorter(one_line(anchor.text), 200)
