"""An import from files that were sent: received, a job enqueued, progress on its transfer."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import IO, Any
from uuid import UUID

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.utils import timezone

from frames.models import Transfer
from frames.transfer.bundle import BUNDLE, UNPACKED, too_much, unpack
from frames.transfer.errors import BadStore, Cancelled
from frames.transfer.importing import Options, import_stackmemory
from frames.transfer.projects import check_slug
from frames.transfer.snapshot import check_header
from stackmemory.lib.queue import enqueue
from stackmemory.lib.tenancy import workspace_scope
from stackmemory.lib.uuid7 import uuid7
from workspaces.models import User, Workspace

# What a store is made of; anything else in an upload is refused by name.
NAMES = frozenset(
    {"context.db", "context.db-wal", "tasks.jsonl", "session-decisions.json", "projects.db"}
)
MOST_FILES = 1000


def receive(
    *,
    workspace: Workspace,
    user: User,
    files: Iterable[UploadedFile],
    project_slug: str,
    keep_project_ids: bool,
    dry_run: bool,
) -> Transfer:
    """Store the uploaded files of one store and enqueue its import; return the transfer.

    Raises BadStore, with nothing kept, when the files are none that an import could read.
    """
    slug = check_slug(project_slug) if project_slug else None
    options = Options(project=slug, keep_project_ids=keep_project_ids, dry_run=dry_run)
    transfer_id = uuid7()
    folder = _folder(workspace, transfer_id)
    folder.mkdir(parents=True)
    try:
        name = _save(list(files), folder)
        check_header(folder / "context.db")
    except BadStore as problem:
        shutil.rmtree(folder)
        raise BadStore(_without(folder, problem)) from None
    except BaseException:
        shutil.rmtree(folder)
        raise
    transfer = Transfer.unscoped.create(
        id=transfer_id,
        workspace=workspace,
        name=name,
        upload=str(folder.relative_to(settings.MEDIA_ROOT)),
        options=options.as_json() | {"dry_run": dry_run},
        created_by=user,
    )
    enqueue("frames.jobs.run_import", workspace.id, transfer.id, ahead=True)
    return transfer


def begin(transfer: Transfer, folder: Path, *, now: bool = False) -> None:
    """All files of a transfer are in `folder`: import them, by a worker or right `now`."""
    transfer.upload = str(folder.relative_to(settings.MEDIA_ROOT))
    transfer.state = Transfer.State.WAITING
    transfer.save(update_fields=["upload", "state"])
    if now:
        run_upload(transfer)
    else:
        enqueue("frames.jobs.run_import", transfer.workspace_id, transfer.id, ahead=True)


def folder_of(transfer: Transfer) -> Path:
    """Where the files of a transfer are, or will be."""
    return _folder(transfer.workspace, transfer.pk)


def _folder(workspace: Workspace, transfer_id: UUID) -> Path:
    return Path(settings.MEDIA_ROOT) / "imports" / str(workspace.pk) / str(transfer_id)


def cancel(transfer: Transfer) -> bool:
    """Ask a transfer to stop after its current batch; what was written stays. False if over."""
    query = Transfer.objects.in_workspace(transfer.workspace).filter(pk=transfer.pk)
    waiting = query.filter(state__in=("receiving", "waiting", "checking", "running"))
    if not waiting.update(state=Transfer.State.CANCELLED, finished_at=timezone.now()):
        return False
    if not transfer.upload:  # what has arrived of it is no use
        shutil.rmtree(folder_of(transfer), ignore_errors=True)
    return True


def retry(transfer: Transfer) -> bool:
    """Go on with a transfer that failed or was cancelled, where it stopped. False if it did not."""
    query = Transfer.objects.in_workspace(transfer.workspace).filter(pk=transfer.pk)
    stopped = query.filter(state__in=("failed", "cancelled")).exclude(upload="")
    if not stopped.update(state=Transfer.State.WAITING, error="", finished_at=None):
        return False
    enqueue("frames.jobs.run_import", transfer.workspace_id, transfer.id, ahead=True)
    return True


def run_upload(transfer: Transfer) -> None:
    """Import the files of a transfer and remove them; a failure is told on the transfer."""
    folder = Path(settings.MEDIA_ROOT) / transfer.upload
    options = transfer.options
    try:
        report = import_stackmemory(
            workspace=transfer.workspace,
            path=_store(folder, options),
            options=Options(
                project=options.get("project"),
                keep_project_ids=bool(options.get("keep_project_ids")),
                dry_run=bool(options.get("dry_run")),
            ),
            transfer=transfer,
        )
    except Cancelled:
        return  # the files stay for a retry
    except BadStore as problem:
        with workspace_scope(transfer.workspace_id):
            Transfer.objects.in_workspace(transfer.workspace).filter(pk=transfer.pk).update(
                state=Transfer.State.FAILED,
                error=_without(folder, problem),
                finished_at=timezone.now(),
            )
        return
    if options.get("dry_run"):
        with workspace_scope(transfer.workspace_id):
            rows = report["rows"] | {"other": report["rows"]["other"]}
            Transfer.objects.in_workspace(transfer.workspace).filter(pk=transfer.pk).update(
                state=Transfer.State.DONE, tables=rows, adjusted=report["adjusted"],
                report=report, finished_at=timezone.now(),
            )  # fmt: skip
    shutil.rmtree(folder, ignore_errors=True)


def _store(folder: Path, options: dict[str, Any]) -> Path:
    """What to import: a bundle's store, or the files as a browser sent them."""
    if not (folder / BUNDLE).exists():
        return folder / "context.db"
    return unpack(folder, store=str(options["store"]), most=settings.IMPORT_MAX_BYTES)


def _without(folder: Path, problem: BadStore) -> str:
    """What is wrong, for somebody who never saw where the server keeps uploads."""
    return str(problem).replace(f"{folder / UNPACKED}/", "").replace(f"{folder}/", "")


def _save(files: list[UploadedFile], folder: Path) -> str:
    """Write the parts of a store into `folder`; returns what to call it."""
    if not files:
        raise BadStore("No file was sent; choose the context.db of a .stackmemory folder.")
    room = Room(settings.IMPORT_MAX_BYTES)
    if len(files) == 1 and zipfile.is_zipfile(files[0]):
        _unzip(files[0], folder, room)
    else:
        for file in files:
            file.seek(0)  # whoever looked at it, is_zipfile for one, left it at its end
            _write(file, folder / _part_of(str(file.name), alone=len(files) == 1), room)
    if not (folder / "context.db").is_file():
        sent = ", ".join(str(file.name) for file in files)[:200]
        raise BadStore(f"There is no context.db among the files sent ({sent}); add it.")
    return str(files[0].name)[:200] if len(files) == 1 else "context.db"


def _part_of(name: str, *, alone: bool) -> str:
    """The part of a store that an uploaded file is, whatever it is called."""
    base = PurePosixPath(name.replace("\\", "/")).name
    if base in NAMES:
        return base
    for part in ("tasks.jsonl", "session-decisions.json", "projects.db"):
        if base.endswith(f".{part}"):
            return part
    if base.endswith("-wal"):
        return "context.db-wal"
    if alone or base.endswith((".db", ".sqlite", ".sqlite3")):
        return "context.db"
    raise BadStore(
        f"“{base}” is no part of a store; send context.db and, where there are, context.db-wal,"
        " tasks.jsonl, session-decisions.json and projects.db, or a zip of .stackmemory."
    )


def _unzip(file: UploadedFile, folder: Path, room: Room) -> None:
    """The known parts of a zipped folder; no path in it is followed, no bomb unpacked."""
    with zipfile.ZipFile(file) as archive:
        entries = archive.infolist()
        if len(entries) > MOST_FILES:
            raise BadStore(f"The zip holds {len(entries)} files; zip just the .stackmemory folder.")
        for entry in entries:
            base = PurePosixPath(entry.filename).name
            if base not in NAMES or (folder / base).exists():
                continue
            if entry.flag_bits & 0x1:
                raise BadStore("The zip is encrypted; send it without a password.")
            try:
                with archive.open(entry) as part:
                    _write(part, folder / base, room)
            except (zipfile.BadZipFile, NotImplementedError) as problem:
                raise BadStore(f"The zip is damaged ({problem}); zip the folder again.") from None


class Room:
    """How many bytes an upload may still take, counted as they are written."""

    def __init__(self, most: int) -> None:
        self.most = self.left = most

    def take(self, size: int) -> None:
        self.left -= size
        if self.left < 0:
            raise too_much(self.most)


def _write(source: UploadedFile | IO[bytes], target: Path, room: Room) -> None:
    with target.open("wb") as out:
        while block := source.read(1 << 20):
            room.take(len(block))
            out.write(block)
