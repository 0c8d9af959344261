"""task_cache and tasks.jsonl ↔ Task."""

from __future__ import annotations

import json
from typing import Any

from frames.models import Task
from frames.transfer.draft import EPOCH, Draft, altered, with_leftover
from frames.transfer.values import Row, digest, moment, pack, same, seconds

LISTS = ("depends_on", "blocks", "tags")
# Source columns and the fields that show them.
SHOWN_AS = {
    "title": "title", "description": "description", "status": "status", "priority": "priority",
    "assignee": "assignee", **{name: name for name in LISTS}, "external_refs": "external",
    "estimated_effort": "estimated_minutes", "actual_effort": "actual_minutes",
    "created_at": "opened_at", "started_at": "started_at", "completed_at": "completed_at",
}  # fmt: skip


def task_fields(draft: Draft) -> dict[str, Any]:
    """Values for a Task from a row of task_cache or a line of tasks.jsonl.

    The two differ in that a line holds lists and objects where a row holds them as JSON text.
    """
    row = draft.row
    fields: dict[str, Any] = {
        "title": draft.text("title"),
        "description": draft.text("description"),
        "status": draft.text("status"),
        "priority": draft.text("priority"),
        "assignee": draft.text("assignee"),
        **{name: _part(row.get(name), list) for name in LISTS},
        "external": _part(row.get("external_refs"), dict),
        "estimated_minutes": _minutes(row.get("estimated_effort")),
        "actual_minutes": _minutes(row.get("actual_effort")),
        "opened_at": draft.time("created_at") or EPOCH,
        "started_at": draft.time("started_at"),
        "completed_at": draft.time("completed_at"),
        "source_id": draft.identity("id", uuid=False),
    }
    if not fields["title"]:
        draft.note("empty_name")
    source: dict[str, Any] = {"hash": digest(packable(row))}
    rebuilt = _columns(Task(**fields), text=_holds_text(row))
    raw = {
        column: pack(value) if not isinstance(value, dict | list) else {"$json": json.dumps(value)}
        for column, value in row.items()
        if column not in rebuilt or not _equal(rebuilt[column], value)
    }
    if raw:
        source["raw"] = raw
    source["text"] = _holds_text(row)
    return fields | {"source": source}


def task_row(task: Task) -> Row:
    """The source row or line that an imported task came from."""
    source = dict(task.source or {})
    parts = {k: v for k, v in source.get("raw", {}).items() if isinstance(v, dict) and "$json" in v}
    plain = {k: v for k, v in source.get("raw", {}).items() if k not in parts}
    row = with_leftover(_columns(task, text=source.get("text", True)), {"raw": plain})
    return row | {key: json.loads(value["$json"]) for key, value in parts.items()}


def is_newer(row: Row, before: Row) -> bool:
    """Whether the source's row was written after the one that was imported."""
    return written(row) > written(before)


def written(row: Row) -> float:
    """When a snapshot of a task was taken, as well as it can be told."""
    columns = ("timestamp", "last_accessed", "completed_at", "started_at")
    times = (moment(row.get(column)) for column in columns)
    return max((at.timestamp() for at in times if at is not None), default=0.0)


def hidden(task: Task, row: Row) -> list[str]:
    """Columns of `row` whose value here is kept beside and whose shown one was altered."""
    return altered(task, lambda: task_fields(Draft(row, task.created_at)), SHOWN_AS)


def packable(row: Row) -> Row:
    """The row with lists and objects as JSON text, for a digest."""
    return {
        key: json.dumps(value) if isinstance(value, dict | list) else value
        for key, value in row.items()
    }


def _holds_text(row: Row) -> bool:
    return not any(isinstance(row.get(name), dict | list) for name in (*LISTS, "external_refs"))


def _part(value: Any, kind: type) -> Any:
    try:
        if isinstance(value, str):
            value = json.loads(value)
        if isinstance(value, kind):
            json.dumps(value, allow_nan=False)
            return value
    except (ValueError, RecursionError):
        pass
    return kind()


def _minutes(value: Any) -> float | None:
    good = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e15
    return float(value) if good else None


def _equal(a: Any, b: Any) -> bool:
    if isinstance(a, dict | list) or isinstance(b, dict | list):
        return type(a) is type(b) and json.dumps(a) == json.dumps(b)
    return same(a, b)


def _columns(task: Task, *, text: bool) -> Row:
    def part(value: Any) -> Any:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")) if text else value

    def number(value: float | None) -> Any:
        return int(value) if value is not None and value.is_integer() else value

    return {
        "id": task.source_id,
        "title": task.title,
        "description": task.description or None,
        "status": task.status,
        "priority": task.priority,
        "assignee": task.assignee or None,
        "depends_on": part(task.depends_on),
        "blocks": part(task.blocks),
        "tags": part(task.tags),
        "external_refs": part(task.external),
        "estimated_effort": number(task.estimated_minutes),
        "actual_effort": number(task.actual_minutes),
        "created_at": seconds(task.opened_at),
        "started_at": seconds(task.started_at) if task.started_at else None,
        "completed_at": seconds(task.completed_at) if task.completed_at else None,
    }
