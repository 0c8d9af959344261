"""What workers do for search: handed ids alone, harmless when done twice."""

from __future__ import annotations

import logging
import time
from uuid import UUID

from search import repair, vectors
from search.embedders import Unavailable, embedder
from search.embedding import embed_all, embed_missing
from search.indexing import index, reindex
from stackmemory.lib.queue import enqueue, waits
from stackmemory.lib.tenancy import system_scope, workspace_scope
from workspaces.models import Workspace

logger = logging.getLogger(__name__)
CATCH_UP = "search.jobs.catch_up"
# For so many seconds a catching-up keeps a worker; then whatever waits has its turn.
PORTION = 5.0


def index_changed(workspace_id: str, kind: str, *ids: str) -> None:
    """Renew the documents of these objects and their vectors."""
    workspace = _workspace(workspace_id)
    if workspace is None:
        return
    objects = [UUID(each) for each in ids]
    with workspace_scope(workspace.pk):
        index(workspace=workspace, kind=kind, ids=objects)
    with workspace_scope(workspace.pk):
        models = vectors.to_write(workspace)
    for model in models:
        try:
            embed_missing(workspace=workspace, model=model, kind=kind, objects=objects)
        except Unavailable:
            # the clock comes back to today's model; yesterday's is not waited for
            if model is embedder():
                raise


def catch_up(workspace_id: str) -> None:
    """Index whatever of a workspace lacks a document or a vector: a portion of it, then go on later.

    What is left is what still lacks something, so a job that was killed loses nothing. One that waits
    already will do all that this one leaves: no second is asked for.
    """
    workspace = _workspace(workspace_id)
    if workspace is None:
        return
    portion = Portion(PORTION)
    reindex(workspace=workspace, enough=portion.is_over)
    model = embedder()
    if model is not None and not portion.over:
        embed_all(workspace=workspace, model=model, enough=portion.is_over)
    if portion.over and not waits(CATCH_UP, workspace_id):
        enqueue(CATCH_UP, workspace_id)


class Portion:
    """Some seconds of work from the first time it is asked, so that something is done in each."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self.over = seconds, False
        self.began: float | None = None

    def is_over(self) -> bool:
        now = time.monotonic()
        self.began = self.began or now
        self.over = now - self.began >= self.seconds
        return self.over


def find_missing() -> None:
    """By the clock: a catching-up for every workspace that has something to catch up with."""
    for workspace_id in repair.behind():
        if not waits(CATCH_UP, workspace_id, or_runs=True):
            enqueue(CATCH_UP, workspace_id)


def check_fresh() -> None:
    """By the clock: documents that no longer say what their object says are made anew."""
    for workspace in Workspace.objects.filter(deleted_at=None).order_by("pk").iterator(500):
        if renewed := repair.renew_stale(workspace):
            logger.info("renewed %s stale documents of %s", renewed, workspace.slug)
            enqueue(CATCH_UP, workspace.pk)


def prune_vectors() -> None:
    """By the clock: vectors of models that search has left behind go."""
    if (model := embedder()) is None:
        return
    with system_scope():
        ids = vectors.to_prune()
    for workspace in Workspace.objects.filter(pk__in=ids).order_by("pk"):
        gone = vectors.prune(workspace=workspace)
        logger.info("%s: %s old vectors gone, now by %s", workspace.slug, gone, model.name)


def _workspace(workspace_id: str) -> Workspace | None:
    return Workspace.objects.filter(pk=workspace_id, deleted_at=None).first()
