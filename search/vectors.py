"""Which model's vectors a workspace is searched by, and the change from one model to another.

While a workspace is given vectors by a new model it goes on being searched by those of the old one,
and what is written meanwhile gets both: scores are of one kind at any moment, and nothing is missing.
When the last document has its new vector the workspace changes over, by itself and alone; an hour
later, when no process can be searching by the old vectors any more, they go.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from datetime import timedelta
from uuid import UUID

from django.utils import timezone

from search.embedders import Embedder, embedder, embedder_of
from search.models import Embedding, VectorSet
from stackmemory.lib.tenancy import workspace_scope
from workspaces.models import Workspace

# Sets change rarely; a process may know them a little late.
SECONDS, REMEMBERED = 30.0, 20_000
PRUNED_AFTER = timedelta(hours=1)
BATCH = 1_000
_known: OrderedDict[UUID, tuple[float, list[VectorSet]]] = OrderedDict()


def to_search_by(workspace: Workspace) -> Iterator[tuple[Embedder, VectorSet | None]]:
    """The model to search by and where its vectors stand; after it those to try if it is away."""
    for model, found in _choices(sets_of(workspace)):
        if model is not None:
            yield model, found


def to_write(workspace: Workspace) -> list[Embedder]:
    """The models that a new document gets vectors by: today's and, until it is complete, the last."""
    today = embedder()
    if today is None:
        return []
    sets = list(VectorSet.objects.in_workspace(workspace))
    first = next((model for model, _ in _choices(sets) if model is not None), today)
    return [today] if first.name == today.name else [today, first]


def _choices(sets: list[VectorSet]) -> Iterator[tuple[Embedder | None, VectorSet | None]]:
    today = embedder()
    if today is None:
        return
    mine = next((each for each in sets if each.model == today.name), None)
    if mine is None or not mine.is_complete:
        for other in sets:
            if other.is_complete and other is not mine:
                yield embedder_of(other.model, other.dimension), other
    yield today, mine


def sets_of(workspace: Workspace) -> list[VectorSet]:
    kept = _known.get(workspace.pk)
    if kept and kept[0] > time.monotonic():
        return kept[1]
    sets = list(VectorSet.objects.in_workspace(workspace).order_by("created_at"))
    _known[workspace.pk] = (time.monotonic() + SECONDS, sets)
    while len(_known) > REMEMBERED:
        _known.popitem(last=False)
    return sets


def forget(workspace: Workspace) -> None:
    """Read this workspace's sets again, in this process."""
    _known.pop(workspace.pk, None)


def set_of(workspace: Workspace, model: Embedder) -> VectorSet:
    """The workspace's set by this model; a first one may be searched by from the beginning."""
    sets = VectorSet.objects.in_workspace(workspace)
    found = sets.filter(model=model.name).first()
    if found is None:
        found, _ = VectorSet.unscoped.get_or_create(
            workspace=workspace,
            model=model.name,
            defaults={"dimension": model.dimension, "is_complete": not sets.exists()},
        )
        forget(workspace)
    return found


def change_over(workspace: Workspace, model: Embedder) -> bool:
    """Search by this model from now on: every document has its vector. Whether that is a change."""
    sets = VectorSet.objects.in_workspace(workspace)
    ours = sets.filter(model=model.name, is_complete=False)
    changed = bool(ours.update(is_complete=True, replaced_at=None))
    if changed:
        sets.exclude(model=model.name).update(is_complete=False, replaced_at=timezone.now())
        forget(workspace)
    return changed


def to_prune() -> list[UUID]:
    """Workspaces with vectors that search left behind a while ago. In the system's scope."""
    return list(_old().values_list("workspace", flat=True).order_by("workspace").distinct())


def prune(*, workspace: Workspace, on_progress: Callable[[int], None] | None = None) -> int:
    """Remove the vectors of models that search has left behind, a batch in a transaction."""
    total = 0
    with workspace_scope(workspace.pk):
        old = list(_old().filter(workspace=workspace))
    for each in old:
        while True:
            with workspace_scope(workspace.pk):
                rows = Embedding.objects.in_workspace(workspace).filter(model=each.model)
                ids = list(rows.values_list("pk", flat=True)[:BATCH])
                gone, _ = rows.filter(pk__in=ids).delete()
                if not ids:
                    each.delete()
                    break
            total += gone
            if on_progress is not None:
                on_progress(gone)
    return total


def _old():  # type: ignore[no-untyped-def]
    today = embedder()
    old = VectorSet.unscoped.filter(
        is_complete=False, replaced_at__lt=timezone.now() - PRUNED_AFTER
    )
    return old.exclude(model=today.name) if today else old.none()
