"""Rows of stores that were kept word for word, where they speak of what is erased."""

from __future__ import annotations

import json
import uuid
from collections.abc import Collection, Iterable
from typing import Any

from django.db.models import Q, TextField
from django.db.models.functions import Cast

from frames.models import KeptRow, TransferItem
from frames.transfer.reading import parts
from frames.transfer.values import identity_of, unpack_row
from workspaces.models import Workspace

AT_ONCE = 50


def erase_kept(workspace: Workspace, frames: Collection[str], tasks: Collection[str]) -> None:
    """Delete what is kept of frames and tasks of these names: rows that name their frame, calls of
    such traces, lines of a task's log, and what imports kept beside."""
    kept = KeptRow.unscoped.filter(workspace=workspace)
    items = TransferItem.unscoped.filter(workspace=workspace)
    for rows in (kept, items):
        found = _speaking(rows, "frame_id", frames)
        if rows is kept:
            traces = kept.filter(pk__in=found, table="traces").values_list("source_id", flat=True)
            found |= _speaking(kept.filter(table="tool_calls"), "trace_id", set(traces))
        found |= _speaking(rows, "line", tasks)
        _delete(rows, found)
    for table, names in (("frames", frames), ("tasks", tasks)):
        for some in parts(names, 500):
            items.filter(table=table, source_id__in=some).delete()


def _speaking(rows: Any, column: str, names: Collection[str]) -> set[uuid.UUID]:
    """Rows that hold one of `names` in this column, or in an object that is its text."""
    found: set[uuid.UUID] = set()
    for some in parts(names, AT_ONCE):
        said = Q()
        for name in some:  # as JSON spells it; an index could not help, the column being text
            said |= Q(said__contains=json.dumps(name)[1:-1])
        near = rows.annotate(said=Cast("content", TextField())).filter(said)
        for pk, content in near.values_list("pk", "content"):
            value = unpack_row(content or {}).get(column)
            if identity_of(value) in some or _names(value) & set(some):
                found.add(pk)
    return found


def _names(line: Any) -> set[str]:
    try:
        told = json.loads(line)
    except (TypeError, ValueError, RecursionError):
        return set()
    values = [told.get("id"), told.get("frame_id")] if isinstance(told, dict) else []
    return {value for value in values if isinstance(value, str)}


def _delete(rows: Any, ids: Iterable[uuid.UUID]) -> None:
    for some in parts(sorted(ids), 500):
        rows.filter(pk__in=some).delete()
