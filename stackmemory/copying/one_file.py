"""One file from one store to another, compared by its bytes on both sides."""

from __future__ import annotations

import hashlib
from pathlib import PurePosixPath
from typing import IO, Any, NamedTuple

from django.core.files.base import File as Content

from stackmemory.copying.errors import CannotCopy
from stackmemory.copying.named import File
from stackmemory.copying.stores import Store
from stackmemory.lib import blobs

PIECE = 1 << 20


class Outcome(NamedTuple):
    """How long it is at the target, and whether it was put down just now; or what is wrong."""

    size: int = 0
    copied: bool = False
    problem: str = ""


class _Read(NamedTuple):
    size: int
    sha256: str
    # Why it is not what its row says; empty where it is, or where the row says nothing.
    problem: str = ""


def take(file: File, source: Store, target: Store) -> Outcome:
    """Copy a file unless it is at the target. Both stores put a file down whole or not at all.

    Of one store for both sides, it is only looked at. Raises CannotCopy where the target fails.
    """
    if not _is_name(file.name):
        return Outcome(problem="is no name of a file")
    if source.said == target.said:
        found = _from(file, source)
        return found if isinstance(found, Outcome) else Outcome(found.size)
    there = _at(file, target)
    if there is not None and not there.problem and (file.sha256 or file.text):
        return Outcome(there.size)
    found = _from(file, source, None if there else target)
    if isinstance(found, Outcome):
        return found
    if there is not None:
        if there[:2] != found[:2]:
            return Outcome(
                problem=f"is in {target.said} already, and is another file; move it away there"
            )
        return Outcome(there.size)
    arrived = _at(file, target)
    if arrived is None or arrived[:2] != found[:2]:
        target.storage.delete(file.name)
        return Outcome(problem=f"did not arrive in {target.said} as it was sent")
    return Outcome(arrived.size, copied=True)


def _from(file: File, source: Store, target: Store | None = None) -> _Read | Outcome:
    """The file at the source, put down at `target` where one is given; or what is wrong with it."""
    try:
        with source.storage.open(file.name, "rb") as stream:
            found = _looked_through(stream, file)
            if found.problem:
                return Outcome(problem=f"is damaged in {source.said}: {found.problem}")
            if target is not None:
                stream.seek(0)
                _put(file.name, stream, target)
            return found
    except CannotCopy:
        raise
    except FileNotFoundError:
        return Outcome(problem=f"is not in {source.said}")
    except Exception as problem:  # each kind of storage has its own
        said = f"{type(problem).__name__}: {problem}"
        return Outcome(problem=f"cannot be read in {source.said} ({said})")


def _at(file: File, target: Store) -> _Read | None:
    try:
        with target.storage.open(file.name, "rb") as stream:
            return _looked_through(stream, file)
    except FileNotFoundError:
        return None
    except Exception as problem:  # each kind of storage has its own
        raise CannotCopy(f"{target.said} cannot be read ({problem}).") from problem


def _put(name: str, stream: IO[Any], target: Store) -> None:
    try:
        stored = target.storage.save(name, Content(stream))
        if stored != name:  # it came while we looked
            target.storage.delete(stored)
            raise CannotCopy(f"Somebody else writes to {target.said}: {name} came meanwhile.")
    except CannotCopy:
        raise
    except Exception as problem:  # each kind of storage has its own
        raise CannotCopy(f"{target.said} cannot be written to ({problem}).") from problem


def _looked_through(stream: IO[Any], file: File) -> _Read:
    whole, size = hashlib.sha256(), 0
    while piece := stream.read(PIECE):
        whole.update(piece)
        size += len(piece)
    digest, problem = whole.hexdigest(), ""
    if file.text:
        stream.seek(0)
        if not blobs.holds(stream, file.text, file.octets):
            problem = "it is not the text that was noted"
    elif file.sha256 and file.sha256 != digest:
        problem = "its SHA-256 is not the one that was noted"
    elif file.size and file.size != size:
        problem = f"it has {size:,} bytes instead of {file.size:,}"
    return _Read(size, digest, problem)


def _is_name(name: str) -> bool:
    path = PurePosixPath(name)
    return bool(name) and not path.is_absolute() and ".." not in path.parts
