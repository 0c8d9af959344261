"""frames ↔ Frame."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from frames.models import Frame
from frames.transfer.documents import Shortener, lengthen
from frames.transfer.draft import EPOCH, Draft, altered, leftover, with_leftover
from frames.transfer.values import Row, digest, identity_of, js, moment, seconds, whole

RETENTION = "default"
# Columns that an upgrade adds by ALTER, with the value it gives to rows that were there before.
ADDED = {"retention_policy": RETENTION}
# Source columns and the fields that show them.
SHOWN_AS = {
    "type": "type", "name": "name", "state": "state", "inputs": "inputs", "outputs": "outputs",
    "digest_text": "digest_text", "digest_json": "digest", "created_at": "started_at",
    "closed_at": "closed_at", "project_id": "source_project", "retention_policy": "retention",
}  # fmt: skip


def frame_fields(
    draft: Draft,
    *,
    depth: int,
    parent: str | None,
    run_id: str | None,
    events: Callable[[], Mapping[str, Row]],
) -> dict[str, Any]:
    """Values for a Frame, except for ids and references; `source` has hash, raw and keys.

    `events` gives the source's events of this frame by id, and is asked only where a document
    seems to hold copies of them.
    """
    row = draft.row
    if not row.get("name"):
        draft.note("empty_name")
    if whole(row.get("depth", depth)) != depth:
        draft.note("wrong_depth")
    inputs, outputs, digested = (
        draft.json("inputs"),
        draft.json("outputs"),
        draft.json("digest_json"),
    )
    keys: list[str] = []
    if any('"event_id"' in str(row.get(column)) for column in ("digest_json", "outputs")):
        shortener = Shortener(events())
        # The outputs first: parts of them are compared with the digest while it is whole.
        outputs, digested = (
            shortener.shorten(outputs, digested),
            shortener.shorten(digested),
        )
        keys = shortener.keys or []
    elif digested:
        outputs = Shortener({}).shorten(outputs, digested)
    started = draft.time("created_at") or EPOCH
    if row.get("created_at") is None:
        draft.note("no_time")
    fields: dict[str, Any] = {
        "depth": depth,
        "type": draft.text("type"),
        "name": draft.text("name"),
        "state": draft.text("state"),
        "inputs": inputs,
        "outputs": outputs,
        "digest_text": draft.text("digest_text"),
        "digest": digested,
        "retention": draft.text("retention_policy", RETENTION),
        "started_at": started,
        "closed_at": draft.time("closed_at"),
        "source_id": draft.identity("frame_id"),
        "source_project": draft.text("project_id"),
    }
    source: dict[str, Any] = {"hash": frame_hash(row)}
    if keys:
        source["keys"] = keys
    rebuilt = _columns(
        Frame(**fields), run_id=run_id, parent=parent, keys=keys,
        events=events() if keys else {},
    )  # fmt: skip
    if raw := leftover(row, rebuilt):
        source["raw"] = raw
    return fields | {"source": source}


def frame_row(frame: Frame, *, events: Mapping[str, Row]) -> Row:
    """The source row of an imported frame, from our row and its events by source id."""
    source = frame.source or {}
    rebuilt = _columns(
        frame,
        run_id=frame.session.source_id if frame.session else None,
        parent=frame.parent.source_id if frame.parent else None,
        keys=source.get("keys", []),
        events=events,
    )
    return with_leftover(rebuilt, source)


def frame_hash(row: Row) -> str:
    """A digest of the source row that an upgrade of the store does not change."""
    return digest({c: v for c, v in row.items() if c not in ADDED or v != ADDED[c]})


def is_newer(row: Row, frame: Frame) -> bool:
    """Whether the source's row continues what was imported: closed since, or digested since."""
    closed, ours = moment(row.get("closed_at")), frame.closed_at
    if closed is not None:
        if ours is None or closed > ours:
            return True
        if closed < ours:
            return False
    elif ours is not None:
        return False
    if row.get("state") == Frame.CLOSED != frame.state:
        return True
    if frame.state == Frame.CLOSED != row.get("state"):
        return False
    digested = bool(row.get("digest_text")) or row.get("digest_json") not in (None, "", "{}")
    return digested and not frame.digest_text and not frame.digest


def hidden(frame: Frame, row: Row, *, events: Callable[[], Mapping[str, Row]]) -> list[str]:
    """Columns of `row` whose value here is kept beside and whose shown one was altered."""

    def fields() -> dict[str, Any]:
        draft = Draft(row, frame.created_at)
        return frame_fields(draft, depth=frame.depth, parent=None, run_id=None, events=events)

    raw = (frame.source or {}).get("raw", {})
    places = {
        "depth": frame.depth == (frame.parent.depth + 1 if frame.parent else 0),
        "parent_frame_id": _stands_for(frame.parent, row.get("parent_frame_id")),
        "run_id": _stands_for(frame.session, row.get("run_id")),
    }
    odd = [column for column, good in places.items() if column in raw and not good]
    return altered(frame, fields, SHOWN_AS) + odd


def _stands_for(ours: Any, value: Any) -> bool:
    return ours is None or ours.source_id == identity_of(value)


def _columns(
    frame: Frame,
    *,
    run_id: str | None,
    parent: str | None,
    keys: list[str],
    events: Mapping[str, Row],
) -> Row:
    whole_digest = lengthen(frame.digest, events, keys)
    return {
        "frame_id": frame.source_id,
        "run_id": run_id,
        "project_id": frame.source_project,
        "parent_frame_id": parent,
        "depth": frame.depth,
        "type": frame.type,
        "name": frame.name,
        "state": frame.state,
        "inputs": js(frame.inputs),
        "outputs": js(lengthen(frame.outputs, events, keys, whole_digest)),
        "digest_text": frame.digest_text or None,
        "digest_json": js(whole_digest),
        "created_at": seconds(frame.started_at),
        "closed_at": seconds(frame.closed_at) if frame.closed_at else None,
        "retention_policy": frame.retention,
    }
