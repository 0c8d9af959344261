"""A row that was imported before meets its source again: unchanged, newer, or in conflict."""

from __future__ import annotations

from typing import Any

from frames.transfer.draft import Draft
from frames.transfer.history import replace
from frames.transfer.rows.tasks import packable
from frames.transfer.run import Run


def again(
    run: Run,
    tables: tuple[str, str],
    known: Any,
    draft: Draft,
    fields: dict[str, Any],
    *,
    newer: bool,
    edited: bool,
) -> None:
    """Count an anchor or task that is here already, and bring it up to date where it is newer.

    `tables` are the line of the report and the table that list it. What was edited here, or is of
    another project (two repositories can use one id), is never overwritten.
    """
    counted, listed = tables
    if (known.source or {}).get("hash") == fields["source"]["hash"]:
        run.count(counted, "existing")
    elif newer and not edited and known.project_id == fields["project_id"]:
        run.count(counted, "updated")
        replace(run, known._meta.model_name, known, fields)
        run.note(listed, known.source_id, draft)
    else:
        run.count(counted, "conflict")
        reason = "edited_here" if edited else "other_content"
        run.conflict(listed, known.source_id, reason, packable(draft.row))
