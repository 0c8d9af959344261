"""A backup is a tar file: `backup.json` first, what was saved, and `manifest.json` last.

Whoever has tar and pg_restore (or sqlite3) can put one back without this program.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Self

from stackmemory.backup.errors import BadBackup

FORMAT, VERSION = "stackmemory-backup", 1
FIRST, LAST = "backup.json", "manifest.json"
PIECE, MOST_JSON = 1 << 20, 256 << 20
AGAIN = "take another copy of it, or another backup"
Json = dict[str, Any]


class Writer:
    """Writes parts one after the other, and what they were."""

    def __init__(self, out: BinaryIO, about: Json) -> None:
        self._tar = tarfile.open(  # noqa: SIM115 (closed by finish)
            fileobj=out, mode="w|", format=tarfile.PAX_FORMAT, bufsize=PIECE
        )
        self.parts: list[Json] = []
        self._json(FIRST, {"format": FORMAT, "version": VERSION, **about})

    def add(self, name: str, source: BinaryIO, size: int) -> None:
        """`size` bytes of `source`; raises BadBackup where there are fewer."""
        info = tarfile.TarInfo(name)
        info.size, info.mode = size, 0o600
        reading = _Hashed(source)
        try:
            self._tar.addfile(info, reading)  # type: ignore[arg-type]
        except OSError as problem:
            raise BadBackup(f"{name} could not be read to its end ({problem}).") from None
        self.parts.append({"name": name, "bytes": size, "sha256": reading.total.hexdigest()})

    def finish(self, about: Json) -> Json:
        manifest = {"format": FORMAT, "version": VERSION, **about, "parts": self.parts}
        manifest["sha256"] = sum_of(manifest)
        self._json(LAST, manifest)
        self._tar.close()
        return manifest

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *told: object) -> None:
        if kind is not None:  # it would be ended when it goes, its file being closed by then
            self._tar.fileobj.closed = True  # type: ignore[union-attr, attr-defined]

    def _json(self, name: str, data: Json) -> None:
        raw = json.dumps(data, indent=1).encode()
        info = tarfile.TarInfo(name)
        info.size, info.mode = len(raw), 0o600
        self._tar.addfile(info, io.BytesIO(raw))


def check(source: BinaryIO, take: Callable[[str, BinaryIO], None]) -> Json:
    """Read a backup to its end; return its manifest once every part is what that says.

    `take` is given each part as a stream and must read all of it. Raises BadBackup.
    """
    with _in_a_sentence():
        return _checked(source, take)


def sum_of(manifest: Json) -> str:
    """SHA-256 of what a manifest says, for the manifest itself."""
    said = {name: value for name, value in manifest.items() if name != "sha256"}
    text = json.dumps(said, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _checked(source: BinaryIO, take: Callable[[str, BinaryIO], None]) -> Json:
    found: list[Json] = []
    first: Json | None = None
    manifest: Json | None = None
    for name, stream in _members(source):
        if manifest is not None:
            raise BadBackup(f"Something comes after the backup’s manifest; {AGAIN}.")
        if name == FIRST:
            first = _understood(stream.read(MOST_JSON))
        elif first is None:
            raise BadBackup("This is a tar file, but not a backup of StackMemory.")
        elif name == LAST:
            manifest = _understood(stream.read(MOST_JSON))
            if manifest.get("sha256") != sum_of(manifest):
                raise BadBackup(f"The backup’s manifest is damaged; {AGAIN}.")
        else:
            reading = _Hashed(stream)
            take(name, reading)  # type: ignore[arg-type]
            found.append({"name": name, "bytes": reading.size, "sha256": reading.total.hexdigest()})
    if manifest is None:
        raise BadBackup(f"The backup has no end: it was cut off while it was made; {AGAIN}.")
    if wrong := [part for part in found if part not in manifest["parts"]]:
        raise BadBackup(f"{wrong[0]['name']} is not what the manifest says of it; {AGAIN}.")
    if len(found) != len(manifest["parts"]):
        raise BadBackup(f"The backup lacks parts that its manifest names; {AGAIN}.")
    return manifest


def each(source: BinaryIO, take: Callable[[str, BinaryIO], None]) -> None:
    """Every part once more, of a backup that was checked."""
    with _in_a_sentence():
        for name, stream in _members(source):
            if name not in (FIRST, LAST):
                take(name, stream)


def copy(stream: BinaryIO, path: Path) -> None:
    with path.open("wb") as out:
        while piece := stream.read(PIECE):
            out.write(piece)


def drain(stream: BinaryIO) -> None:
    while stream.read(PIECE):
        pass


def _members(source: BinaryIO) -> Iterator[tuple[str, BinaryIO]]:
    with tarfile.open(fileobj=source, mode="r|", bufsize=PIECE) as tar:
        for info in tar:
            stream = tar.extractfile(info) if info.isreg() else None
            if stream is None:
                raise BadBackup(f"“{info.name[:100]}” has no place in a backup.")
            yield info.name, stream  # type: ignore[misc]


@contextmanager
def _in_a_sentence() -> Iterator[None]:
    """What is damaged shows between the parts, or while one is read."""
    try:
        yield
    except (tarfile.TarError, EOFError, ValueError) as problem:
        raise BadBackup(f"This is no backup, or a damaged one ({problem}); {AGAIN}.") from None


def _understood(raw: bytes) -> Json:
    try:
        data = json.loads(raw)
    except ValueError:
        data = None
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise BadBackup("This is not a backup of StackMemory.")
    if data.get("version") != VERSION:
        raise BadBackup(
            f"The backup is of version {data.get('version')} of the format; this StackMemory knows"
            f" {VERSION}. Use the StackMemory that made it, or a newer one."
        )
    return data


class _Hashed:
    """A stream whose bytes are hashed as they are read."""

    def __init__(self, source: BinaryIO) -> None:
        self.source, self.total, self.size = source, hashlib.sha256(), 0

    def read(self, size: int = -1) -> bytes:
        data = self.source.read(size)
        self.total.update(data)
        self.size += len(data)
        return data
