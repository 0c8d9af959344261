"""One object of cold events: a ZIP of blocks, each 250 events by column, and where a frame is.

    manifest.json       what it is of, its columns, its blocks
    ids.xz              the ids of all its events in order, 16 bytes each, byte after byte
    frames.json.xz      frame → [[block, from, to, first, last, errors], …], times in microseconds
    events-00000.json.xz …  {column: [values]}; of a time the steps from one event to the next

Events stand in the order of frame, time, number and id. By column and xz, since cold events are
written once and seldom read; small blocks, since a page of a timeline unpacks one or two
(docs/decisions/0011-cold-storage.md has the numbers).
"""

from __future__ import annotations

import json
import lzma
import zipfile
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from io import BytesIO
from itertools import accumulate, pairwise
from typing import IO, Any
from uuid import UUID

from django.db import models

from frames.models import Event
from stackmemory.lib.jsontext import OrderedJSONField
from stackmemory.lib.uuid7 import EPOCH

FORMAT, VERSION = "stackmemory-cold-events", 1
BLOCK, BLOCK_CHARACTERS = 250, 1 << 20
PRESET = 6
MICROSECOND = timedelta(microseconds=1)
# A block more than this is none that we wrote.
MOST_BYTES = 1 << 30

# An event by its columns' names; `source` as the text it is.
Row = dict[str, Any]
Run = tuple[int, int, int, int, int, int]


def columns() -> list[Any]:
    return [field for field in Event._meta.concrete_fields if field.attname != "workspace_id"]


class Broken(Exception):
    """The bytes are none of ours."""


class Writer:
    """Writes rows, which come in order, into a file."""

    def __init__(self, out: IO[bytes], about: Mapping[str, Any]) -> None:
        self.zip = zipfile.ZipFile(out, "w", zipfile.ZIP_STORED)
        self.about, self.rows, self.characters = dict(about), list[Row](), 0
        self.ids, self.blocks = bytearray(), list[int]()
        self.frames: dict[str, list[Run]] = {}

    def add(self, rows: Iterable[Row]) -> None:
        for row in rows:
            self.rows.append(row)
            self.characters += len(row["payload"])
            if len(self.rows) >= BLOCK or self.characters >= BLOCK_CHARACTERS:
                self._flush()

    def close(self) -> None:
        self._flush()
        ids = bytes(self.ids)
        self._put("ids.xz", _compressed(b"".join(ids[n::16] for n in range(16))))
        self._put("frames.json.xz", _packed(self.frames))
        names = [field.attname for field in columns()]
        manifest = self.about | {
            "format": FORMAT, "version": VERSION, "columns": names, "blocks": self.blocks,
            "events": sum(self.blocks),
        }  # fmt: skip
        self._put("manifest.json", json.dumps(manifest, indent=1).encode())
        self.zip.close()

    def _flush(self) -> None:
        if not self.rows:
            return
        number = len(self.blocks)
        for at, row in enumerate(self.rows):
            self.ids += row["id"].bytes
            runs = self.frames.setdefault(row["frame_id"].hex, [])
            us = microseconds(row["occurred_at"])
            if runs and runs[-1][0] == number:
                _, start, _, first, _, errors = runs[-1]
                runs[-1] = (number, start, at + 1, first, us, errors + row["is_error"])
            else:
                runs.append((number, at, at + 1, us, us, int(row["is_error"])))
        block = {
            field.attname: _stored(field, [row[field.attname] for row in self.rows])
            for field in columns()
            if field.attname != "id"
        }
        self._put(f"events-{number:05}.json.xz", _packed(block))
        self.blocks.append(len(self.rows))
        self.rows, self.characters = [], 0

    def _put(self, name: str, data: bytes) -> None:
        self.zip.writestr(zipfile.ZipInfo(name), data)


class Container:
    """Reads an object; blocks are unpacked as they are asked for. Raises Broken."""

    def __init__(self, data: bytes) -> None:
        self.size = len(data)
        try:
            self.zip = zipfile.ZipFile(BytesIO(data))
            self.manifest = json.loads(self.zip.read("manifest.json"))
        except (zipfile.BadZipFile, KeyError, ValueError) as problem:
            raise Broken(str(problem)) from problem
        if (self.manifest.get("format"), self.manifest.get("version")) != (FORMAT, VERSION):
            raise Broken("it is of no format that is known here")
        self.starts = [0, *accumulate(self.manifest["blocks"])]
        planes, n = self._unpacked("ids.xz"), self.starts[-1]
        if len(planes) != 16 * n:
            raise Broken("it has other ids than events")
        ids = bytearray(16 * n)
        for plane in range(16):
            ids[plane::16] = planes[plane * n : (plane + 1) * n]
        self.ids = bytes(ids)
        self.frames: dict[UUID, list[Run]] = {
            UUID(name): [tuple(run) for run in runs]
            for name, runs in json.loads(self._unpacked("frames.json.xz")).items()
        }
        self.block = lru_cache(4)(self._block)

    @property
    def events(self) -> int:
        return self.starts[-1]

    def id_set(self) -> set[bytes]:
        return {self.ids[at : at + 16] for at in range(0, len(self.ids), 16)}

    def find(self, wanted: UUID) -> Row | None:
        at = self.ids.find(wanted.bytes)
        while at >= 0 and at % 16:
            at = self.ids.find(wanted.bytes, at + 1)
        if at < 0:
            return None
        place = at // 16
        number = next(n for n, start in enumerate(self.starts[1:]) if place < start)
        return self.block(number)[place - self.starts[number]]

    def _block(self, number: int) -> list[Row]:
        stored = json.loads(self._unpacked(f"events-{number:05}.json.xz"))
        start, stop = self.starts[number], self.starts[number + 1]
        values: dict[str, list[Any]] = {
            "id": [UUID(bytes=self.ids[16 * at : 16 * at + 16]) for at in range(start, stop)]
        }
        for field in columns():
            if field.attname in stored:
                values[field.attname] = _taken(field, stored[field.attname])
            elif field.attname != "id":  # a column that came later
                values[field.attname] = [field.get_default()] * (stop - start)
        if any(len(column) != stop - start for column in values.values()):
            raise Broken(f"block {number} is not whole")
        names = list(values)
        return [dict(zip(names, each, strict=True)) for each in zip(*values.values(), strict=True)]

    def _unpacked(self, name: str) -> bytes:
        try:
            unpacking = lzma.LZMADecompressor(memlimit=MOST_BYTES)
            data = unpacking.decompress(self.zip.read(name), MOST_BYTES)
        except (KeyError, zipfile.BadZipFile, lzma.LZMAError) as problem:
            raise Broken(f"{name}: {problem}") from problem
        if not unpacking.eof:
            raise Broken(f"{name} is larger than anything written here")
        return data


def _packed(value: Any) -> bytes:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return _compressed(text.encode("utf-8", "surrogatepass"))


def _compressed(data: bytes) -> bytes:
    """With a dictionary no larger than what it is for: clearing a large one takes longer than the rest."""
    room = 1 << max(len(data) - 1, 4_095).bit_length()
    how = {"id": lzma.FILTER_LZMA2, "preset": PRESET, "dict_size": min(room, 8 << 20)}
    return lzma.compress(data, filters=[how])


def _stored(field: Any, values: list[Any]) -> list[Any]:
    if isinstance(field, models.DateTimeField):
        times = [microseconds(value) for value in values]
        return [times[0], *(b - a for a, b in pairwise(times))]
    if isinstance(field, models.UUIDField | models.ForeignKey):
        return [None if value is None else value.hex for value in values]
    return values


def _taken(field: Any, values: list[Any]) -> list[Any]:
    if isinstance(field, models.DateTimeField):
        return [moment(us) for us in accumulate(values)]
    if isinstance(field, models.UUIDField | models.ForeignKey):
        known = {value: UUID(value) for value in set(values) if value is not None}
        return [known.get(value) for value in values]
    return values


def microseconds(at: datetime) -> int:
    return (at - EPOCH) // MICROSECOND


def moment(us: int) -> datetime:
    return EPOCH + us * MICROSECOND


def as_event(row: Row, workspace_id: UUID) -> Event:
    """The event as the table would have given it."""
    event = Event(workspace_id=workspace_id)
    for field in columns():
        value = row[field.attname]
        if isinstance(field, OrderedJSONField) and value is not None:
            value = json.loads(value)
        setattr(event, field.attname, value)
    event._state.adding, event._state.db = False, "default"
    return event
