"""The files beside the database: the storages of uploads and of objects."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from django.core.files import File
from django.core.files.storage import storages

from stackmemory.backup import named
from stackmemory.backup.errors import BadBackup
from stackmemory.backup.places import FOLDER, STORAGE, answering
from stackmemory.lib.objects import IN_MEMORY

# In the backup as files/<storage>/<name>.
STORAGES = ("default", "objects")
PREFIX = "files/"
# Files that people fetch within a day, or that are on their way in: kept, what is erased would be in them.
PASSING = ("exports/", "archives/")


def all_names(alias: str) -> Iterator[str]:
    """Of every file of a storage that stays; backups kept in it are none of them."""
    names = _below(alias, "")
    while True:
        with answering(STORAGE + alias):
            name = next(names, None)
        if name is None:
            return
        if not (alias == "default" and name.startswith(PASSING)):
            yield name


def part_of(alias: str, name: str) -> str:
    """What it is called in a backup."""
    return f"{PREFIX}{alias}/{name}"


def name_of(part: str) -> str:
    """Without the storage, of a file that is in a backup under this name."""
    return part.removeprefix(PREFIX).partition("/")[2]


def is_of_rows(part: str) -> bool:
    """Whether it is an object of the kinds that rows name."""
    return part.startswith(part_of("objects", "")) and named.is_of_rows(name_of(part))


def is_there(part: str) -> bool:
    alias, name = _split(part) or ("", "")
    with answering(STORAGE + alias):
        return storages[alias].exists(name)


def opened(alias: str, name: str) -> tuple[BinaryIO, int] | None:
    """The file and how long it is; None where it went away since it was listed."""
    try:
        stream = storages[alias].open(name, "rb")
        stream.seek(0)  # of a bucket all of it is fetched by that
        return stream, stream.size  # type: ignore[return-value]
    except Exception:  # each kind of storage has its own
        with answering(STORAGE + alias):
            if storages[alias].exists(name):
                raise
        return None


def must_not_differ(parts: list[dict[str, object]]) -> None:
    """Refuse to put files over others: a name that is taken must be taken by the same length."""
    for part in parts:
        if split := _split(str(part["name"])):
            storage = storages[split[0]]
            with answering(STORAGE + split[0]):
                differs = storage.exists(split[1]) and storage.size(split[1]) != part["bytes"]
            if differs:
                raise BadBackup(
                    f"There is another {split[1]} in the storage “{split[0]}” already; a backup is"
                    " put back where there is nothing. Move it away."
                )


def put(part: str, stream: BinaryIO) -> bool:
    """Whether it was a file, and not there yet."""
    split = _split(part)
    if split is None:
        return False
    with answering(STORAGE + split[0]):
        if storages[split[0]].exists(split[1]):
            return False
    with tempfile.SpooledTemporaryFile(IN_MEMORY) as seekable:
        shutil.copyfileobj(stream, seekable, 1 << 20)
        seekable.seek(0)
        with answering(STORAGE + split[0]):
            stored = storages[split[0]].save(split[1], File(seekable))
    if stored != split[1]:
        raise BadBackup(f"{split[1]} was put down as {stored}; its storage is being written to.")
    return True


def inside_of_one(path: Path) -> str | None:
    """The storage whose folder holds `path`, if any: a backup would hold the backups before it."""
    for alias in STORAGES:
        location = getattr(storages[alias], "location", None)
        if isinstance(location, str) and path.resolve().is_relative_to(Path(location).resolve()):
            return alias
    return None


def _below(alias: str, folder: str) -> Iterator[str]:
    try:
        folders, names = storages[alias].listdir(folder)
    except FileNotFoundError:
        return
    for name in sorted(names):
        if name:
            yield f"{folder}/{name}".lstrip("/")
    for each in sorted(folders):
        if each and (folder or each != FOLDER):
            yield from _below(alias, f"{folder}/{each}".lstrip("/"))


def _split(part: str) -> tuple[str, str] | None:
    if not part.startswith(PREFIX):
        return None
    alias, _, name = part.removeprefix(PREFIX).partition("/")
    if alias not in STORAGES or not name:
        raise BadBackup(f"“{part[:100]}” is of a storage that there is none of here.")
    return alias, name
