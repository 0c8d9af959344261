"""What a frame, anchor, task or event says to a search: the telling text, not megabytes of output."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any
from uuid import UUID

from frames.models import Anchor, Event, Frame, Task
from search.analyze import terms
from search.models import Document

LONGEST = 8_000
# Of a tool's answer only its beginning tells what happened.
OUTPUT = 600
SPOKEN = ("content", "text", "message", "prompt", "error", "reason", "name", "result", "title",
          "description", "caption")  # fmt: skip
# Bookkeeping of tools themselves: nobody looks for it.
SILENT = frozenset({"get_hot_stack"})
# Statuses of tasks that nobody works on any more.
DONE = (Task.Status.COMPLETED, Task.Status.CANCELLED)
# A task's priority as a score, on the scale of anchors'.
WEIGHTS = {"urgent": 1.0, "high": 0.8, "medium": 0.5, "low": 0.2}


def of_frame(frame: Frame) -> Document:
    told = [frame.digest_text, *_strings(frame.inputs, LONGEST)]
    outputs = frame.outputs if isinstance(frame.outputs, dict) else {}
    told += [v for k, v in outputs.items() if isinstance(v, str) and k not in (frame.digest or {})]
    return _document(
        frame, Document.Kind.FRAME, frame.id, frame=frame, project_id=frame.project_id,
        type=frame.type, title=frame.name, text="\n".join(filter(None, told)),
        at=frame.closed_at or frame.started_at, score=frame.score, is_open=frame.is_open,
    )  # fmt: skip


def of_anchor(anchor: Anchor) -> Document:
    why = anchor.metadata.get("why") if isinstance(anchor.metadata, dict) else None
    return _document(
        anchor, Document.Kind.ANCHOR, anchor.id, frame=anchor.frame, project_id=anchor.project_id,
        type=anchor.type, title=anchor.type.replace("_", " ").capitalize(),
        text="\n".join(filter(None, [anchor.text, why, *anchor.aliases])), at=anchor.noted_at,
        superseded=anchor.superseded_by_id is not None, pinned=anchor.pinned,
        aliases=anchor.aliases, score=min(max(anchor.priority, 0), 10) / 10,
    )  # fmt: skip


def of_task(task: Task) -> Document:
    tags = " ".join(str(tag) for tag in task.tags) if isinstance(task.tags, list) else ""
    return _document(
        task, Document.Kind.TASK, task.id, frame=task.frame, project_id=task.project_id,
        type=task.status, title=task.title, text="\n".join(filter(None, [task.description, tags])),
        at=task.completed_at or task.started_at or task.opened_at, who=task.assignee,
        score=WEIGHTS.get(task.priority), is_open=task.status not in DONE,
    )  # fmt: skip


def of_event(event: Event) -> Document | None:
    """None where an event says nothing that anybody would look for."""
    who, text = telling(event)
    if not text.strip():
        return None
    return _document(
        event, Document.Kind.EVENT, event.id, frame=event.frame,
        project_id=event.frame.project_id, type=event.type,
        title=event.frame.name, text=text, at=event.occurred_at, who=who, place=event.seq,
        score=event.score, owner_id=event.session.user_id if event.session else None,
    )  # fmt: skip


def telling(event: Event) -> tuple[str, str]:
    """(who speaks, what is said) in an event: messages, errors, commands, file paths."""
    data = event.data_at_hand
    if isinstance(data, str):
        return "", data[:LONGEST]
    if not isinstance(data, dict):
        return "", ""
    if event.tool in SILENT:
        return "", ""
    who = next((str(data[k]) for k in ("speaker", "author", "role", "user") if data.get(k)), "")
    said: list[str] = [event.tool] if event.tool else []
    for key in SPOKEN:
        said += _strings(data.get(key), LONGEST)
    for key in ("tool_input", "arguments", "tool_response", "constraints", "outputs"):
        said += _strings(data.get(key), OUTPUT)
    once = list(dict.fromkeys(part.strip() for part in said if part.strip()))
    return who[:200], "\n".join(once)[:LONGEST]


def _document(
    source: Any,
    kind: str,
    object_id: UUID,
    *,
    frame: Frame | None,
    project_id: UUID,
    type: str,
    title: str,
    text: str,
    at: Any,
    who: str = "",
    owner_id: UUID | None = None,
    **more: Any,
) -> Document:
    private = frame is not None and frame.visibility == Frame.Visibility.PRIVATE
    text, title = _clean(text)[:LONGEST], _clean(title)[:500]
    found = terms(f"{who} {text} {title if kind != Document.Kind.EVENT else ''} {at:%d %B %Y}")
    document = Document(
        workspace_id=source.workspace_id, kind=kind, object_id=object_id, project_id=project_id,
        frame=frame, session_id=frame.session_id if frame else None,
        private_to_id=frame.owner_id if private and frame else None,
        owner_id=owner_id or (frame.owner_id if frame else None),
        type=type[:100], title=title, text=text, who=_clean(who)[:200], at=at,
        terms=found, length=len(found), **more,
    )  # fmt: skip
    document.content_hash = content_hash(document)
    return document


def content_hash(document: Document) -> str:
    said = [
        document.kind, document.type, document.title, document.text, document.who,
        document.at.isoformat(), str(document.project_id), str(document.private_to_id),
        document.superseded, document.pinned, document.aliases, document.score,
        str(document.owner_id), document.is_open,
    ]  # fmt: skip
    return hashlib.sha256(json.dumps(said, default=str).encode()).hexdigest()


def _strings(value: Any, limit: int) -> Iterator[str]:
    """The strings inside a JSON value, together at most `limit` characters."""
    stack, left = [value], limit
    while stack and left > 0:
        item = stack.pop()
        if isinstance(item, str):
            yield item[:left]
            left -= len(item)
        elif isinstance(item, dict):
            stack += reversed(list(item.values()))
        elif isinstance(item, list):
            stack += reversed(item)


def _clean(text: str) -> str:
    return text.replace("\x00", " ").encode("utf-8", "replace").decode()
