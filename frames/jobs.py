"""What workers do: load by id, enter the workspace, call the verb."""

from __future__ import annotations

from uuid import UUID

from frames import summarising
from frames.models import Frame, Project, Transfer
from frames.scoring import rescore as score_again
from frames.transfer.upload import run_upload
from stackmemory.lib.tenancy import system_scope, workspace_scope
from workspaces.models import Workspace


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


def summarise(workspace_id: str, frame_id: str) -> None:
    workspace = Workspace.objects.filter(pk=workspace_id, deleted_at=None).first()
    if workspace is not None:
        summarising.summarise(workspace, UUID(frame_id))


def score_missing() -> None:
    """By the clock: frames that came closed, with an import, get a score too."""
    with system_scope():
        closed = Frame.unscoped.filter(score=None, workspace__deleted_at=None)
        closed = closed.exclude(closed_at=None).order_by()
        projects = list(closed.values_list("project", flat=True).distinct()[:1_000])
        found = list(Project.unscoped.filter(pk__in=projects).select_related("workspace"))
    for project in found:
        score_again(project.workspace, project, only_missing=True)


def rescore(workspace_id: str, project_id: str) -> None:
    """A project's weights have changed."""
    workspace = Workspace.objects.filter(pk=workspace_id, deleted_at=None).first()
    if workspace is None:
        return
    with workspace_scope(workspace.pk):
        project = Project.objects.in_workspace(workspace).filter(pk=project_id).first()
    if project is not None:
        score_again(workspace, project)
