"""Taking the rows of events, of which an archive has most: many lines in one go, where nothing is odd.

They are read by types and spelled again: what comes out as it was is in the one spelling that a line of
an archive has, and so is what its values become. A line that is not is left to values.py, which says
what is wrong with it, or takes it all the same, a number that Python spells otherwise for one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Annotated, Any, NamedTuple

import msgspec
import numpy as np
from django.db import models
from msgspec import Meta

from frames.models import Event
from stackmemory.archive.container import Container, Told
from stackmemory.archive.errors import BadArchive
from stackmemory.archive.rows import line, plain
from stackmemory.archive.taking import taken, takers
from stackmemory.archive.values import WHOLE
from stackmemory.lib.ahead import ahead
from stackmemory.lib.jsontext import OrderedJSONField

ALTERED = (
    "What its rows become is not what the manifest’s hash is of: the archive was altered after it was"
    " made. Export the workspace again."
)
ORDER = ("frame", "occurred_at", "seq", "id")


class Rows(NamedTuple):
    """Some lines: the number of the first, and the values of each field, spelled as they stand."""

    first: int
    columns: Sequence[Sequence[Any]]


class EventRows:
    """The lines of a part, values in the order of `fields`."""

    def __init__(self, container: Container, told: Told) -> None:
        self.container, self.told = container, told
        self.fields = tuple(sorted(told.fields))
        self._take = takers(told)
        columns = {name: Event._meta.get_field(name) for name in self.fields}
        kinds = {name: _type(column) for name, column in columns.items()}
        places = list(enumerate(columns.values()))
        self._spelled = [at for at, c in places if isinstance(c, OrderedJSONField)]
        self._ids = [at for at, c in places if c.is_relation or isinstance(c, models.UUIDField)]
        self._moments = [at for at, c in places if isinstance(c, models.DateTimeField)]
        self._texts = [at for at, kind in enumerate(kinds.values()) if kind in (str, str | None)]
        self._order = [self.fields.index(name) for name in ORDER if name in self.fields]
        struct = msgspec.defstruct(
            "Line", list(kinds.items()), forbid_unknown_fields=True, gc=False
        )
        self._decode: Callable[[bytes], list[Any]] = msgspec.json.Decoder(struct).decode_lines
        self._encode = msgspec.json.Encoder().encode_lines
        # That in which they are exported; else the hash of what they become is another.
        self.in_order = True
        self._last: tuple[Any, ...] | None = None

    def batches(self) -> Iterator[Rows]:
        """All of them, unpacked in a thread. Raises BadArchive."""
        number = 1
        texts = ahead(self.container.texts(self.told))
        try:
            for text in texts:
                columns = self._columns(text) or self._one_by_one(number, text)
                self._note_order(columns)
                yield Rows(number, columns)
                number += len(columns[0])
        finally:
            texts.close()

    def _columns(self, text: bytes) -> Sequence[Sequence[Any]] | None:
        """The values of whole lines; None where something is odd in them."""
        try:
            lines = self._decode(text)
            if self._encode(lines) != text:
                return None
            columns = list(zip(*map(msgspec.structs.astuple, lines), strict=True))
            if any("\0" in "".join(filter(None, columns[at])) for at in self._texts):
                return None  # no column holds it
            for at in self._spelled:
                for value in columns[at]:
                    if value is not None:
                        msgspec.json.decode(value)
        except (msgspec.DecodeError, ValueError, RecursionError, OverflowError):
            return None
        sound = all(_are_ids(columns[at]) for at in self._ids)
        return columns if sound and all(_are_moments(columns[at]) for at in self._moments) else None

    def _one_by_one(self, number: int, text: bytes) -> Sequence[Sequence[Any]]:
        rows: list[tuple[Any, ...]] = []
        for n, raw in enumerate(text[:-1].split(b"\n"), start=number):
            columns = self._columns(raw + b"\n")
            rows.append(tuple(c[0] for c in columns) if columns else self._row(n, raw))
        return list(zip(*rows, strict=True))

    def _row(self, number: int, raw: bytes) -> tuple[Any, ...]:
        found = taken(self.told, self._take, number, self.container.row(self.told, number, raw))
        row = {name: plain(value) for name, value in found.items()}
        if line(row) != raw + b"\n":
            raise BadArchive(ALTERED)
        return tuple(row[name] for name in self.fields)

    def _note_order(self, columns: Sequence[Sequence[Any]]) -> None:
        places = list(zip(*(columns[at] for at in self._order), strict=True))
        if self._last is not None:
            places.insert(0, self._last)
        self.in_order = self.in_order and sorted(places) == places
        self._last = places[-1]


def _are_ids(values: Sequence[Any]) -> bool:
    """Whether each is one, or nothing, as Python spells it."""
    given = _different(values)
    if not given:
        return True
    if set(map(len, given)) != {36}:
        return False
    text = "".join(given)
    digits = text.replace("-", "")
    try:
        spelled = bytes.fromhex(digits).hex()
    except ValueError:
        return False
    dashes = all(text[at::36] == "-" * len(given) for at in (8, 13, 18, 23))
    return dashes and spelled == digits and len(digits) == 32 * len(given)


def _are_moments(values: Sequence[Any]) -> bool:
    """Whether each is one, or nothing, in UTC and to the microsecond."""
    given = _different(values)
    if not given:
        return True
    texts = [value[:-1] for value in given if value[-1:] == "Z"]
    if len(texts) != len(given) or set(map(len, texts)) != {26} or min(texts) < "0001":
        return False
    try:
        found = np.array(texts, "M8[us]")
    except ValueError:
        return False
    return bool(np.datetime_as_string(found).tolist() == texts)


def _different(values: Sequence[Any]) -> list[Any]:
    return [value for value in dict.fromkeys(values) if value is not None]


def _type(column: Any) -> Any:
    kind: Any
    if column.is_relation or isinstance(column, models.UUIDField | models.DateTimeField):
        kind = str  # which _are_ids() and _are_moments() look at
    elif isinstance(column, models.BooleanField):
        kind = bool
    elif isinstance(column, models.FloatField):
        kind = float
    elif isinstance(column, models.IntegerField):
        least, most = WHOLE[type(column)]
        kind = Annotated[int, Meta(ge=least, le=most)]
    elif isinstance(column, OrderedJSONField) or (
        isinstance(column, models.TextField) and not column.choices
    ):
        kind = str
    else:
        raise TypeError(f"A {type(column).__name__} of events is taken by values.py alone.")
    return kind | None if column.null else kind
