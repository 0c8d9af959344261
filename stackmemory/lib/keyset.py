"""Pages by place, not by number: "what comes after this row", however much was added meanwhile.

A cursor holds the ordering values of the row at a page's edge. It is opaque and not secret: it can
only move within what the queryset allows anyway, so nothing is signed.
"""

from __future__ import annotations

import base64
import binascii
import json
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models

MAX_CURSOR = 2000
FORWARD, BACKWARD = "f", "b"
# (order, values of the cursor's row, how many at most) → rows
Beside = Callable[[Sequence[str], Sequence[Any] | None, int], Iterable[Any]]
BIGGEST = 2**63


class BadCursor(ValueError):
    """A cursor that this list did not make."""


@dataclass(frozen=True)
class Page:
    """One page of a list; `next` and `previous` are cursors, or None at an end.

    `lost` says that the cursor asked for meant nothing and the first page is shown instead.
    """

    items: list[Any] = field(default_factory=list)
    next: str | None = None
    previous: str | None = None
    lost: bool = False

    def __iter__(self) -> Any:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)


def paginate(
    queryset: models.QuerySet[Any],
    *,
    order: Sequence[str],
    cursor: str = "",
    size: int = 50,
    beside: Beside | None = None,
) -> Page:
    """The page of `queryset` at `cursor`, in `order` (field names, "-" for descending).

    The order must end in something unique and hold no nulls. One query; going back past the
    beginning costs a second one. A cursor that cannot be read gives the first page, `lost`.
    Some rows may lie elsewhere: `beside` gives those beyond a cursor's values, in an order that goes
    one way only, as many as are asked for.
    """
    lost = False
    direction, values = FORWARD, None
    if cursor:
        try:
            direction, values = decode(cursor, queryset.model, order)
        except BadCursor:
            lost = True
    wanted = order if direction == FORWARD else [_turned(name) for name in order]
    rows = queryset.order_by(*wanted)
    if values is not None:
        rows = rows.filter(_after(wanted, values))
    items = list(rows[: size + 1])
    if beside is not None:
        items = _together(items, beside(wanted, values, size + 1), wanted)[: size + 1]
    more, items = len(items) > size, items[:size]
    if direction == BACKWARD:
        if not more:  # the beginning: show it whole
            return paginate(queryset, order=order, size=size, beside=beside)
        items.reverse()
    return Page(
        items=items,
        next=encode(items[-1], order, FORWARD) if more or direction == BACKWARD else None,
        previous=encode(items[0], order, BACKWARD) if values is not None and items else None,
        lost=lost,
    )


def _together(items: list[Any], others: Iterable[Any], order: Sequence[str]) -> list[Any]:
    """Both in order, each key once."""
    names = [name.lstrip("-") for name in order]
    found = {row.pk: row for row in others} | {row.pk: row for row in items}
    return sorted(
        found.values(),
        key=lambda row: [getattr(row, name) for name in names],
        reverse=order[0].startswith("-"),
    )


def encode(row: Any, order: Sequence[str], direction: str) -> str:
    """The cursor for what lies beyond `row`."""
    values = [_plain(getattr(row, name.lstrip("-"))) for name in order]
    text = json.dumps([direction, *values], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode(cursor: str, model: type[models.Model], order: Sequence[str]) -> tuple[str, list[Any]]:
    """The direction and values of a cursor, each of the type its field has; or BadCursor."""
    if len(cursor) > MAX_CURSOR:
        raise BadCursor("too long")
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        parts = json.loads(text)
    except (ValueError, binascii.Error, RecursionError) as error:
        raise BadCursor("not a cursor") from error
    if not isinstance(parts, list) or len(parts) != len(order) + 1:
        raise BadCursor("of another list")
    direction, *values = parts
    if direction not in (FORWARD, BACKWARD):
        raise BadCursor("of no direction")
    fields = [model._meta.get_field(name.lstrip("-")) for name in order]
    return direction, [_typed(f, v) for f, v in zip(fields, values, strict=True)]


def _turned(name: str) -> str:
    return name[1:] if name.startswith("-") else f"-{name}"


def _after(order: Sequence[str], values: Sequence[Any]) -> models.Q:
    """Rows beyond `values`: a > x, or a = x and b > y, … with a ≥ x in front for the index."""
    beyond, equal = models.Q(), models.Q()
    for name, value in zip(order, values, strict=True):
        column, step = name.lstrip("-"), "lt" if name.startswith("-") else "gt"
        beyond |= equal & models.Q(**{f"{column}__{step}": value})
        equal &= models.Q(**{column: value})
    first = order[0].lstrip("-")
    reach = "lte" if order[0].startswith("-") else "gte"
    return models.Q(**{f"{first}__{reach}": values[0]}) & beyond


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, uuid.UUID):
        return str(value)
    if value is None:
        raise ValueError("a keyset order cannot hold nulls")
    return value


def _typed(column: Any, value: Any) -> Any:
    """`value` as the column's type, strictly: a cursor is user input."""
    if isinstance(column, models.BooleanField):
        good = isinstance(value, bool)
    elif isinstance(column, models.IntegerField):
        good = type(value) is int and -BIGGEST <= value < BIGGEST
    elif isinstance(column, models.FloatField):
        good = type(value) in (int, float)
    else:
        good = isinstance(value, str) and "\x00" not in value
    if not good:
        raise BadCursor(f"bad {column.name}")
    try:
        typed = column.to_python(value)
        if not isinstance(typed, datetime):
            return typed
        if typed.tzinfo is None:
            raise BadCursor(f"bad {column.name}")
        return typed.astimezone(UTC)
    except (ValidationError, ValueError, OverflowError) as error:
        raise BadCursor(f"bad {column.name}") from error
