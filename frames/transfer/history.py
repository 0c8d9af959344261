"""What was changed here since it was imported, and what an import replaces."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from frames.models import Revision
from frames.transfer.run import Run


def edited_ids(run: Run, ids: Iterable[uuid.UUID]) -> set[uuid.UUID]:
    """Those that somebody changed here since they were imported."""
    query = Revision.objects.in_workspace(run.workspace).filter(object_id__in=list(ids))
    return set(query.exclude(cause=Revision.Cause.IMPORT).values_list("object_id", flat=True))


def replace(run: Run, kind: str, row: Any, fields: dict[str, Any]) -> None:
    """Give `row` the values of `fields`; a Revision keeps what they replace."""
    old = {name: getattr(row, name) for name in fields}
    changed = {name: value for name, value in fields.items() if old[name] != value}
    if not run.writes or not changed:
        return
    Revision.unscoped.create(
        workspace=run.workspace,
        kind=kind,
        object_id=row.id,
        cause=Revision.Cause.IMPORT,
        data={name: _plain(old[name]) for name in changed},
    )
    for name, value in changed.items():
        setattr(row, name, value)
    row.save(update_fields=list(changed))


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value) if isinstance(value, uuid.UUID) else value
