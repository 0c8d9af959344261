"""An import over the API: announced with its size and digest, sent in pieces, then run.

What has arrived is the size of a file, and a piece is taken only where that file ends. So a sender
that lost its connection asks how much there is and goes on from there, and nothing is kept twice.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from frames.models import Transfer, TransferItem
from frames.transfer import upload
from frames.transfer.bundle import BUNDLE, check_place, too_much
from frames.transfer.errors import BadStore
from frames.transfer.importing import Options
from frames.transfer.projects import check_slug
from stackmemory.lib.refusal import Conflict, Refusal
from stackmemory.lib.uuid7 import uuid7
from workspaces.actor import Actor
from workspaces.models import Workspace

State = Transfer.State
MOST_PIECE = 8 * 1024 * 1024
MOST_AT_ONCE = 5
# A part of a mirror up to this size is imported by the request that brings it: behind other jobs of
# a worker, which can take minutes, it would not be in step.
SMALL = 512 * 1024
# An upload nobody went on with for so long is given up when the next one is announced.
ABANDONED = timedelta(days=7)
AT_WORK = (State.WAITING, State.CHECKING, State.RUNNING)


class TooLarge(Refusal):
    status = 413


@dataclass(frozen=True)
class Announced:
    """What will be sent: a zip of `size` bytes, and the path in it of what is to be imported.

    `mirror` is the name of the mirror it is a part of, if it is of one.
    """

    name: str
    store: str
    size: int
    sha256: str
    options: Options
    mirror: str = ""

    def as_json(self) -> dict[str, Any]:
        named = {"mirror": self.mirror} if self.mirror else {}
        return {
            **self.options.as_json(), "dry_run": self.options.dry_run, "store": self.store,
            "size": self.size, "sha256": self.sha256, **named,
        }  # fmt: skip


def announce(*, actor: Actor, told: Announced) -> tuple[Transfer, bool]:
    """The transfer to send pieces to, and whether it is new.

    The same content announced again, before it is done, gives the transfer there is, which goes on
    where it stopped. Raises Refusal.
    """
    _check(told)
    transfers = Transfer.objects.in_workspace(actor.workspace)
    same = transfers.filter(options=told.as_json()).exclude(state=State.DONE).order_by("-id")
    for transfer in same.select_for_update():
        if transfer.state == State.RECEIVING or transfer.state in AT_WORK:
            return transfer, False
        if upload.retry(transfer):
            transfer.refresh_from_db()
            return transfer, False
    _tidy(actor.workspace, told.mirror)
    if transfers.filter(state=State.RECEIVING).count() >= MOST_AT_ONCE:
        raise Conflict(
            "too_many_imports",
            f"{MOST_AT_ONCE} imports are being received already; finish or cancel one of them.",
        )
    transfer = Transfer.unscoped.create(
        id=uuid7(),
        workspace=actor.workspace,
        kind=Transfer.Kind.MIRROR if told.mirror else Transfer.Kind.IMPORT,
        state=State.RECEIVING,
        name=told.name,
        options=told.as_json(),
        created_by=actor.user,
    )
    return transfer, True


def received(transfer: Transfer) -> int:
    """How many bytes have arrived."""
    if transfer.state != State.RECEIVING:
        return int(transfer.options.get("size") or 0)
    try:
        return _part(transfer).stat().st_size
    except FileNotFoundError:
        return 0


def take_piece(*, transfer: Transfer, offset: int, piece: bytes) -> int:
    """Add the bytes from `offset` on; how many there are now. With the last the import is enqueued.

    The caller holds a lock on the row. Raises Conflict where they do not belong there, and Refusal
    where the whole is not what was announced; then sending begins anew.
    """
    if transfer.state != State.RECEIVING:
        raise Conflict("not_receiving", f"This import is {transfer.state}; it takes no more bytes.")
    size, there = int(transfer.options["size"]), received(transfer)
    if offset != there:
        raise Conflict(
            "wrong_offset", f"{there} bytes are here; send those from there on.", field="offset"
        )
    if there + len(piece) > size:
        message = f"{size} bytes were announced; this would make it {there + len(piece)}."
        raise Refusal("invalid", message, field="offset")
    part = _part(transfer)
    part.parent.mkdir(parents=True, exist_ok=True)
    with part.open("ab") as file:
        file.write(piece)
        file.flush()
        os.fsync(file.fileno())
    Transfer.objects.in_workspace(transfer.workspace).filter(pk=transfer.pk).update(
        beat_at=timezone.now()
    )
    if there + len(piece) == size:
        _complete(transfer, part)
    return there + len(piece)


def _complete(transfer: Transfer, part: Path) -> None:
    with part.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != transfer.options["sha256"]:
        part.unlink()
        raise Conflict(
            "wrong_digest",
            f"What arrived has the SHA-256 {digest}, which is not the one announced; send it again"
            " from the beginning.",
        )
    part.rename(part.with_name(BUNDLE))
    small = transfer.kind == Transfer.Kind.MIRROR and int(transfer.options["size"]) <= SMALL
    upload.begin(transfer, part.parent, now=small)


def _check(told: Announced) -> None:
    most = settings.IMPORT_MAX_BYTES
    try:
        check_place(told.store)
    except BadStore as problem:
        raise Refusal("invalid", str(problem), field="store") from None
    if told.options.project is not None:
        try:
            check_slug(told.options.project)
        except BadStore as problem:
            raise Refusal("invalid", str(problem), field="project") from None
    if told.size > most:
        raise TooLarge("too_large", str(too_much(most)), field="size")


def _part(transfer: Transfer) -> Path:
    return upload.folder_of(transfer) / "bundle.part"


def _tidy(workspace: Workspace, mirror: str) -> None:
    """Give up what nobody goes on with; of a mirror, what is of no more use.

    The parts of a mirror that are done say nothing any more, unless they keep rows beside; and of
    one row, however often it came in conflict, the latest is kept.
    """
    transfers = Transfer.objects.in_workspace(workspace)
    old = Q(state=State.RECEIVING, beat_at__lt=timezone.now() - ABANDONED)
    if mirror:
        over = (State.RECEIVING, State.FAILED, State.CANCELLED)
        old |= Q(kind=Transfer.Kind.MIRROR, options__mirror=mirror, state__in=over)
    for transfer in transfers.filter(old):
        transfers.filter(pk=transfer.pk).update(
            state=State.CANCELLED, finished_at=timezone.now(), upload=""
        )
        shutil.rmtree(upload.folder_of(transfer), ignore_errors=True)
    if mirror:
        _forget_older(workspace, mirror)
        beside = TransferItem.objects.in_workspace(workspace).exclude(
            category=TransferItem.Category.ADJUSTED
        )
        done = transfers.filter(
            kind=Transfer.Kind.MIRROR, options__mirror=mirror,
            state__in=(State.DONE, State.CANCELLED),
        )  # fmt: skip
        done.exclude(pk__in=beside.values("transfer_id")).delete()


def _forget_older(workspace: Workspace, mirror: str) -> None:
    """Rows in conflict that a later part of the mirror brought again."""
    items = TransferItem.objects.in_workspace(workspace).filter(
        category=TransferItem.Category.CONFLICT, transfer__kind=Transfer.Kind.MIRROR,
        transfer__options__mirror=mirror, transfer__state=State.DONE,
    )  # fmt: skip
    newer = items.filter(
        table=OuterRef("table"), source_id=OuterRef("source_id"), transfer_id__gt=OuterRef("transfer_id")
    )  # fmt: skip
    old = items.annotate(is_old=Exists(newer)).filter(is_old=True)
    TransferItem.objects.in_workspace(workspace).filter(
        pk__in=list(old.values_list("pk", flat=True))
    ).delete()
