"""Which files an installation has: those that its rows name, whatever else lies in a folder.

| Store | Row | Files |
|---|---|---|
| objects | `StoredPayload` that an event uses | the text of a large payload |
| objects | `ArchivedPeriod` whose object was written | a month's events |
| media | `Transfer` that is not done | what was sent of a local store |
| media | `Export` that can be fetched | its file |
| media | `ArchiveImport` that is not over | what was sent of an archive |

What is made anew from those is left (an unpacked bundle, an export half-way), and what nothing uses.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import SuspiciousOperation
from django.core.files.storage import Storage
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from frames.models import ArchivedPeriod, Export, PayloadUse, StoredPayload, Transfer
from frames.models.event import PAYLOADS
from frames.transfer.bundle import UNPACKED
from stackmemory.arrivals.progress import ARCHIVE, STOP
from stackmemory.copying.places import SOURCE
from stackmemory.copying.stores import MEDIA, OBJECTS
from stackmemory.lib import blobs
from stackmemory.models import ArchiveImport
from workspaces.models import Workspace

AT_ONCE = 500


@dataclass(frozen=True)
class File:
    """One file and what its row knows of it: its length and SHA-256, or those of the text packed in it."""

    name: str
    size: int = 0
    sha256: str = ""
    text: str = ""
    octets: int = 0


@dataclass(frozen=True)
class Kind:
    """Rows of one table that name files: which rows, which files, and how a person knows the row."""

    store: str
    label: str
    rows: Callable[[], QuerySet[Any]]
    files: Callable[[Any, Storage], Iterable[File]]
    told: Callable[[Any], str]

    def each(self, after: str | None = None) -> Iterator[Any]:
        """The rows in the order of their keys."""
        last = uuid.UUID(after) if after else None
        while True:
            rows = self.rows().using(SOURCE).order_by("pk")
            found = list((rows.filter(pk__gt=last) if last else rows)[:AT_ONCE])
            yield from found
            if len(found) < AT_ONCE:
                return
            last = found[-1].pk


def _payloads() -> QuerySet[Any]:
    uses = PayloadUse._base_manager.using(SOURCE).filter(payload=OuterRef("pk"))
    return StoredPayload._base_manager.filter(Exists(uses))


def _payload_file(row: StoredPayload, storage: Storage) -> Iterator[File]:
    name = blobs.name_of(PAYLOADS, row.workspace_id, row.digest)
    yield File(name, size=row.packed, text=row.digest, octets=row.octets)


def _payload_told(row: StoredPayload) -> str:
    events = PayloadUse._base_manager.using(SOURCE).filter(payload=row.pk)
    ids = [str(pk) for pk in events.order_by("pk").values_list("event_id", flat=True)[:4]]
    named = ", ".join(ids[:3]) + (" and others" if len(ids) > 3 else "")
    return f"the payload of event {named} of {_workspace(row)}"


def _periods() -> QuerySet[Any]:
    # One that is being written comes to nothing where it goes, as after any crash.
    rows = ArchivedPeriod._base_manager.exclude(object="")
    return rows.exclude(state=ArchivedPeriod.State.WRITING)


def _period_file(row: ArchivedPeriod, storage: Storage) -> Iterator[File]:
    # One that waits to be deleted may be gone already.
    if row.state in ArchivedPeriod.HOLDING or storage.exists(row.object):
        yield File(row.object, size=row.bytes, sha256=row.sha256)


def _period_told(row: ArchivedPeriod) -> str:
    return f"{row.events:,} events of {row.month:%B %Y} of {_workspace(row)}"


def _transfers() -> QuerySet[Any]:
    rows = Transfer._base_manager.exclude(state=Transfer.State.DONE)
    return rows.filter(~Q(upload="") | Q(state=Transfer.State.RECEIVING)).defer(
        "tables", "adjusted", "report"
    )


def _transfer_files(row: Transfer, storage: Storage) -> Iterator[File]:
    """All that was sent; where it waits to be imported, there has to be something."""
    folder = row.upload or f"imports/{row.workspace_id}/{row.pk}"
    found = list(_below(storage, folder, but=UNPACKED))
    if not found and row.state in ("waiting", "checking", "running"):
        found = [File(folder)]
    yield from found


def _transfer_told(row: Transfer) -> str:
    return f"the import of “{row.name[:100]}” into {_workspace(row)}"


def _exports() -> QuerySet[Any]:
    rows = Export._base_manager.filter(state=Export.State.DONE, expires_at__gt=timezone.now())
    return rows.exclude(file="").defer("report")


def _export_file(row: Export, storage: Storage) -> Iterator[File]:
    yield File(row.file, size=row.size)


def _export_told(row: Export) -> str:
    return f"an export of {_workspace(row)}"


def _arrivals() -> QuerySet[Any]:
    over = ("done", "failed", "cancelled")
    return ArchiveImport._base_manager.exclude(state__in=over).defer("report")


def _arrival_files(row: ArchiveImport, storage: Storage) -> Iterator[File]:
    folder = f"archives/{row.pk}"
    if row.state == ArchiveImport.State.RECEIVING:
        yield from _below(storage, folder)
        return
    yield File(f"{folder}/{ARCHIVE}", size=row.size, sha256=row.sha256)
    if storage.exists(f"{folder}/{STOP}"):
        yield File(f"{folder}/{STOP}")


def _arrival_told(row: ArchiveImport) -> str:
    return f"the archive “{row.name[:100]}” that is being brought in"


def _below(storage: Storage, folder: str, but: str = "") -> Iterator[File]:
    try:
        folders, names = storage.listdir(folder)
    except (FileNotFoundError, NotADirectoryError, SuspiciousOperation):
        return  # what is missing, or no name of a file, whoever copies it says
    for name in sorted(names):
        path = f"{folder}/{name}"
        yield File(path, size=storage.size(path))
    for each in sorted(folders):
        if each != but:
            yield from _below(storage, f"{folder}/{each}")


def _workspace(row: Any) -> str:
    slugs = Workspace._base_manager.using(SOURCE).filter(pk=row.workspace_id)
    return f"workspace “{slugs.values_list('slug', flat=True).first()}”"


KINDS = (
    Kind(OBJECTS, "large payloads", _payloads, _payload_file, _payload_told),
    Kind(OBJECTS, "cold storage", _periods, _period_file, _period_told),
    Kind(MEDIA, "imports", _transfers, _transfer_files, _transfer_told),
    Kind(MEDIA, "exports", _exports, _export_file, _export_told),
    Kind(MEDIA, "archives", _arrivals, _arrival_files, _arrival_told),
)
