"""Makers of stacks: frames below frames, and events in them through the one door."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from frames import partitions
from frames.ingest import NewEvent, append_events, event_id
from frames.models import Frame, Project
from tests.pages import new_frame
from workspaces.models import Workspace

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def called(project: Project, parent: Frame | None = None, **fields: Any) -> Frame:
    """A frame under `parent`, not saved."""
    if parent is not None:
        place = {"parent": parent, "root_id": parent.root_id, "depth": parent.depth + 1}
    else:
        place = {}
    return new_frame(project, **{"started_at": NOON} | place | fields)


def call(project: Project, parent: Frame | None = None, **fields: Any) -> Frame:
    frame = called(project, parent, **fields)
    frame.save(force_insert=True)
    return frame


def closed(**fields: Any) -> dict[str, Any]:
    """Fields of a frame that ran for a minute."""
    start = fields.get("started_at", NOON)
    return {"state": "closed", "started_at": start, "closed_at": start + timedelta(minutes=1)}


def happen(
    workspace: Workspace, frame: Frame, said: Iterable[tuple[Any, ...]], *, start: datetime = NOON
) -> list[NewEvent]:
    """Append events (type, payload[, seconds after start]) to a frame; payloads may be text."""
    rows = []
    for seq, (kind, payload, *later) in enumerate(said, start=1):
        at = start + timedelta(seconds=later[0] if later else 0)
        text = payload if isinstance(payload, str) else json.dumps(payload)
        rows.append(
            NewEvent(
                id=event_id(workspace, f"{frame.pk}/{start}/{seq}", at, seq),
                project_id=frame.project_id,
                frame_id=frame.pk,
                session_id=frame.session_id,
                type=kind,
                occurred_at=at,
                payload=text,
                seq=seq,
                is_error=kind == "error",
            )
        )
    partitions.ensure({partitions.month_of(row.occurred_at) for row in rows})
    append_events(workspace=workspace, rows=rows)
    frame.refresh_from_db()
    return rows
