"""anchors, decisions in contexts, and session-decisions.json ↔ Anchor."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from frames.models import Anchor
from frames.transfer.draft import EPOCH, Draft, altered, leftover, with_leftover
from frames.transfer.values import Row, digest, js, seconds

# Rows of `contexts` that somebody meant to be remembered; the others are captured surroundings.
REMEMBERED = frozenset({"decision", "constraint", "learning"})
PRIORITIES = range(11)


def anchor_fields(draft: Draft, *, frame_id: str | None = None) -> dict[str, Any]:
    """For a row of `anchors`; `frame_id` is its frame's id in the source, where that exists."""
    priority = draft.number("priority", 0)
    if priority not in PRIORITIES:
        draft.note("priority_out_of_range")
    fields: dict[str, Any] = {
        "origin": Anchor.Origin.ANCHOR,
        "type": draft.text("type"),
        "text": draft.text("text"),
        "priority": priority,
        "noted_at": draft.time("created_at") or EPOCH,
        "metadata": draft.json("metadata"),
        "source_id": draft.identity("anchor_id"),
        "source_project": draft.text("project_id"),
    }
    return _with_source(fields, draft.row, _anchor_columns(Anchor(**fields), frame_id))


def context_fields(draft: Draft) -> dict[str, Any]:
    """For a row of `contexts` whose type is one of REMEMBERED."""
    row = draft.row
    importance = row.get("importance")
    known = isinstance(importance, int | float) and 0 <= importance <= 1
    fields: dict[str, Any] = {
        "origin": Anchor.Origin.CONTEXT,
        "type": draft.text("type").upper(),
        "text": draft.text("content"),
        "priority": round(importance * 10) if known else 5,  # type: ignore[operator]
        "noted_at": draft.time("created_at") or EPOCH,
        "metadata": {
            key: row[key]
            for key in ("importance", "last_accessed", "access_count")
            if isinstance(row.get(key), int | float) and math.isfinite(row[key])
        },
        "source_id": draft.identity("id", uuid=False),
    }
    return _with_source(fields, row, _context_columns(Anchor(**fields)))


def decision_fields(draft: Draft) -> dict[str, Any]:
    """For an entry of session-decisions.json."""
    why = draft.row.get("why")
    fields: dict[str, Any] = {
        "origin": Anchor.Origin.SESSION_DECISION,
        "type": str(Anchor.Type.DECISION),
        "text": draft.text("what"),
        "priority": 5,
        "noted_at": draft.time("timestamp") or EPOCH,
        "metadata": {"why": why} if isinstance(why, str) else {},
        "source_id": draft.identity("id", uuid=False),
    }
    return _with_source(fields, draft.row, _decision_columns(Anchor(**fields)))


def anchor_row(anchor: Anchor) -> Row:
    """The source row of an imported anchor, of whichever of the three kinds it is."""
    if anchor.origin == Anchor.Origin.CONTEXT:
        rebuilt = _context_columns(anchor)
    elif anchor.origin == Anchor.Origin.SESSION_DECISION:
        rebuilt = _decision_columns(anchor)
    else:
        rebuilt = _anchor_columns(anchor, anchor.frame.source_id if anchor.frame else None)
    return with_leftover(rebuilt, anchor.source)


def hidden(anchor: Anchor, row: Row) -> list[str]:
    """Columns of `row` whose value here is kept beside and whose shown one was altered."""
    fields_of = FIELDS[anchor.origin]
    return altered(
        anchor,
        lambda: fields_of(Draft(row, anchor.created_at)),
        SHOWN_AS[Anchor.Origin(anchor.origin)],
        always={"importance"},
    )


def is_newer(row: Row, anchor: Anchor) -> bool:
    """Whether a context was used again since it was imported; nothing else of these has a time."""
    seen, before = row.get("last_accessed"), (anchor.metadata or {}).get("last_accessed")
    return isinstance(seen, int | float) and isinstance(before, int | float) and seen > before


def _with_source(fields: dict[str, Any], row: Row, rebuilt: Row) -> dict[str, Any]:
    source: dict[str, Any] = {"hash": digest(row)}
    if raw := leftover(row, rebuilt):
        source["raw"] = raw
    return fields | {"source": source}


def _anchor_columns(anchor: Anchor, frame_id: str | None) -> Row:
    return {
        "anchor_id": anchor.source_id,
        "frame_id": frame_id,
        "project_id": anchor.source_project,
        "type": anchor.type,
        "text": anchor.text,
        "priority": anchor.priority,
        "created_at": seconds(anchor.noted_at),
        "metadata": js(anchor.metadata),
    }


def _context_columns(anchor: Anchor) -> Row:
    return {
        "id": anchor.source_id,
        "type": anchor.type.lower(),
        "content": anchor.text,
        "created_at": seconds(anchor.noted_at),
        **(anchor.metadata or {}),
    }


def _decision_columns(anchor: Anchor) -> Row:
    return {
        "id": anchor.source_id,
        "what": anchor.text,
        "why": (anchor.metadata or {}).get("why"),
        "timestamp": anchor.noted_at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    }


FIELDS: dict[str, Callable[[Draft], dict[str, Any]]] = {
    Anchor.Origin.ANCHOR: anchor_fields,
    Anchor.Origin.CONTEXT: context_fields,
    Anchor.Origin.SESSION_DECISION: decision_fields,
}
# Source columns and the fields that show them.
SHOWN_AS = {
    Anchor.Origin.ANCHOR: {
        "type": "type", "text": "text", "priority": "priority", "created_at": "noted_at",
        "metadata": "metadata", "project_id": "source_project",
    },
    Anchor.Origin.CONTEXT: {
        "type": "type", "content": "text", "importance": "priority", "created_at": "noted_at",
    },
    Anchor.Origin.SESSION_DECISION: {"what": "text", "why": "metadata", "timestamp": "noted_at"},
}  # fmt: skip
