"""What workers do: load by id, enter the workspace, call the verb."""

from __future__ import annotations

from uuid import UUID

from frames.models import Transfer
from frames.transfer.upload import run_upload
from stackmemory.lib.tenancy import workspace_scope


def run_import(workspace_id: str, transfer_id: str) -> None:
    with workspace_scope(UUID(workspace_id)):
        transfer = (
            Transfer.objects.across_workspaces()
            .select_related("workspace")
            .filter(pk=transfer_id, workspace_id=workspace_id)
            .exclude(state__in=(Transfer.State.DONE, Transfer.State.CANCELLED))
            .first()
        )
    if transfer is not None:
        run_upload(transfer)
