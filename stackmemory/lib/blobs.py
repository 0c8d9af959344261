"""Texts in the object store under the SHA-256 of what they are: the same text is there once.

Everything of a workspace lies below `<kind>/<its id>/`, whatever the kind, so that one call takes it
away; and what is read can only be of the workspace whose id the caller gives.
"""

from __future__ import annotations

import gzip
import hashlib
import re
import uuid
import zlib
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from io import BytesIO
from typing import IO

from django.core.files.base import File
from django.core.files.storage import FileSystemStorage, Storage, storages
from django.utils import timezone

from stackmemory.lib.refusal import Refusal

STORAGE = "objects"
# Level 6 takes four times as long for a tenth less.
LEVEL = 2
PIECE = 1 << 20
NAME = re.compile(r"([0-9a-f]{64})\.gz")


class Lost(Refusal):
    """What a row names cannot be read from the object store; nothing stands in for it silently."""

    status = 503
    # The object store did not answer: the object may be there yet.
    is_passing = False

    def __init__(self, name: str, problem: str) -> None:
        self.name = name
        super().__init__(
            "payload_lost",
            f"The object {name} {problem}. Put it back from a backup of the object store;"
            " verify_payloads lists all that are not whole.",
        )


def digest_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def name_of(kind: str, workspace_id: uuid.UUID, digest: str) -> str:
    return f"{kind}/{workspace_id}/{digest[:2]}/{digest}.gz"


def put(kind: str, workspace_id: uuid.UUID, digest: str, text: str) -> int | None:
    """Store a text unless it is there; how many bytes that took, None where it was there.

    It is there whole or not at all. Whoever may delete it meanwhile has to be kept out by the caller.
    """
    store, name = _storage(), name_of(kind, workspace_id, digest)
    if store.exists(name):
        return None
    packed = gzip.compress(text.encode(), LEVEL, mtime=0)
    put_down = store.save(name, File(BytesIO(packed)))
    if put_down != name:  # it came while we looked
        store.delete(put_down)
    return len(packed)


def get(kind: str, workspace_id: uuid.UUID, digest: str, octets: int) -> str:
    """The text of this digest, `octets` long. Raises Lost."""
    name = name_of(kind, workspace_id, digest)
    packed = read(name, partial(Lost, name))
    unpacking = zlib.decompressobj(wbits=31)
    try:
        data = unpacking.decompress(packed, octets + 1)
    except zlib.error:
        raise Lost(name, "is damaged") from None
    if len(data) != octets or hashlib.sha256(data).hexdigest() != digest:
        raise Lost(name, "is damaged: it is not what its name says")
    return data.decode()


def read(name: str, lost: Callable[[str], Lost]) -> bytes:
    """All of an object; where that cannot be, raises what `lost` makes of the reason."""
    try:
        with _storage().open(name, "rb") as stored:
            data: bytes = stored.read()
    except FileNotFoundError:
        raise lost("is not in the object store") from None
    except Exception as problem:  # each kind of storage has its own
        unread = lost(f"cannot be read ({type(problem).__name__}: {problem})")
        unread.is_passing = True
        raise unread from problem
    return data


def holds(stream: IO[bytes], digest: str, octets: int) -> bool:
    """Whether a stream is an object with this text, whole to its last byte; memory stays flat."""
    unpacking, whole, left = zlib.decompressobj(wbits=31), hashlib.sha256(), octets
    try:
        while piece := stream.read(PIECE):
            while piece:
                data = unpacking.decompress(piece, PIECE)
                whole.update(data)
                left -= len(data)
                if left < 0:
                    return False
                piece = unpacking.unconsumed_tail
        rest = unpacking.flush()
    except zlib.error:
        return False
    whole.update(rest)
    return unpacking.eof and len(rest) == left and whole.hexdigest() == digest


def delete(kind: str, workspace_id: uuid.UUID, digest: str) -> None:
    """Delete it, if it is there."""
    _storage().delete(name_of(kind, workspace_id, digest))


def stored(kind: str, workspace_id: uuid.UUID) -> Iterator[str]:
    """The digests of all that a workspace has of a kind."""
    store, top = _storage(), f"{kind}/{workspace_id}"
    for part in _listed(store, top)[0]:
        for name in _listed(store, f"{top}/{part}")[1]:
            if found := NAME.fullmatch(name):
                yield found[1]


def workspaces(kind: str) -> Iterator[uuid.UUID]:
    """Of whom there is anything of a kind."""
    for name in _listed(_storage(), kind)[0]:
        try:
            yield uuid.UUID(name)
        except ValueError:
            continue  # none of ours


def age(kind: str, workspace_id: uuid.UUID, digest: str, now: datetime) -> float:
    """For how many seconds it has been there; 0 for what is not."""
    store = _storage()
    try:
        at = store.get_modified_time(name_of(kind, workspace_id, digest))
    except Exception:  # gone meanwhile; each kind of storage says so in its own way
        return 0
    if timezone.is_naive(at):
        at = timezone.make_aware(at)
    return (now - at).total_seconds()


def forget_workspace(workspace_id: uuid.UUID) -> int:
    """Delete every object of a workspace, of any kind; return how many."""
    store, gone = _storage(), 0
    for kind in _listed(store, "")[0]:
        gone += _delete_below(store, f"{kind}/{workspace_id}")
    return gone


def _delete_below(store: Storage, folder: str) -> int:
    folders, names = _listed(store, folder)
    for name in names:
        store.delete(f"{folder}/{name}")
    gone = len(names)
    for each in folders:
        gone += _delete_below(store, f"{folder}/{each}")
    if folders or names:
        _remove_folder(store, folder)
    return gone


def _remove_folder(store: Storage, folder: str) -> None:
    """Where folders are things of their own, an empty one names the workspace still."""
    if isinstance(store, FileSystemStorage):
        store.delete(folder)


def _listed(store: Storage, folder: str) -> tuple[list[str], list[str]]:
    try:
        folders, names = store.listdir(folder)
    except FileNotFoundError:
        return [], []
    return [each for each in folders if each], [each for each in names if each]


def _storage() -> Storage:
    return storages[STORAGE]
