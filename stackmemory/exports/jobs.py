"""What workers do."""

from __future__ import annotations

from uuid import UUID

from stackmemory.exports import making


def run_export(workspace_id: str, export_id: str) -> None:
    export = making.claim(UUID(workspace_id), UUID(export_id))
    if export is not None:
        making.make(export)
