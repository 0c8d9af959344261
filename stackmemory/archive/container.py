"""The file of an archive: what is in it is what its manifest says, or it is refused.

Nothing is ever unpacked to disk: parts are read as a stream, and no further than they may go.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from stackmemory.archive.contents import PEOPLE_FIELDS, WORKSPACE_FIELDS, Part, part_named
from stackmemory.archive.errors import BadArchive
from stackmemory.archive.writing import FORMAT, MANIFEST, VERSION

MOST_MANIFEST = 1 << 20
# JSON text that means anything shrinks 3 to 40 times; the format's limit is 1,032.
MOST_SHRUNK, SMALL = 300, 16 << 20
LONGEST_LINE = 128 << 20
AT_ONCE = 1 << 20
OWN = {"workspace": WORKSPACE_FIELDS, "people": PEOPLE_FIELDS}
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
AGAIN = "copy it again, or export the workspace again"


class Told(NamedTuple):
    """What the manifest says of a part; `part` is None for workspace and people."""

    name: str
    file: str
    fields: tuple[str, ...]
    rows: int
    bytes: int
    sha256: str
    part: Part | None


class Container:
    """An open archive whose shape is right. Reading a part checks its content on the way."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._zip = zipfile.ZipFile(path)
        except FileNotFoundError:
            raise BadArchive(f"There is no {path}.") from None
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
            raise BadArchive(
                f"{path} is no archive, or it is cut off or damaged; {AGAIN}."
            ) from None
        self.manifest = self._manifest()
        self.parts = self._told()
        self._check_members()

    def close(self) -> None:
        self._zip.close()

    def texts(self, told: Told) -> Iterator[bytes]:
        """The lines of a part, some whole ones at a time.

        Raises BadArchive at the end where they are not those promised.
        """
        total, rows, size = hashlib.sha256(), 0, 0
        begun: list[bytes] = []  # of a line that is not at its end
        try:
            with self._zip.open(told.file) as source:
                while block := source.read(AT_ONCE):
                    total.update(block)
                    size += len(block)
                    if size > told.bytes:
                        raise BadArchive(f"{told.file} does not end where it should; {AGAIN}.")
                    ends = block.rfind(b"\n") + 1
                    # No line within a block is as long as one that began before it may be.
                    first = block.find(b"\n") if ends else len(block)
                    if sum(map(len, begun)) + max(first, len(block) - ends) >= LONGEST_LINE:
                        raise BadArchive(f"A line of {told.file} is longer than any row is.")
                    if ends:
                        whole = b"".join([*begun, block[:ends]])
                        begun = []
                        rows += int(np.count_nonzero(np.frombuffer(block, np.uint8) == 10))
                        yield whole
                    begun.append(block[ends:])
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError) as problem:
            raise BadArchive(f"{told.file} is damaged ({problem}); {AGAIN}.") from None
        if any(begun):
            raise BadArchive(f"{told.file} does not end where it should; {AGAIN}.")
        if (rows, size, total.hexdigest()) != (told.rows, told.bytes, told.sha256):
            raise BadArchive(f"{told.file} is not what the manifest says of it; {AGAIN}.")

    def rows(self, told: Told) -> Iterator[dict[str, Any]]:
        """Each row of a part, an object of exactly the part's fields."""
        lines = (raw for text in self.texts(told) for raw in text[:-1].split(b"\n"))
        for number, raw in enumerate(lines, start=1):
            yield self.row(told, number, raw)

    def row(self, told: Told, number: int, raw: bytes) -> dict[str, Any]:
        """The row that a line holds. Raises BadArchive."""
        try:
            row = json.loads(raw, parse_constant=_refuse)
        except (ValueError, RecursionError):
            row = None
        if not isinstance(row, dict) or set(row) != set(told.fields):
            raise BadArchive(f"Line {number} of {told.file} is no row of “{told.name}”.")
        return row

    def _manifest(self) -> dict[str, Any]:
        try:
            info = self._zip.getinfo(MANIFEST)
            if info.file_size > MOST_MANIFEST or info.compress_type not in METHODS:
                raise BadArchive("The manifest is larger than any archive’s.")
            with self._zip.open(info) as source:
                data = json.loads(source.read(MOST_MANIFEST + 1))
        except KeyError:
            raise BadArchive(
                f"{self.path.name} has no {MANIFEST}: it is some other zip file, not an archive of"
                " a workspace."
            ) from None
        except (ValueError, RecursionError, RuntimeError, zipfile.BadZipFile, zlib.error, EOFError):
            raise BadArchive(f"The manifest is damaged; {AGAIN}.") from None
        if not isinstance(data, dict) or data.get("format") != FORMAT:
            raise BadArchive(f"{self.path.name} is not an archive of a workspace.")
        version = data.get("version")
        if not isinstance(version, int) or version < 1:
            raise BadArchive("The manifest names no version of the format.")
        if version > VERSION:
            raise _newer(f"version {version} of the format; this one reads up to {VERSION}")
        return data

    def _told(self) -> list[Told]:
        found: list[Told] = []
        listed = self.manifest.get("parts")
        for entry in listed if isinstance(listed, list) else []:
            found.append(_told(entry))
        names = [told.name for told in found]
        if len(set(names)) != len(names) or not {"workspace", "people"} <= set(names):
            raise BadArchive("The manifest does not list the parts of a workspace.")
        return found

    def _check_members(self) -> None:
        members = self._zip.infolist()
        names = [info.filename for info in members]
        expected = {MANIFEST, *(told.file for told in self.parts)}
        if odd := sorted(set(names) - expected) or sorted(n for n in names if names.count(n) > 1):
            raise BadArchive(f"The archive holds “{odd[0][:100]}”, which has no place in it.")
        if lacking := sorted(expected - set(names)):
            raise BadArchive(f"The archive lacks {lacking[0]}; {AGAIN}.")
        sizes = {told.file: told.bytes for told in self.parts}
        for info in members:
            if info.flag_bits & 0x1 or info.compress_type not in METHODS:
                raise BadArchive(f"{info.filename} is encrypted or packed in an unknown way.")
            if info.filename in sizes and info.file_size != sizes[info.filename]:
                raise BadArchive(f"{info.filename} is not as long as the manifest says; {AGAIN}.")
            if info.file_size > SMALL and info.file_size > MOST_SHRUNK * info.compress_size:
                raise BadArchive(
                    f"{info.filename} would grow more than {MOST_SHRUNK} times when read: it is"
                    " made to fill a disk, not to hold rows."
                )


def _told(entry: Any) -> Told:
    if not isinstance(entry, dict):
        raise BadArchive("The manifest does not list the parts of a workspace.")
    name, fields = entry.get("name"), entry.get("fields")
    fields = fields if isinstance(fields, list) else [None]
    counts = (entry.get("rows"), entry.get("bytes"))
    good = isinstance(name, str) and isinstance(entry.get("sha256"), str)
    good = good and all(isinstance(n, int) and n >= 0 for n in counts)
    good = good and all(isinstance(f, str) for f in fields)
    if not good or entry.get("file") != f"rows/{name}.jsonl":
        raise BadArchive("The manifest does not say of each part what it has to.")
    part = part_named(str(name))
    if part is None and name not in OWN:
        raise _newer(f"rows of “{str(name)[:60]}”, which this one does not know")
    known = OWN[str(name)] if part is None else part.fields
    if unknown := sorted(set(fields) - set(known)):
        raise _newer(f"“{unknown[0][:60]}” of “{name}”, which this one does not know")
    if "id" not in fields or len(set(fields)) != len(fields):
        raise BadArchive(f"The manifest lists odd fields of “{name}”.")
    return Told(str(name), entry["file"], tuple(fields), *counts, entry["sha256"], part)  # type: ignore[arg-type]


def _newer(what: str) -> BadArchive:
    return BadArchive(f"The archive was made by a newer StackMemory: it has {what}. Upgrade first.")


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")
