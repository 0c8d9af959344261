"""Bringing an archive in: sent whole by a browser or in pieces over the API, then taken by a worker.

Pieces are taken only where the file ends, so a sender that lost its connection asks how much there is
and goes on from there.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone

from stackmemory.archive.container import Container
from stackmemory.archive.errors import BadArchive
from stackmemory.archive.newcomer import Newcomer
from stackmemory.archive.reading import import_workspace
from stackmemory.arrivals.progress import ARCHIVE, STOP, Pulse, Stopped, folder_of, heard_of
from stackmemory.lib.queue import Busy, enqueue
from stackmemory.lib.refusal import Conflict, Refusal
from stackmemory.models import ArchiveImport
from workspaces.models import User, Workspace
from workspaces.models.workspace import slug_validator

State = ArchiveImport.State
MOST_PIECE = 8 * 1024 * 1024
AT_ONCE = 2
SILENT = timedelta(minutes=10)
# Who takes one says so once a second. The job of one that was killed comes back after its lease, and again
# forty seconds later.
QUIET = timedelta(seconds=45)
ABANDONED, REMEMBERED = timedelta(days=7), timedelta(days=30)
UNDER_WAY = (State.RECEIVING, State.WAITING, State.RUNNING)


class TooLarge(Refusal):
    status = 413


def arrivals_of(user: User) -> QuerySet[ArchiveImport]:
    return ArchiveImport.objects.filter(created_by=user)


def announce(
    *, user: User, name: str, slug: str = "", size: int = 0, sha256: str = ""
) -> ArchiveImport:
    """Say that an archive comes. The same one again goes on where it stopped. Raises Refusal."""
    if slug:
        check_slug(slug)
    if size > settings.IMPORT_MAX_BYTES:
        most = settings.IMPORT_MAX_BYTES >> 20
        raise TooLarge("too_large", f"An archive is at most {most:,} MB here.", field="size")
    mine = arrivals_of(user)
    same = mine.filter(sha256=sha256, size=size, state=State.RECEIVING).first() if sha256 else None
    if same is not None:
        return same
    if mine.filter(state__in=UNDER_WAY, beat_at__gt=timezone.now() - SILENT).count() >= AT_ONCE:
        raise Conflict("busy", f"{AT_ONCE} archives of yours are on the way; wait for one of them.")
    return ArchiveImport.objects.create(
        created_by=user, name=name[:200], slug=slug, size=size, sha256=sha256
    )


def check_slug(slug: str) -> None:
    if not slug_validator.regex.fullmatch(slug):  # type: ignore[union-attr]
        raise Refusal("invalid", str(slug_validator.message), field="slug")
    if Workspace.objects.filter(slug=slug).exists():
        raise Refusal("invalid", "This address is taken.", field="slug")


def received(arrival: ArchiveImport) -> int:
    """How many bytes have arrived."""
    if arrival.state != State.RECEIVING:
        return arrival.size
    try:
        return _part(arrival).stat().st_size
    except FileNotFoundError:
        return 0


def take_piece(arrival: ArchiveImport, *, offset: int, piece: bytes) -> None:
    """Add the bytes from `offset` on; with the last the archive is taken. The caller holds the row's
    lock. Raises Refusal."""
    if arrival.state != State.RECEIVING:
        raise Conflict("not_receiving", f"This archive is {arrival.state}; it takes no more bytes.")
    there = received(arrival)
    if offset != there:
        raise Conflict(
            "wrong_offset", f"{there} bytes are here; send those from there on.", field="offset"
        )
    if there + len(piece) > arrival.size:
        raise Refusal(
            "invalid", f"{arrival.size} bytes were announced, and no more.", field="offset"
        )
    _append(arrival, [piece])
    ArchiveImport.objects.filter(pk=arrival.pk).update(beat_at=timezone.now())
    if there + len(piece) == arrival.size:
        with _part(arrival).open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if digest != arrival.sha256:
            _part(arrival).unlink()
            raise Conflict("wrong_digest", f"What arrived has the SHA-256 {digest}; send it again.")
        begin(arrival)


def take_file(arrival: ArchiveImport, chunks: Iterable[bytes]) -> None:
    """All of it, as a browser sends it. Raises BadArchive where it is none at all."""
    _append(arrival, chunks)
    begin(arrival)


def begin(arrival: ArchiveImport) -> None:
    """Let a worker take it. Raises BadArchive where a look at its beginning shows that it is none."""
    part = _part(arrival)
    try:
        Container(part).close()
    except BadArchive as problem:
        _end(arrival, State.FAILED, error=_without(arrival, problem))
        return
    size = part.stat().st_size
    part.rename(part.with_name(ARCHIVE))
    ArchiveImport.objects.filter(pk=arrival.pk).update(
        state=State.WAITING, size=size, beat_at=timezone.now()
    )
    enqueue("stackmemory.arrivals.jobs.run_arrival", arrival.pk, ahead=True)


def cancel(arrival: ArchiveImport) -> bool:
    """Stop it: at once where nobody is at it, else soon, and nothing of it is kept. False if over."""
    if arrival.is_over:
        return False
    if arrival.state == State.RUNNING and not is_silent(arrival):
        (folder_of(arrival) / STOP).touch()
        return True
    _end(arrival, State.CANCELLED)
    return True


def take(arrival: ArchiveImport) -> None:
    """In a worker: check it, write it, make it its person's. What is wrong with it is told on the row.

    Raises Busy while another one may be at it.
    """
    free = ArchiveImport.objects.filter(pk=arrival.pk, state__in=(State.WAITING, State.RUNNING))
    if arrival.state == State.RUNNING and not is_silent(arrival, QUIET):
        raise Busy("It was heard of just now.")
    if not free.update(state=State.RUNNING, beat_at=timezone.now()):
        return
    folder = folder_of(arrival)

    def done(workspace: Workspace) -> None:
        ArchiveImport.objects.filter(pk=arrival.pk).update(
            state=State.DONE, slug=workspace.slug, finished_at=timezone.now()
        )

    by = Newcomer(arrival.created_by, settings.IMPORT_MAX_BYTES, done)
    try:
        report = import_workspace(
            path=folder / ARCHIVE, slug=arrival.slug or None, on_progress=Pulse(folder), by=by
        )
    except Stopped:
        _end(arrival, State.CANCELLED)
    except (BadArchive, OSError) as problem:
        _end(arrival, State.FAILED, error=_without(arrival, problem))
    else:
        kept = {name: report[name] for name in ("rows", "workspace_hash", "members", "seconds")}
        ArchiveImport.objects.filter(pk=arrival.pk).update(report=kept)
        shutil.rmtree(folder, ignore_errors=True)


def is_silent(arrival: ArchiveImport, since: timedelta = SILENT) -> bool:
    return not arrival.is_over and heard_of(arrival) < time.time() - since.total_seconds()


def forget() -> int:
    """By the clock: give up what nobody goes on with, and forget what is long over."""
    now = timezone.now()
    late = ArchiveImport.objects.filter(state__in=UNDER_WAY, beat_at__lt=now - ABANDONED)
    for arrival in late:
        _end(arrival, State.CANCELLED)
    gone, _ = ArchiveImport.objects.filter(finished_at__lt=now - REMEMBERED).delete()
    return gone


def _append(arrival: ArchiveImport, pieces: Iterable[bytes]) -> None:
    part = _part(arrival)
    part.parent.mkdir(parents=True, exist_ok=True)
    with part.open("ab") as file:
        for piece in pieces:
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())


def _end(arrival: ArchiveImport, state: str, *, error: str = "") -> None:
    going_on = ArchiveImport.objects.filter(pk=arrival.pk, state__in=UNDER_WAY)
    going_on.update(state=state, error=error, finished_at=timezone.now())
    shutil.rmtree(folder_of(arrival), ignore_errors=True)


def _part(arrival: ArchiveImport) -> Path:
    return folder_of(arrival) / "archive.part"


def _without(arrival: ArchiveImport, problem: Exception) -> str:
    """What is wrong, for somebody who never saw where the server keeps uploads."""
    told = str(problem).replace(f"{folder_of(arrival)}/", "")
    return told.replace(ARCHIVE, arrival.name).replace("archive.part", arrival.name)
