"""Taking the rows of events, of which an archive has most: by types in one go, where nothing is odd.

A line that a stricter reader does not take is none of the usual ones, and left to values.py, which
says what is wrong with it, or takes it all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from django.db import models
from msgspec import Meta

from frames.models import Event
from stackmemory.archive.container import Container, Told
from stackmemory.archive.taking import taken, takers
from stackmemory.archive.values import WHOLE
from stackmemory.lib.jsontext import OrderedJSONField

Values = tuple[Any, ...]
# With the number of its line.
Numbered = tuple[int, Values]


class EventRows:
    """Values of a part's lines in the order of its fields."""

    def __init__(self, container: Container, told: Told) -> None:
        self.container, self.told = container, told
        self._take = takers(told)
        columns = {name: Event._meta.get_field(name) for name in told.fields}
        self._spelled = [
            at for at, c in enumerate(columns.values()) if isinstance(c, OrderedJSONField)
        ]
        struct = msgspec.defstruct(
            "Line", [(name, _type(column)) for name, column in columns.items()],
            forbid_unknown_fields=True, gc=False,
        )  # fmt: skip
        self._decode: Callable[[bytes], Any] = msgspec.json.Decoder(struct).decode
        self._values = msgspec.structs.astuple

    def batches(self) -> Iterator[list[Numbered]]:
        """Some rows with the numbers of their lines. Raises BadArchive."""
        number = 0
        for lines in self.container.blocks(self.told):
            yield [(n, self._row(n, raw)) for n, raw in enumerate(lines, start=number + 1)]
            number += len(lines)

    def _row(self, number: int, raw: bytes) -> Values:
        # What may be an escaped NUL, which no column holds, is looked at more closely.
        if b"\\u0000" not in raw:
            try:
                values: Values = self._values(self._decode(raw))
                for at in self._spelled:
                    if values[at] is not None:
                        msgspec.json.decode(values[at])
            except (msgspec.DecodeError, ValueError, RecursionError, OverflowError):
                pass
            else:
                return values
        row = self.container.row(self.told, number, raw)
        found = taken(self.told, self._take, number, row)
        return tuple(found[name] for name in self.told.fields)


def _type(column: Any) -> Any:
    kind: Any
    if column.is_relation or isinstance(column, models.UUIDField):
        kind = UUID
    elif isinstance(column, models.DateTimeField):
        kind = Annotated[datetime, Meta(tz=True)]
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
