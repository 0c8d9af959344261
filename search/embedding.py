"""Giving documents their vectors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from uuid import UUID

from django.db.models import Exists, F, OuterRef, QuerySet

from search import near, vectors
from search.embedders import Embedder
from search.indexing import never
from search.models import Document, Embedding
from stackmemory.lib.tenancy import workspace_scope
from workspaces.models import Workspace

BATCH = 64
# The model reads about so many characters; the rest would only be cut off.
READ = 1_200


def embed_all(
    *,
    workspace: Workspace,
    model: Embedder,
    on_progress: Callable[[int], None] | None = None,
    enough: Callable[[], bool] = never,
) -> int:
    """Vectors for every document; then search by them, and find them quickly where they are many.

    `enough`, asked after what was committed, ends it early.
    """
    made = embed_missing(workspace=workspace, model=model, on_progress=on_progress, enough=enough)
    if made and enough():
        return made
    with workspace_scope(workspace.pk):
        if not lacking(workspace, model.name).exists():
            vectors.change_over(workspace, model)
    near.arrange(workspace=workspace, model=model)
    return made


def embed_missing(
    *,
    workspace: Workspace,
    model: Embedder,
    kind: str = "",
    objects: Sequence[UUID] | None = None,
    on_progress: Callable[[int], None] | None = None,
    enough: Callable[[], bool] = never,
) -> int:
    """Vectors for documents that have none by this model or whose content has changed since.

    All of them, or those of `objects` of one kind.
    """
    total, last = 0, None
    while True:
        with workspace_scope(workspace.id):
            rows = lacking(workspace, model.name)
            if objects is not None:
                rows = rows.filter(kind=kind, object_id__in=objects)
            documents = _batch(rows, after=last)
        if not documents:
            return total
        made = model.embed([spoken(document) for document in documents])
        with workspace_scope(workspace.id):
            bucket = vectors.set_of(workspace, model).bucket
            Embedding.unscoped.bulk_create(
                [
                    Embedding(
                        workspace=workspace, document=document, model=model.name,
                        dimension=model.dimension, content_hash=document.content_hash,
                        vector=vector, bucket=bucket,
                    )
                    for document, vector in zip(documents, made, strict=True)
                ],
                update_conflicts=True,
                unique_fields=["document", "model"],
                update_fields=["vector", "content_hash", "dimension", "bucket"],
            )  # fmt: skip
        total += len(documents)
        last = documents[-1].pk
        if on_progress is not None:
            on_progress(len(documents))
        if enough():
            return total


def spoken(document: Document) -> str:
    """A document as the model reads it."""
    head = f"{document.who}: " if document.who else ""
    return f"{head}{document.text[:READ]} ({document.at:%d %B %Y})"


def lacking(workspace: Workspace, model: str) -> QuerySet[Document]:
    """Documents without a vector by this model of what they say now."""
    fresh = Embedding.unscoped.filter(
        workspace=workspace, document=OuterRef("pk"), model=model,
        content_hash=OuterRef("content_hash"),
    )  # fmt: skip
    return Document.objects.in_workspace(workspace).filter(~Exists(fresh))


def _batch(rows: QuerySet[Document], *, after: UUID | None) -> list[Document]:
    if after is not None:
        rows = rows.filter(pk__gt=after)
    fields = ("id", "workspace_id", "who", "text", "at", "content_hash")
    return list(rows.only(*fields).order_by(F("pk"))[:BATCH])
