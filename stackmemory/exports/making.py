"""Asking for an export, making it in a worker, and letting it go after a day."""

from __future__ import annotations

import shutil
import time
import uuid
import zipfile
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import Q, QuerySet
from django.utils import timezone

from frames.models import Export, Project
from frames.transfer.errors import BadStore, Cancelled
from frames.transfer.exporting import Wanted, export_stackmemory
from stackmemory.archive.errors import BadArchive
from stackmemory.archive.writing import export_workspace
from stackmemory.lib.queue import Busy, enqueue
from stackmemory.lib.refusal import Conflict, Refusal
from stackmemory.lib.tenancy import system_scope, workspace_scope
from workspaces.actor import Actor
from workspaces.models import User, Workspace

KEPT = timedelta(hours=24)
# A row outlives its file by so long, to say that there was one.
REMEMBERED = timedelta(days=30)
SILENT = timedelta(minutes=10)
# Who makes one says so once a second. The job of one that was killed comes back after its lease, and again
# forty seconds later.
QUIET = timedelta(seconds=45)
AT_ONCE = 2
UNDER_WAY = (Export.State.WAITING, Export.State.RUNNING)
# What a person may ask for, and what asks more of them.
PERMISSIONS = {Export.Format.STORE: "export", Export.Format.ARCHIVE: "archive"}


def exports_of(workspace: Workspace, user: User | None) -> QuerySet[Any]:
    """The exports that somebody asked for; of a key without a person, those of such keys."""
    found = Export.objects.in_workspace(workspace).select_related("project", "workspace")
    mine: QuerySet[Any] = found.filter(created_by_id=user.pk if user else None)
    return mine


def ask(
    *,
    actor: Actor,
    format: str,
    project: Project | None,
    schema: str = "new",
    private: bool = False,
) -> Export:
    """Begin an export for the actor. Raises Refusal.

    `private` asks for everybody's private frames, which an owner alone may; without it a local
    store holds the actor's own, and an archive none.
    """
    actor.require(PERMISSIONS[Export.Format(format)])
    if private:
        actor.require("archive")
    if format == Export.Format.STORE and project is None:
        raise Refusal("project_needed", "Say which project is meant.", field="project")
    busy = exports_of(actor.workspace, actor.user).filter(
        state__in=UNDER_WAY, beat_at__gt=timezone.now() - SILENT
    )
    if busy.count() >= AT_ONCE:
        raise Conflict("busy", f"{AT_ONCE} exports of yours are being made; wait for one of them.")
    export = Export.unscoped.create(
        workspace=actor.workspace, format=format, created_by=actor.user,
        project=project if format == Export.Format.STORE else None,
        options={"schema": schema, "private": private},
    )  # fmt: skip
    enqueue("stackmemory.exports.jobs.run_export", actor.workspace.pk, export.pk, ahead=True)
    return export


def cancel(export: Export) -> bool:
    """Stop it, and take the file away if there is one. False if it was over and gone."""
    mine = Export.objects.in_workspace(export.workspace).filter(pk=export.pk)
    gone = Q(state__in=UNDER_WAY) | Q(state=Export.State.DONE)
    if not mine.filter(gone).update(
        state=Export.State.CANCELLED, file="", finished_at=timezone.now()
    ):
        return False
    shutil.rmtree(_folder(export), ignore_errors=True)
    return True


def make(export: Export) -> None:
    """In a worker: write the file. What goes wrong is told on the row."""
    workspace, folder = export.workspace, _folder(export)
    shutil.rmtree(folder, ignore_errors=True)  # of a worker that died
    folder.mkdir(parents=True)
    pulse = _Pulse(export)
    try:
        if export.format == Export.Format.STORE:
            path, report = _store(export, folder, pulse)
        else:
            path = folder / f"{workspace.slug}.zip"
            report = export_workspace(
                workspace=workspace, output=path, private=bool(export.options.get("private")),
                user=export.created_by, on_progress=pulse,
            )  # fmt: skip
    except Cancelled:
        shutil.rmtree(folder, ignore_errors=True)
        return
    except (BadStore, BadArchive, OSError) as problem:
        shutil.rmtree(folder, ignore_errors=True)
        _end(export, state=Export.State.FAILED, error=str(problem).replace(f"{folder}/", ""))
        return
    kept = {name: report[name] for name in ("rows", "left_out", "workspace_hash") if name in report}
    done = _end(
        export, state=Export.State.DONE, file=str(path.relative_to(settings.MEDIA_ROOT)),
        size=path.stat().st_size, report=kept, expires_at=timezone.now() + KEPT,
    )  # fmt: skip
    if not done:
        shutil.rmtree(folder, ignore_errors=True)  # cancelled in the last moment


def file_of(export: Export) -> Path | None:
    """The file, while it may be had."""
    if export.state != Export.State.DONE or not export.file or not export.expires_at:
        return None
    path = Path(settings.MEDIA_ROOT) / export.file
    return path if export.expires_at > timezone.now() and path.is_file() else None


def expire() -> int:
    """By the clock: files that are a day old go, and a month later what is known of them."""
    now = timezone.now()
    with system_scope():
        late = Export.objects.across_workspaces().filter(
            state=Export.State.DONE, expires_at__lte=now
        )
        gone = list(late.select_related("workspace"))
        for export in gone:
            shutil.rmtree(_folder(export), ignore_errors=True)
        late.filter(pk__in=[e.pk for e in gone]).update(state=Export.State.EXPIRED, file="")
        old = Export.objects.across_workspaces().filter(created_at__lt=now - REMEMBERED)
        for export in old.exclude(state__in=UNDER_WAY):
            shutil.rmtree(_folder(export), ignore_errors=True)
            export.delete()
    return len(gone)


def is_silent(export: Export) -> bool:
    return not export.is_over and export.beat_at < timezone.now() - SILENT


class _Pulse:
    """Notes how far it is, once a second; raises Cancelled when somebody asked for that."""

    def __init__(self, export: Export) -> None:
        self.export, self.at = export, 0.0

    def __call__(self, done: int, total: int) -> None:
        if time.monotonic() - self.at < 1:
            return
        self.at = time.monotonic()
        if connection.in_atomic_block and not settings.Q_CLUSTER["sync"]:
            # What this connection reads is of one moment; what it wrote nobody would see.
            with ThreadPoolExecutor(max_workers=1) as beside:
                wanted = beside.submit(self._beat_alone, done, total).result()
        else:
            wanted = self._beat(done, total)
        if not wanted:
            raise Cancelled

    def _beat_alone(self, done: int, total: int) -> bool:
        try:
            return self._beat(done, total)
        finally:
            connection.close()

    def _beat(self, done: int, total: int) -> bool:
        """Note it; False where somebody has stopped it."""
        with workspace_scope(self.export.workspace_id):
            mine = Export.objects.in_workspace(self.export.workspace).filter(
                pk=self.export.pk, state=Export.State.RUNNING
            )
            now = timezone.now()
            return bool(mine.update(done_rows=done, total_rows=total, beat_at=now))


def _store(export: Export, folder: Path, pulse: _Pulse) -> tuple[Path, dict[str, Any]]:
    """The database, or a zip of it and of what belongs beside it."""
    if export.project is None:
        raise BadStore("The project is gone.")
    inside = folder / ".stackmemory"
    inside.mkdir()
    wanted = Wanted(
        export.project,
        "old" if export.options.get("schema") == "old" else "new",
        user=export.created_by,
        with_private=bool(export.options.get("private")),
    )
    database = inside / "context.db"
    report = export_stackmemory(
        workspace=export.workspace, wanted=wanted, output=database, on_progress=pulse
    )
    if not report["beside"]:
        return database, report
    path = folder / f"{export.project.slug}.zip"
    with zipfile.ZipFile(path, "x", zipfile.ZIP_DEFLATED) as archive:
        for name in ("context.db", *report["beside"]):
            archive.write(inside / name, name)
    shutil.rmtree(inside)
    return path, report


def _end(export: Export, **fields: Any) -> int:
    with workspace_scope(export.workspace_id):
        running = Export.objects.in_workspace(export.workspace).filter(
            pk=export.pk, state=Export.State.RUNNING
        )
        return int(running.update(finished_at=timezone.now(), **fields))


def _folder(export: Export) -> Path:
    # <kind>/<workspace>/: what erasing a workspace takes with it
    return Path(settings.MEDIA_ROOT) / "exports" / str(export.workspace_id) / str(export.pk)


def claim(workspace_id: uuid.UUID, export_id: uuid.UUID) -> Export | None:
    """Take an export to make: one that waits, or whose worker has died.

    Raises Busy while that worker may be at it.
    """
    with workspace_scope(workspace_id):
        export: Export | None = (
            Export.objects.across_workspaces()
            .select_related("workspace", "project", "created_by")
            .filter(pk=export_id, workspace_id=workspace_id)
            .first()
        )
        if export is None:
            return None
        free = Q(state=Export.State.WAITING)
        free |= Q(state=Export.State.RUNNING, beat_at__lt=timezone.now() - QUIET)
        mine = Export.objects.in_workspace(export.workspace).filter(free, pk=export.pk)
        if mine.update(state=Export.State.RUNNING, beat_at=timezone.now()):
            return export
        export.refresh_from_db(fields=["state"])
        if export.state == Export.State.RUNNING:
            raise Busy("It was heard of just now.")
        return None
