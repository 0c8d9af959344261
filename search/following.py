"""Listening: what the verbs of frames say has changed becomes a job, and the urgent part happens now."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from search.repair import follow_at_once
from stackmemory.lib.queue import enqueue
from stackmemory.lib.tenancy import workspace_scope
from workspaces.models import Workspace

# A job of so many ids; more become several.
MOST_IDS = 1_000


def on_content_changed(
    *, workspace_id: UUID, kind: str, ids: list[UUID], at_once: bool = False, **kwargs: Any
) -> None:
    """`at_once`, after the commit; else in the transaction, whose commit makes the jobs due."""
    if at_once:
        workspace = Workspace.objects.filter(pk=workspace_id).first()
        if workspace is not None:
            with workspace_scope(workspace_id):
                follow_at_once(workspace, kind, ids)
    if not kind:
        enqueue("search.jobs.catch_up", workspace_id)
    for start in range(0, len(ids), MOST_IDS):
        enqueue("search.jobs.index_changed", workspace_id, kind, *ids[start : start + MOST_IDS])
