"""Our rows as rows of a local store: those that came from one as they were, the rest in its manner."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from frames.models import Anchor, Event, Frame, Task
from frames.transfer.local_schema import TASK_CACHE
from frames.transfer.rows import anchors, events, frames, tasks
from frames.transfer.sharing import Share
from frames.transfer.values import Row, js, seconds

# Types of anchors that the local tool keeps among its contexts where no frame is open.
TOLD = {"DECISION": "decision", "CONSTRAINT": "constraint", "LEARNING": "learning"}


@dataclass
class Names:
    """How things are called in the file. `project_id` is for what never had one there."""

    project_id: str
    share: Share
    # Our id of a task → its own, where it has one.
    tasks: dict[str, str] = field(default_factory=dict)
    # The id of a frame that never was, for what needs one and has none.
    spare: str | None = None


def name_of(row: Any) -> str:
    """The row's id in the file: the client's own, or ours."""
    return str(row.pk) if row.source_id is None else str(row.source_id)


def run_of(session: Any) -> str | None:
    return None if session is None else name_of(session)


def frame_out(frame: Frame, names: Names, copies: Mapping[str, Row]) -> Row:
    """`copies`: events of the frame that its documents refer to, as rows of the file."""
    place = names.share.place(frame)
    made_here = frame.source is None
    frame.source_id = name_of(frame)
    parent = frame.parent if place.parent_id else None
    run = run_of(frame.session)
    if parent is not None:
        parent.source_id = name_of(parent)
    if frame.session is not None:
        frame.session.source_id = run
    if made_here and not frame.source_project:
        frame.source_project = names.project_id
    row = frames.frame_row(frame, events=copies)
    if not made_here:
        hidden = frames.hidden(frame, row, events=lambda: copies)
        row = _shown(row, hidden, lambda: frames.frame_row(_plain(frame), events=copies))
    elif run is None:
        row["run_id"] = str(frame.root_id)
    if frame.pk in names.share.moved:
        row |= {"parent_frame_id": name_of(parent) if parent else None, "depth": place.depth}
    return row


def event_out(event: Event, *, frame_made_here: bool, run_id: str | None) -> Row:
    """`run_id` stands in where the event of a frame made here is of no run."""
    made_here = event.source_id is None
    event.source_id = name_of(event)
    event.frame.source_id = name_of(event.frame)
    if event.session is not None:
        event.session.source_id = run_of(event.session)
    row = events.event_row(event)
    if row["run_id"] is None and (made_here or frame_made_here):
        row["run_id"] = run_id
    return row


def anchor_out(anchor: Anchor, names: Names) -> tuple[str, Row]:
    """(table, row). One of no frame goes where the local tool puts it: among its contexts."""
    made_here = anchor.source is None
    anchor.source_id = name_of(anchor)
    if anchor.frame is not None:
        anchor.frame.source_id = name_of(anchor.frame)
    if not made_here:
        row = anchors.anchor_row(anchor)
        row = _shown(row, anchors.hidden(anchor, row), lambda: anchors.anchor_row(_plain(anchor)))
    elif anchor.frame is None and anchor.type in TOLD and not anchor.metadata:
        at = seconds(anchor.noted_at)
        return "contexts", {
            "id": anchor.source_id, "type": TOLD[anchor.type], "content": anchor.text,
            "importance": anchor.priority / 10, "created_at": at, "last_accessed": at,
            "access_count": 1,
        }  # fmt: skip
    else:
        row = anchors.anchor_row(anchor) | {"project_id": names.project_id}
        row["frame_id"] = row["frame_id"] or names.spare
    if anchor.origin == Anchor.Origin.ANCHOR and (more := _more(anchor)):
        row["metadata"] = js((anchor.metadata or {}) | more)
    table = {"context": "contexts", "anchor": "anchors"}.get(anchor.origin, anchor.origin)
    return table, row


def needs_frame(anchor: Anchor) -> bool:
    """Whether the file has no place for it but in a frame that never was."""
    told = anchor.type in TOLD and not anchor.metadata
    return anchor.source is None and anchor.frame_id is None and not told


def task_out(
    task: Task, names: Names, edited: Mapping[UUID, datetime], lines: Container[str]
) -> tuple[bool, Row]:
    """(whether it is a line of the log, row). One edited here is a newer snapshot.

    `lines` are the digests of the log's snapshots. The cache mirrors them, but has every column.
    """
    made_here = task.source is None
    task.source_id = name_of(task)
    if task.pk in edited or made_here:
        task.depends_on = [names.tasks.get(str(ref), ref) for ref in task.depends_on or []]
    row = tasks.task_row(task)
    if made_here:
        frame = name_of(task.frame) if task.frame else "cli"
        at = seconds(edited.get(task.pk, task.opened_at))
        defaults: Row = {
            "type": "task_create", "timestamp": at, "parent_id": None, "frame_id": frame,
            "context_score": 0.5, "last_accessed": None,
        }  # fmt: skip
        return False, defaults | row
    hidden = tasks.hidden(task, row)
    row = _shown(row, hidden, lambda: tasks.task_row(_plain(task)))
    if task.pk in edited:
        row |= {"type": "task_update", "timestamp": seconds(edited[task.pk])}
    source = task.source or {}
    in_cache = source.get("text", True) and row.keys() >= TASK_CACHE.keys()
    return source.get("hash") in lines and not in_cache, row


def spare_frame(name: str, names: Names, at: datetime) -> Row:
    """The frame that holds what belongs to the project as a whole."""
    stamp = seconds(at)
    return {
        "frame_id": name, "run_id": name, "project_id": names.project_id, "parent_frame_id": None,
        "depth": 0, "type": "task", "name": "Kept for the whole project", "state": "closed",
        "inputs": "{}", "outputs": "{}", "digest_text": None, "digest_json": "{}",
        "created_at": stamp, "closed_at": stamp, "retention_policy": "keep_forever",
    }  # fmt: skip


def _more(anchor: Anchor) -> Row:
    """What the format has no column for."""
    more: Row = {}
    if anchor.pinned:
        more["pinned"] = True
    if anchor.aliases:
        more["aliases"] = list(anchor.aliases)
    if anchor.superseded_by is not None:
        more["superseded_by"] = name_of(anchor.superseded_by)
        if anchor.superseded_at:
            more["superseded_at"] = seconds(anchor.superseded_at)
    return more


def _shown(row: Row, altered: list[str], rebuilt: Any) -> Row:
    """The row, but what was changed here since as it is here and not as it was kept beside."""
    if not altered:
        return row
    ours = rebuilt()
    return row | {column: ours[column] for column in altered if column in ours}


def _plain(row: Any) -> Any:
    """The row without what is kept beside it."""
    row.source = {k: v for k, v in (row.source or {}).items() if k != "raw"}
    return row
