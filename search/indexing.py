"""Keeping documents in step with what they are made of: in batches, in jobs, as often as one likes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef, prefetch_related_objects

from frames.cold import reading
from frames.models import Anchor, Event, Frame, Task
from search.documents import of_anchor, of_event, of_frame, of_task
from search.models import Document, IndexedFrame
from search.words import remember
from stackmemory.lib.tenancy import workspace_scope
from workspaces.models import Workspace

BATCH = 500
FIELDS = (
    "project", "frame", "session_id", "private_to", "type", "title", "text", "who", "at", "place",
    "superseded", "pinned", "aliases", "score", "owner", "is_open", "terms", "length",
    "content_hash",
)  # fmt: skip
MAKERS: dict[str, tuple[Any, Callable[[Any], Document | None], tuple[str, ...]]] = {
    Document.Kind.FRAME: (Frame, of_frame, ()),
    Document.Kind.ANCHOR: (Anchor, of_anchor, ("frame",)),
    Document.Kind.TASK: (Task, of_task, ("frame",)),
    Document.Kind.EVENT: (Event, of_event, ("frame", "session")),
}


def never() -> bool:
    return False


def index(*, workspace: Workspace, kind: str, ids: Sequence[UUID]) -> int:
    """Make or renew the documents of these objects; remove those of objects that are gone.

    Returns how many were written. Unchanged ones are left alone.
    """
    model, maker, related = MAKERS[kind]
    written = 0
    for start in range(0, len(ids), BATCH):
        part = list(ids[start : start + BATCH])
        rows = model.objects.in_workspace(workspace).filter(pk__in=part).select_related(*related)
        there = {row.pk: row for row in rows}
        if model is Event and (lacking := set(part) - set(there)):
            cold = reading.find(workspace.pk, lacking)
            prefetch_related_objects(list(cold.values()), *related)
            there |= cold
        made = {pk: document for pk, row in there.items() if (document := maker(row)) is not None}
        documents = Document.objects.in_workspace(workspace).filter(kind=kind)
        known = dict(documents.filter(object_id__in=part).values_list("object_id", "content_hash"))
        gone = set(known) - set(made)
        if gone:
            documents.filter(object_id__in=gone).delete()
        changed = [d for id_, d in made.items() if known.get(id_) != d.content_hash]
        Document.unscoped.bulk_create(
            changed,
            update_conflicts=True,
            unique_fields=["workspace", "kind", "object_id"],
            update_fields=FIELDS,
        )
        remember(workspace, changed)
        written += len(changed)
    return written


def reindex(
    *,
    workspace: Workspace,
    everything: bool = False,
    on_progress: Callable[[int], None] | None = None,
    enough: Callable[[], bool] = never,
) -> int:
    """Index what has no document yet, or `everything`; each batch in its own transaction.

    Events are looked for in the frames whose number of events differs from what was looked through.
    `enough`, asked after what was committed, ends it early; what is left is found by the next one.
    """
    total = 0
    for kind in (Document.Kind.ANCHOR, Document.Kind.FRAME, Document.Kind.TASK):
        for ids in _batches(workspace, kind, everything=everything):
            with workspace_scope(workspace.id):
                total += index(workspace=workspace, kind=kind, ids=ids)
            if on_progress is not None:
                on_progress(len(ids))
            if total and enough():
                return total
    for frame_id, counted in _frames_to_look_through(workspace, everything=everything):
        written = 0
        for ids in _events_of(workspace, frame_id, everything=everything):
            with workspace_scope(workspace.id):
                written += index(workspace=workspace, kind=Document.Kind.EVENT, ids=ids)
            if on_progress is not None:
                on_progress(len(ids))
            # Events that say nothing get no document and would be looked at again by the next one.
            if written and enough():
                return total + written
        total += written
        with workspace_scope(workspace.id):
            IndexedFrame.unscoped.update_or_create(
                workspace=workspace, frame_id=frame_id, defaults={"events": counted}
            )
        if enough():
            return total
    return total


def unlooked(frames: Any) -> Any:
    """Those of `frames` whose events have not all been looked through."""
    looked = IndexedFrame.unscoped.filter(
        workspace=OuterRef("workspace"), frame=OuterRef("pk"), events=OuterRef("event_count")
    )
    return frames.filter(~Exists(looked), event_count__gt=0)


def _frames_to_look_through(
    workspace: Workspace, *, everything: bool
) -> Iterator[tuple[UUID, int]]:
    """(frame, its number of events before they are read), so that later ones are not missed."""
    last: UUID | None = None
    while True:
        with workspace_scope(workspace.id):
            frames = Frame.objects.in_workspace(workspace)
            frames = frames.filter(event_count__gt=0) if everything else unlooked(frames)
            if last is not None:
                frames = frames.filter(pk__gt=last)
            found = list(frames.order_by("pk").values_list("pk", "event_count")[:BATCH])
        if not found:
            return
        yield from found
        last = found[-1][0]


def _events_of(workspace: Workspace, frame: UUID, *, everything: bool) -> Iterator[list[UUID]]:
    """A frame's events that have no document, or all, a batch at a time."""
    last: UUID | None = None
    while True:
        with workspace_scope(workspace.id):
            rows = Event.objects.in_workspace(workspace).filter(frame=frame)
            if not everything:
                rows = rows.filter(~Exists(_documents_of(workspace, Document.Kind.EVENT)))
            if last is not None:
                rows = rows.filter(pk__gt=last)
            ids = list(rows.order_by("pk").values_list("pk", flat=True)[:BATCH])
        if not ids:
            break
        yield ids
        last = ids[-1]
    with workspace_scope(workspace.id):
        cold = [row["id"] for row in reading.of_frames(workspace.id, [frame])]
        if not cold:
            return
        documents = Document.objects.in_workspace(workspace).filter(kind=Document.Kind.EVENT)
        there = set(documents.filter(frame=frame).values_list("object_id", flat=True))
    lacking = cold if everything else [pk for pk in cold if pk not in there]
    for start in range(0, len(lacking), BATCH):
        yield lacking[start : start + BATCH]


def _documents_of(workspace: Workspace, kind: str) -> Any:
    return Document.unscoped.filter(workspace=workspace, kind=kind, object_id=OuterRef("pk"))


def _batches(workspace: Workspace, kind: str, *, everything: bool) -> Iterator[list[UUID]]:
    """Ids in their own order, a batch at a time; without `everything` those lacking a document."""
    model = MAKERS[kind][0]
    last: UUID | None = None
    while True:
        with workspace_scope(workspace.id):
            rows = model.objects.in_workspace(workspace)
            if not everything:
                rows = rows.filter(~Exists(_documents_of(workspace, kind)))
            if last is not None:
                rows = rows.filter(pk__gt=last)
            ids = list(rows.order_by("pk").values_list("pk", flat=True)[:BATCH])
        if not ids:
            return
        yield ids
        last = ids[-1]


def forget(*, workspace: Workspace, object_ids: Iterable[UUID]) -> None:
    """Remove the documents of erased objects at once."""
    Document.objects.in_workspace(workspace).filter(object_id__in=list(object_ids)).delete()
