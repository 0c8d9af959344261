"""The going itself, for good; whoever calls tells search (stackmemory/erasing), in the same transaction."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from frames.cold.forgetting import recount
from frames.erasing.doomed import AT_ONCE, Doomed
from frames.erasing.kept import erase_kept
from frames.models import AgentSession, Anchor, Event, Export, Frame, Revision, Task
from frames.signals import changed
from frames.sweeping import forget_events
from frames.tombstones import Tombstones, anchor_name, run_name
from frames.transfer.reading import parts
from stackmemory.lib.tenancy import system_scope
from workspaces import news
from workspaces.models import Workspace

# Of one transaction, where a worker erases; what more there is goes before, some at a time.
EVENTS = 5_000


def erase_events(doomed: Doomed) -> int:
    """For a worker: most of the events, in transactions of their own, so that none is long."""
    gone = 0
    for ids in parts(list(doomed.frames), AT_ONCE):
        while True:
            with system_scope():
                rows = Event.unscoped.filter(workspace=doomed.workspace, frame__in=ids)
                found = list(
                    rows.order_by("frame", "occurred_at").values_list("pk", flat=True)[:EVENTS]
                )
                rows.filter(pk__in=found)._raw_delete(rows.db)
            gone += len(found)
            if len(found) < EVENTS:
                break
    return gone


def lay(doomed: Doomed) -> None:
    """Tombstones first: from their commit on nothing of it is taken again."""
    stones = Tombstones(doomed.workspace)
    for ids in parts(list(doomed.frames), AT_ONCE):
        for kind, rows in _named(doomed.workspace, ids):
            stones.add(kind, [name for name in rows if name])
    if doomed.session is not None:
        name = doomed.session.source_id or str(doomed.session.pk)
        stones.add("session", [run_name(doomed.session.project_id, name)])


def erase(doomed: Doomed) -> dict[str, int]:
    """All of it, in the caller's transaction; how much of what went. Doing it again does nothing."""
    workspace, gone = doomed.workspace, dict.fromkeys(("frames", "events", "anchors", "tasks"), 0)
    with system_scope():  # events are not the application's to delete
        rows = Frame.unscoped.filter(workspace=workspace, pk__in=doomed.frames)
        locked = rows.select_for_update(of=("self",)).order_by("pk")
        there = dict(locked.values_list("pk", "visibility"))
        lay(doomed)
        _move(doomed)
        _tell_parents(doomed)
        projects = set(rows.values_list("project_id", flat=True))
        for ids in parts(list(there), AT_ONCE):
            for name, number in _erase(workspace, ids).items():
                gone[name] += number
        if doomed.session is not None:
            projects.add(doomed.session.project_id)
            gone["events"] += _erase_session(workspace, doomed.session)
        _let_exports_go(workspace, projects)
        seen = [pk for pk, visibility in there.items() if visibility == Frame.Visibility.TEAM]
        news.tell(workspace.pk, "frame", "erased", seen)
    return gone


def _named(workspace: Workspace, ids: Sequence[uuid.UUID]) -> Iterator[tuple[str, list[str]]]:
    """Kind and names, as tombstones have them, of these frames and of what hangs on them."""
    frames = Frame.objects.in_workspace(workspace).filter(pk__in=ids)
    yield "frame", [s or str(pk) for pk, s in frames.values_list("pk", "source_id")]
    anchors = Anchor.objects.in_workspace(workspace).filter(frame__in=ids)
    named = anchors.values_list("pk", "origin", "source_id")
    yield "anchor", [anchor_name(origin, s or str(pk)) for pk, origin, s in named]
    tasks = Task.objects.in_workspace(workspace).filter(frame__in=ids)
    yield "task", [s or str(pk) for pk, s in tasks.values_list("pk", "source_id")]


def _move(doomed: Doomed) -> None:
    for pk, place in doomed.moved.items():
        Frame.unscoped.filter(workspace=doomed.workspace, pk=pk).update(
            parent=place.parent_id, root_id=place.root_id, depth=place.depth
        )
    if doomed.moved:
        changed(doomed.workspace, "frame", doomed.moved)


def _tell_parents(doomed: Doomed) -> None:
    """Frames that stay and had called one that goes: their count, and its name in their digests."""
    going = set(doomed.frames)
    rows = Frame.unscoped.filter(workspace=doomed.workspace, pk__in=doomed.frames)
    called = [r for r in rows.values_list("parent_id", "name") if r[0] and r[0] not in going]
    parents = Frame.unscoped.filter(workspace=doomed.workspace).in_bulk({p for p, _ in called})
    moved_to = [place.parent_id for place in doomed.moved.values()]
    for parent in parents.values():
        names = [name for pk, name in called if pk == parent.pk]
        listed = parent.digest.get("children") if isinstance(parent.digest, dict) else None
        if isinstance(listed, list):
            parent.digest["children"] = [
                line for line in listed
                if not (isinstance(line, str) and line.rpartition(" (")[0] in names)
            ]  # fmt: skip
        number = len(names) - sum(1 for pk in moved_to if pk == parent.pk)
        Frame.unscoped.filter(pk=parent.pk).update(
            child_count=max(parent.child_count - number, 0), digest=parent.digest
        )
    changed(doomed.workspace, "frame", parents)


def _erase(workspace: Workspace, ids: list[uuid.UUID]) -> dict[str, int]:
    names = list(
        Frame.unscoped.filter(pk__in=ids)
        .exclude(source_id=None)
        .values_list("source_id", flat=True)
    )
    tasks = Task.unscoped.filter(workspace=workspace, frame__in=ids)
    anchors = Anchor.unscoped.filter(workspace=workspace, frame__in=ids)
    task_names = [name for name in tasks.values_list("source_id", flat=True) if name]
    erase_kept(workspace, names, task_names)
    objects = [*ids, *tasks.values_list("pk", flat=True), *anchors.values_list("pk", flat=True)]
    Revision.unscoped.filter(workspace=workspace, object_id__in=objects).delete()
    # What an erased anchor had replaced stands again.
    Anchor.unscoped.filter(workspace=workspace, superseded_by__in=objects).update(
        superseded_by=None
    )
    events = Event.unscoped.filter(workspace=workspace, frame__in=ids)
    return {
        "events": events._raw_delete(events.db),
        "anchors": anchors.delete()[1].get("frames.Anchor", 0),
        "tasks": tasks.delete()[1].get("frames.Task", 0),
        # With all that refers to them, whichever app's.
        "frames": Frame.unscoped.filter(pk__in=ids).delete()[1].get("frames.Frame", 0),
    }


def _erase_session(workspace: Workspace, session: AgentSession) -> int:
    """The run itself, with the events it left in frames of other runs."""
    events = Event.unscoped.filter(workspace=workspace, session=session)
    frames = set(events.order_by().values_list("frame", flat=True))
    stored = events.exclude(stored_digest=None)
    forget_events(workspace, stored.values_list("pk", flat=True))
    gone: int = events._raw_delete(events.db)
    for pk in frames:
        recount(workspace.pk, pk)
    AgentSession.unscoped.filter(workspace=workspace, pk=session.pk).delete()
    return gone


def _let_exports_go(workspace: Workspace, projects: set[uuid.UUID]) -> None:
    """Files that wait to be fetched and may hold it; whoever asked can ask again."""
    rows: QuerySet[Any] = Export.unscoped.filter(
        Q(format=Export.Format.ARCHIVE) | Q(project__in=projects), workspace=workspace,
        state__in=(Export.State.RUNNING, Export.State.DONE),
    )  # fmt: skip
    ids = list(rows.values_list("pk", flat=True))
    rows.filter(pk__in=ids).update(
        state=Export.State.CANCELLED, file="", finished_at=timezone.now(),
        error="Something that may be in it was erased; ask for it again.",
    )  # fmt: skip
    for pk in ids:
        folder = Path(settings.MEDIA_ROOT) / "exports" / str(workspace.pk) / str(pk)
        transaction.on_commit(partial(shutil.rmtree, folder, ignore_errors=True))
