"""Where the files of an installation lie: its object store, and the folder of what waits."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from django.conf import settings
from django.core.files.storage import FileSystemStorage, Storage, storages
from django.utils.module_loading import import_string

from stackmemory.backup.places import STORAGE
from stackmemory.copying.errors import CannotCopy
from stackmemory.copying.places import place
from stackmemory.lib import objects

OBJECTS, MEDIA = "objects", "media"
# What has files in each, by the first folder of their names.
FOLDERS = {OBJECTS: ("payloads", "cold"), MEDIA: ("imports", "exports", "archives")}
# Beside an SQLite file, as settings.py has them where nothing else is said.
BESIDE = {OBJECTS: "objects", MEDIA: "files"}
OWN = f"{STORAGE}objects"
S3 = "s3://"


@dataclass(frozen=True)
class Store:
    """`said` is where it is, for a person: never with what opens it, and no two stores say the same."""

    said: str
    storage: Storage

    def has(self, what: str) -> bool:
        """Whether files of this kind may be here at all: a wrong place has none."""
        return bool(set(self._folders()) & set(FOLDERS[what]))

    def must_have(self, what: str) -> None:
        """Raise CannotCopy where no file of this kind can be."""
        if not self.has(what):
            raise CannotCopy(
                f"The rows name files, and there are none in {self.said}. Say where they are with"
                f" --from-{what}, or leave them behind with --without-files."
            )

    def must_be_there(self, what: str) -> None:
        """Raise CannotCopy where there is no such folder, though rows are there that may name files."""
        if isinstance(self.storage, FileSystemStorage) and not Path(self.storage.location).is_dir():
            raise CannotCopy(
                f"There is no {self.said}, and uploads may wait there. Say where they are with"
                f" --from-{what}; where there are none, an empty folder will do."
            )

    def must_take(self) -> None:
        """Raise CannotCopy where nothing could be written."""
        if not isinstance(self.storage, FileSystemStorage):
            self._folders()
            return
        try:
            Path(self.storage.location).mkdir(mode=0o750, parents=True, exist_ok=True)
        except OSError as problem:
            raise CannotCopy(f"{self.said} cannot be made ({problem.strerror}).") from None
        if not os.access(self.storage.location, os.W_OK | os.X_OK):
            raise CannotCopy(f"{self.said} cannot be written to by this user.")

    def _folders(self) -> list[str]:
        try:
            return [name for name in self.storage.listdir("")[0] if name]
        except FileNotFoundError:
            return []
        except Exception as problem:  # each kind of storage has its own
            raise CannotCopy(f"{self.said} cannot be read ({problem}).") from problem


@dataclass(frozen=True)
class Given:
    """What the operator says of the files: places, or that they stay behind."""

    from_objects: str = ""
    to_objects: str = ""
    from_media: str = ""
    to_media: str = ""
    without: bool = False


def stores(given: Given, source: str, target: str) -> dict[str, tuple[Store, Store]]:
    """Of objects and media: (where the source has them, where the target is to)."""
    return {
        OBJECTS: (
            _objects(given.from_objects) or _source(OBJECTS, source),
            _objects(given.to_objects) or _target(OBJECTS, target),
        ),
        MEDIA: (
            _media("--from-media", given.from_media) or _source(MEDIA, source),
            _media("--to-media", given.to_media) or _target(MEDIA, target),
        ),
    }


def _objects(where: str) -> Store | None:
    """`storage:objects` for this environment's own, `s3://BUCKET`, or a folder."""
    if where == OWN:
        return _own()
    if where.startswith(STORAGE):
        raise CannotCopy(f"{where} is no object store; this environment’s own is {OWN}.")
    if where.startswith(S3):
        return _bucket(where)
    return _folder(where) if where else None


def _media(option: str, where: str) -> Store | None:
    if where.startswith((S3, STORAGE)):
        raise CannotCopy(f"{option} is a folder, as MEDIA_ROOT is.")
    return _folder(where) if where else None


def _source(what: str, url: str) -> Store:
    """What lies beside an SQLite file, if anything does; else what this environment has."""
    own = _of_environment(what)
    beside = None if _is_own(url) else _beside(what, url)
    return beside if beside and (beside.has(what) or not own.has(what)) else own


def _target(what: str, url: str) -> Store:
    """Beside an SQLite file; for a server, where this environment would look if it used that one."""
    return (None if _is_own(url) else _beside(what, url)) or _of_environment(what)


def _is_own(url: str) -> bool:
    return place(url) == place(settings.DATABASE_URL)


def _beside(what: str, url: str) -> Store | None:
    if not url.startswith("sqlite"):
        return None
    return _folder(str(Path(place(url).removeprefix("sqlite:")).parent / BESIDE[what]))


def _of_environment(what: str) -> Store:
    return _own() if what == OBJECTS else _folder(str(settings.MEDIA_ROOT))


def _own() -> Store:
    storage = storages["objects"]
    if isinstance(storage, FileSystemStorage):
        return Store(os.path.realpath(storage.location), storage)
    return Store(_said_of_bucket(storage), storage)


def _folder(path: str) -> Store:
    whole = os.path.realpath(path)
    return Store(whole, objects.Folder(location=whole))


def _bucket(url: str) -> Store:
    """`s3://[KEY:SECRET@]BUCKET[?endpoint=URL&region=R]`; what it leaves out is as OBJECTS_S3_* say."""
    parts = urlsplit(url)
    asked = dict(parse_qsl(parts.query))
    # Not .hostname, which is in small letters; and an installation has no folder in its bucket.
    name = parts.netloc.rpartition("@")[2]
    if not name or parts.path.strip("/") or asked.keys() - {"endpoint", "region"}:
        raise CannotCopy(
            "An object store in S3 is named s3://BUCKET, or"
            " s3://KEY:SECRET@BUCKET?endpoint=https://HOST&region=REGION."
        )
    how = settings.OBJECTS_S3 | asked
    if parts.username:
        how |= {"key": unquote(parts.username), "secret": unquote(parts.password or "")}
    entry = objects.bucket(name, **how)
    storage = import_string(entry["BACKEND"])(**entry["OPTIONS"])
    return Store(_said_of_bucket(storage), storage)


def _said_of_bucket(storage: Storage) -> str:
    endpoint = getattr(storage, "endpoint_url", None)
    name = f"{S3}{getattr(storage, 'bucket_name', '')}"
    return f"{name} at {endpoint.rstrip('/')}" if endpoint else name
