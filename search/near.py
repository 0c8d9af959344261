"""Approximate indexes for large workspaces: a fixed number of them, shared, whatever there are.

Small workspaces are compared exactly, which is quicker for them. One that has grown LARGE is given
the emptiest of BUCKETS, and its vectors are marked with it, so that they enter that bucket's HNSW
index: a graph of few workspaces, in which a search that wants one of them loses little
(docs/decisions/0007-vectors.md has the measurements).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from django.db.models import Q

from search import vectors
from search.backends import backend
from search.embedders import Embedder
from search.models import Embedding, VectorSet
from stackmemory.lib.tenancy import system_scope, workspace_scope
from workspaces.models import Workspace

# Comparing so many exactly takes as long as asking an index, and twice as many twice as long.
LARGE = 4_000
BUCKETS = 16
BATCH = 500


def arrange(
    *,
    workspace: Workspace,
    model: Embedder,
    on_progress: Callable[[int], None] | None = None,
) -> int:
    """Put a large workspace's vectors into an index; how many were not in it. Small ones stay.

    May be stopped and run again; until the last one is in, the workspace is compared exactly.
    """
    if not backend().HAS_NEAR_INDEXES:
        return 0
    with workspace_scope(workspace.pk):
        ours = Embedding.objects.in_workspace(workspace)
        ours = ours.filter(model=model.name, dimension=model.dimension)
        size = ours.count()
        if size < LARGE:
            return 0
        found = vectors.set_of(workspace, model)
    if found.bucket is None:
        found.bucket = _emptiest(model)
    with workspace_scope(workspace.pk):
        if not backend().near_index(model.name, model.dimension, found.bucket):
            return 0
        found.size = size
        found.save(update_fields=["bucket", "size"])
    moved = 0
    while True:
        with workspace_scope(workspace.pk):
            elsewhere = ours.filter(~Q(bucket=found.bucket) | Q(bucket=None))
            ids = list(elsewhere.values_list("pk", flat=True))
        if not ids:
            break
        for start in range(0, len(ids), BATCH):
            part = ids[start : start + BATCH]
            with workspace_scope(workspace.pk):
                ours.filter(pk__in=part).update(bucket=found.bucket)
            moved += len(part)
            if on_progress is not None:
                on_progress(len(part))
    if not found.is_arranged:
        found.is_arranged = True
        with workspace_scope(workspace.pk):
            found.save(update_fields=["is_arranged"])
        vectors.forget(workspace)
    return moved


def _emptiest(model: Embedder) -> int:
    with system_scope():
        taken = VectorSet.unscoped.filter(model=model.name).exclude(bucket=None)
        full: Counter[int] = Counter()
        for bucket, size in taken.values_list("bucket", "size"):
            full[bucket or 0] += size
    return min(range(BUCKETS), key=lambda bucket: (full[bucket], bucket))
