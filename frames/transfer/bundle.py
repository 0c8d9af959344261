"""A store as one zip, as `stackmemory push` sends it: packed there, unpacked here."""

from __future__ import annotations

import re
import shutil
import zipfile
from pathlib import Path, PurePosixPath

from frames.transfer.errors import BadStore

BUNDLE = "bundle.zip"
UNPACKED = "store"
MOST_FILES = 2000
DEEPEST = 12
# What a name in a bundle must not hold: control characters, and what is a separator elsewhere.
ODD = re.compile(r"[\x00-\x1f\x7f\\]")


def check_place(place: str) -> str:
    """A path inside a bundle if it stays there; BadStore otherwise."""
    path = PurePosixPath(place)
    parts = place.split("/")
    if (
        not place
        or path.is_absolute()
        or len(parts) > DEEPEST
        or any(part in ("", ".", "..") or len(part.encode()) > 200 for part in parts)
        or ODD.search(place)
    ):
        raise BadStore(f"“{place[:100]}” is no path inside a bundle.")
    return place


def unpack(folder: Path, *, store: str, most: int) -> Path:
    """Unpack the bundle in `folder` and return the path of the store in it.

    No path leads out, no more than `most` bytes come out, and an unpacking that was broken off
    begins anew. Raises BadStore.
    """
    into = folder / UNPACKED
    shutil.rmtree(into, ignore_errors=True)
    try:
        with zipfile.ZipFile(folder / BUNDLE) as archive:
            _unpack(archive, into, most)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as problem:
        raise BadStore(f"The bundle is no zip that can be read ({problem}); send it again.") from (
            None
        )
    return into / check_place(store)


def _unpack(archive: zipfile.ZipFile, into: Path, most: int) -> None:
    entries = [entry for entry in archive.infolist() if not entry.is_dir()]
    if len(entries) > MOST_FILES:
        raise BadStore(f"The bundle holds {len(entries)} files; at most {MOST_FILES} can be.")
    left = most
    for entry in entries:
        target = into / check_place(entry.filename)
        if target.exists() or any(parent.is_file() for parent in target.parents):
            raise BadStore(f"The bundle holds “{entry.filename[:100]}” twice.")
        target.parent.mkdir(parents=True, exist_ok=True)
        with archive.open(entry) as source, target.open("wb") as out:
            while block := source.read(1 << 20):
                left -= len(block)
                if left < 0:
                    raise too_much(most)
                out.write(block)


def too_much(most: int) -> BadStore:
    return BadStore(
        f"The files hold more than {most >> 20} MB; import them on the server with"
        " manage.py import_stackmemory, or raise IMPORT_MAX_BYTES."
    )
