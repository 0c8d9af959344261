"""A row of an archive as values of our columns, or on which line and in which field that fails."""

from __future__ import annotations

from typing import Any

from stackmemory.archive.container import Told
from stackmemory.archive.errors import BadArchive
from stackmemory.archive.values import Take, taker


def takers(told: Told) -> dict[str, Take]:
    """How each field of a part is taken. Raises BadArchive where one is lacking that has to be."""
    assert told.part is not None
    for name in set(told.part.fields) - set(told.fields):
        column: Any = told.part.model._meta.get_field(name)
        if not column.null and column.get_default() is None:
            raise BadArchive(f"The archive’s “{told.name}” has no “{name}”, which every row needs.")
    return {name: taker(told.part.model._meta.get_field(name)) for name in told.fields}


def taken(told: Told, take: dict[str, Take], number: int, row: dict[str, Any]) -> dict[str, Any]:
    """The row's values. Raises BadArchive naming the line and the field."""
    values = {}
    for name, value in row.items():
        try:
            values[name] = take[name](value)
        except (ValueError, TypeError, OverflowError, RecursionError) as problem:
            said = str(problem)[:200]
            raise BadArchive(f"Line {number} of {told.file}, “{name}”: {said}.") from None
    return values
