"""What tools answer with: rows as a model should read them, short, with ids."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from frames.entries import entry_of
from frames.models import AgentSession, Anchor, Frame, Task
from frames.timeline import Line

LINE = 200
# A JSON value longer than this is given as the beginning of its text.
LONGEST_VALUE = 4_000
LONGEST_TEXT = 2_000


class Shape(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What is empty is left out."""


class SessionShape(Shape, kw_only=True):
    id: str
    source_id: str | None = None
    project: str
    client: str = ""
    last_seen_at: datetime


class FrameLine(Shape, kw_only=True):
    """A frame in a list."""

    id: str
    source_id: str | None = None
    name: str
    type: str
    state: str
    project: str
    depth: int
    parent: str | None = None
    session: str | None = None
    owner: str | None = None
    visibility: str = "team"
    started_at: datetime
    closed_at: datetime | None = None
    event_count: int = 0
    error_count: int = 0
    anchor_count: int = 0
    child_count: int = 0
    digest_text: str = ""


class Step(Shape, kw_only=True):
    """A frame on the way to another."""

    id: str
    name: str


class AnchorShape(Shape, kw_only=True):
    id: str
    source_id: str | None = None
    type: str
    text: str
    priority: int
    pinned: bool = False
    aliases: list[str] = []
    frame: str | None = None
    superseded_by: str | None = None
    noted_at: datetime


class EventShape(Shape, kw_only=True):
    """`payload` is the JSON as it was sent, or with `cut` the beginning of its text.

    Of a large one, which a timeline has a preview of, `octets` says how long it is and `rest` how to
    get it whole.
    """

    id: str
    frame: str
    type: str
    tool: str = ""
    is_error: bool = False
    occurred_at: datetime
    payload: Any = None
    cut: bool = False
    octets: int = 0
    rest: str = ""
    redactions: int = 0


class TaskShape(Shape, kw_only=True):
    id: str
    source_id: str | None = None
    title: str
    description: str = ""
    status: str
    priority: str
    project: str
    frame: str | None = None
    assignee: str = ""
    tags: list[Any] = []
    depends_on: list[Any] = []
    estimated_minutes: float | None = None
    actual_minutes: float | None = None
    opened_at: datetime


def session_shape(session: AgentSession) -> SessionShape:
    return SessionShape(
        id=str(session.pk),
        source_id=session.source_id,
        project=session.project.slug,
        client=session.client,
        last_seen_at=session.last_seen_at,
    )


def frame_line(frame: Frame, *, digest: int = 0) -> FrameLine:
    """`digest` is how much of its digest to give."""
    return FrameLine(
        id=str(frame.pk),
        source_id=frame.source_id,
        name=frame.name[: LINE * 3],
        type=frame.type,
        state="active" if frame.is_open else frame.state,
        project=frame.project.slug,
        depth=frame.depth,
        parent=str(frame.parent_id) if frame.parent_id else None,
        session=str(frame.session_id) if frame.session_id else None,
        owner=frame.owner.email if frame.owner else None,
        visibility="private" if frame.visibility == Frame.Visibility.PRIVATE else "team",
        started_at=frame.started_at,
        closed_at=frame.closed_at,
        event_count=frame.event_count,
        error_count=frame.error_count,
        anchor_count=frame.anchor_count,
        child_count=frame.child_count,
        digest_text=shorter(frame.digest_text, digest) if digest else "",
    )


def anchor_shape(anchor: Anchor) -> AnchorShape:
    return AnchorShape(
        id=str(anchor.pk),
        source_id=anchor.source_id,
        type=anchor.type,
        text=shorter(anchor.text, LONGEST_TEXT),
        priority=anchor.priority,
        pinned=anchor.pinned,
        aliases=[str(alias) for alias in anchor.aliases or []],
        frame=str(anchor.frame_id) if anchor.frame_id else None,
        superseded_by=str(anchor.superseded_by_id) if anchor.superseded_by_id else None,
        noted_at=anchor.noted_at,
    )


def event_shape(line: Line, limit: int) -> EventShape:
    whole = not line.cut and len(line.head) <= limit
    return EventShape(
        id=str(line.id),
        frame=str(line.frame_id),
        type=line.type,
        tool=line.tool,
        is_error=line.is_error,
        occurred_at=line.at,
        payload=line.data if whole else line.head[: min(limit, line.limit)],
        cut=not whole,
        octets=line.octets if line.stored else 0,
        rest=f"get_timeline(event={line.id})" if line.stored else "",
        redactions=line.redactions,
    )


def task_shape(task: Task) -> TaskShape:
    return TaskShape(
        id=str(task.pk),
        source_id=task.source_id,
        title=task.title,
        description=shorter(task.description, 1_000),
        status=task.status,
        priority=task.priority,
        project=task.project.slug,
        frame=str(task.frame_id) if task.frame_id else None,
        assignee=task.assignee,
        tags=task.tags if isinstance(task.tags, list) else [task.tags],
        depends_on=task.depends_on if isinstance(task.depends_on, list) else [task.depends_on],
        estimated_minutes=task.estimated_minutes,
        actual_minutes=task.actual_minutes,
        opened_at=task.opened_at,
    )


def bounded(value: Any) -> Any:
    """A JSON value, or the beginning of its text where it is long."""
    text = json.dumps(value, ensure_ascii=False)
    return value if len(text) <= LONGEST_VALUE else text[:LONGEST_VALUE] + "…"


def shorter(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"


def said_of(frame: Frame) -> str:
    """A frame in a line of text."""
    state = "open" if frame.is_open else "closed"
    what = f"“{shorter(one_line(frame.name), LINE)}” ({frame.type}, {state}, {frame.event_count} events"
    return f"{what}, {frame.error_count} errors)" if frame.error_count else f"{what})"


def said_of_event(line: Line) -> str:
    """An event in a line of text."""
    entry = entry_of(line)
    fields = " ".join(field.text for field in [*entry.fields, *entry.output_fields][:3])
    said = entry.gist or entry.text or entry.output or entry.output_json or fields
    words = one_line(f"{entry.title} {said}")
    mark = " ✗" if entry.error else ""
    return f"{line.at:%Y-%m-%d %H:%M:%S} {entry.label}{mark} {shorter(words, LINE)}".rstrip()


def listed(lines: Sequence[str], empty: str) -> str:
    return "\n".join(lines) if lines else empty


def one_line(text: str) -> str:
    return " ".join(text.split())


def ago(at: datetime, now: datetime) -> str:
    """How long ago, roughly."""
    minutes = max(int((now - at) / timedelta(minutes=1)), 0)
    if minutes < 60:
        return f"{minutes} min ago"
    return f"{minutes // 60} h ago" if minutes < 48 * 60 else f"{minutes // 1440} days ago"
