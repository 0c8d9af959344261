"""Finding what search has missed: jobs may be lost, and the rows they were about are the truth."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef, QuerySet

from frames.models import Anchor, Frame, Task
from search.embedders import embedder
from search.indexing import index, unlooked
from search.models import Document, Embedding
from stackmemory.lib.tenancy import system_scope, workspace_scope
from workspaces.models import Workspace

BATCH = 500


def behind() -> list[UUID]:
    """Workspaces where something has no document, or a document no vector by today's model."""
    model = embedder()
    found: set[UUID] = set()
    with system_scope():
        for kind, table in (
            (Document.Kind.FRAME, Frame), (Document.Kind.ANCHOR, Anchor),
            (Document.Kind.TASK, Task),
        ):  # fmt: skip
            there = Document.unscoped.filter(
                workspace=OuterRef("workspace"), kind=kind, object_id=OuterRef("pk")
            )
            found |= _workspaces(table.unscoped.filter(~Exists(there)))
        found |= _workspaces(unlooked(Frame.unscoped.all()))
        if model is not None:
            fresh = Embedding.unscoped.filter(
                document=OuterRef("pk"), model=model.name, content_hash=OuterRef("content_hash")
            )
            found |= _workspaces(Document.unscoped.filter(~Exists(fresh)))
    open_ones = Workspace.objects.filter(pk__in=found, deleted_at=None)
    return list(open_ones.order_by("pk").values_list("pk", flat=True))


def renew_stale(workspace: Workspace) -> int:
    """Compare every frame, anchor and task with its document, and remove documents of what is gone.

    Events never change. Returns how many documents were written or removed.
    """
    total = 0
    for kind in (Document.Kind.FRAME, Document.Kind.ANCHOR, Document.Kind.TASK):
        last: UUID | None = None
        while True:
            with workspace_scope(workspace.pk):
                rows = Document.objects.in_workspace(workspace).filter(kind=kind)
                rows = rows.filter(object_id__gt=last) if last else rows
                ids = list(rows.order_by("object_id").values_list("object_id", flat=True)[:BATCH])
                if not ids:
                    break
                total += index(workspace=workspace, kind=kind, ids=ids)
            last = ids[-1]
    return total


def follow_at_once(workspace: Workspace, kind: str, ids: list[UUID]) -> None:
    """What must not be seen as it was for a moment longer: whose it is, and that it was replaced.

    The documents themselves follow in a job.
    """
    documents = Document.objects.in_workspace(workspace)
    if kind == Document.Kind.FRAME:
        for frame in Frame.objects.in_workspace(workspace).filter(pk__in=ids):
            private = frame.visibility == Frame.Visibility.PRIVATE
            documents.filter(frame=frame).update(
                private_to=frame.owner_id if private else None, owner=frame.owner_id
            )
    elif kind == Document.Kind.ANCHOR:
        replaced = Anchor.objects.in_workspace(workspace).filter(pk__in=ids)
        superseded = replaced.exclude(superseded_by=None).values_list("pk", flat=True)
        documents.filter(kind=kind, object_id__in=list(superseded)).update(superseded=True)
    table: dict[str, Any] = {
        Document.Kind.FRAME: Frame,
        Document.Kind.ANCHOR: Anchor,
        Document.Kind.TASK: Task,
    }
    if kind in table:
        left = table[kind].objects.in_workspace(workspace).filter(pk__in=ids)
        gone = set(ids) - set(left.values_list("pk", flat=True))
        documents.filter(kind=kind, object_id__in=gone).delete()


def _workspaces(rows: QuerySet) -> set[UUID]:
    return set(rows.order_by().values_list("workspace", flat=True).distinct())
