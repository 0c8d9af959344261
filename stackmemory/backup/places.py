"""Where backups are kept: a directory, or a storage that STORAGES names (`storage:objects`)."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Protocol

from django.conf import settings
from django.core.files import File
from django.core.files.storage import Storage, storages

from stackmemory.backup.errors import BadBackup

FOLDER = "backups"
NAME = re.compile(r"stackmemory-(\d{8}T\d{6}Z)-[0-9a-f]{4}\.tar(\.sealed)?")
STORAGE = "storage:"


class Place(Protocol):
    said: str

    def names(self) -> list[str]:
        """The backups that are here, oldest first."""

    def open(self, name: str) -> BinaryIO: ...

    def delete(self, name: str) -> None: ...

    def writing(self, name: str, scratch: Path) -> AbstractContextManager[BinaryIO]:
        """A file to write to; after the block it is here whole, and not at all where that failed."""


def place(where: str) -> Place:
    """`storage:NAME`, or else a directory."""
    if where.startswith(STORAGE):
        alias = where.removeprefix(STORAGE)
        if alias not in settings.STORAGES or alias == "staticfiles":
            raise BadBackup(
                f"There is no storage “{alias}”; there are: "
                + ", ".join(
                    f"{STORAGE}{name}" for name in settings.STORAGES if name != "staticfiles"
                )
            )
        return InStorage(alias)
    return Directory(Path(where))


def find(what: str) -> tuple[Place, str]:
    """Where a backup is, by its path, by `storage:NAME/FILE`, or by its place: then the newest."""
    if what.startswith(STORAGE):
        alias, _, name = what.removeprefix(STORAGE).partition("/")
        found: Place = place(STORAGE + alias)
    elif Path(what).is_dir():
        found, name = Directory(Path(what)), ""
    else:
        found, name = Directory(Path(what).parent), Path(what).name
        if not Path(what).is_file():
            raise BadBackup(f"There is no {what}.")
        return found, name
    names = found.names()
    if not names or (name and name not in names):
        raise BadBackup(f"There is no backup {name or ''} in {found.said}.".replace("  ", " "))
    return found, name or names[-1]


def name_for(at: datetime, *, sealed: bool) -> str:
    stamp = f"{at.astimezone(UTC):%Y%m%dT%H%M%SZ}"
    return f"stackmemory-{stamp}-{secrets.token_hex(2)}.tar" + (".sealed" if sealed else "")


def taken_at(name: str) -> datetime:
    found = NAME.fullmatch(name)
    assert found is not None, name
    return datetime.strptime(found[1], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)


def forget_left_behind(paths: Iterable[Path]) -> None:
    """Delete what killed processes left, once it is a day old."""
    for path in paths:
        if time.time() - path.stat().st_mtime > 24 * 3600:
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


@contextmanager
def answering(said: str) -> Iterator[None]:
    """Raises BadBackup where a storage cannot be asked; a file that is not there is no such case."""
    try:
        yield
    except (FileNotFoundError, BadBackup):
        raise
    except Exception as problem:  # each kind of storage has its own
        raise BadBackup(
            f"{said} does not answer ({type(problem).__name__}: {problem})."
        ) from problem


class Directory:
    def __init__(self, path: Path) -> None:
        self.path, self.said = path, str(path)

    def names(self) -> list[str]:
        found = self.path.iterdir() if self.path.is_dir() else ()
        return sorted(each.name for each in found if NAME.fullmatch(each.name))

    def open(self, name: str) -> BinaryIO:
        return (self.path / name).open("rb")

    def delete(self, name: str) -> None:
        (self.path / name).unlink(missing_ok=True)

    @contextmanager
    def writing(self, name: str, scratch: Path) -> Iterator[BinaryIO]:
        partial = self.path / f".{name}.partial"
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            forget_left_behind(self.path.glob(".stackmemory-*.partial"))
            descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as out:
                yield out
                out.flush()
                os.fsync(out.fileno())
            partial.replace(self.path / name)
        except OSError as problem:
            raise BadBackup(f"{self.path} cannot be written to ({problem.strerror}).") from None
        finally:
            partial.unlink(missing_ok=True)


class InStorage:
    def __init__(self, alias: str) -> None:
        self.storage: Storage = storages[alias]
        self.said = f"{STORAGE}{alias}"

    def names(self) -> list[str]:
        try:
            with answering(self.said):
                _, files = self.storage.listdir(FOLDER)
        except FileNotFoundError:
            return []
        return sorted(name for name in files if NAME.fullmatch(name))

    def open(self, name: str) -> BinaryIO:
        with answering(self.said):
            return self.storage.open(f"{FOLDER}/{name}", "rb")  # type: ignore[return-value]

    def delete(self, name: str) -> None:
        with answering(self.said):
            self.storage.delete(f"{FOLDER}/{name}")

    @contextmanager
    def writing(self, name: str, scratch: Path) -> Iterator[BinaryIO]:
        whole = scratch / name
        with whole.open("wb") as out:
            yield out
        try:
            with whole.open("rb") as done:
                self.storage.save(f"{FOLDER}/{name}", File(done))
        except Exception as problem:  # each kind of storage has its own
            raise BadBackup(f"{self.said} cannot be written to ({problem}).") from problem
        whole.unlink()
