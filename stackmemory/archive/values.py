"""Values of an archive's rows as those of our columns, or a sentence on why they are none."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import models

from stackmemory.lib.jsontext import OrderedJSONField
from workspaces.models import User

HALF = re.compile("[\ud800-\udfff]")
WHOLE: dict[type[models.Field], tuple[int, int]] = {
    models.PositiveSmallIntegerField: (0, 2**15 - 1),
    models.PositiveIntegerField: (0, 2**31 - 1),
    models.PositiveBigIntegerField: (0, 2**63 - 1),
    models.SmallIntegerField: (-(2**15), 2**15 - 1),
    models.IntegerField: (-(2**31), 2**31 - 1),
    models.BigIntegerField: (-(2**63), 2**63 - 1),
}
# Gives the value to store, and raises ValueError where there is none.
Take = Callable[[Any], Any]


def taker(column: Any) -> Take:
    """How values of a column are taken. People stay e-mail addresses, to be looked up."""
    take = _taker(column)
    required = not column.null

    def taken(value: Any) -> Any:
        if value is None:
            if required:
                raise ValueError("nothing is given")
            return None
        return take(value)

    return taken


def _taker(column: Any) -> Take:
    if column.related_model is User:
        return _text(None)
    if column.is_relation or isinstance(column, models.UUIDField):
        return _uuid
    if isinstance(column, OrderedJSONField):
        return _spelled
    if isinstance(column, models.JSONField):
        return _json
    if isinstance(column, models.DateTimeField):
        return _moment
    if isinstance(column, models.DateField):
        return _day
    if isinstance(column, models.BooleanField):
        return _truth
    if isinstance(column, models.FloatField):
        return _number
    if isinstance(column, models.IntegerField):
        return _whole(*WHOLE[type(column)])
    if isinstance(column, models.CharField | models.TextField):
        return _checked(column)
    raise TypeError(f"An archive cannot hold a {type(column).__name__} yet: see archive/values.py.")


def _checked(column: Any) -> Take:
    text = _text(column.max_length)
    choices = {value for value, _ in column.flatchoices} if column.choices else None
    # of open enums (an anchor's type) any text is one; only short columns are closed
    closed = choices is not None and isinstance(column, models.CharField)

    def take(value: Any) -> str:
        found = text(value)
        if closed and found not in (choices or ()):
            raise ValueError(
                f"“{found[:40]}” is none of {', '.join(map(str, sorted(choices or ())))}"
            )
        try:
            if found:
                column.run_validators(found)
        except ValidationError as problem:
            raise ValueError(" ".join(problem.messages)) from None
        return found

    return take


def _text(most: int | None) -> Take:
    def take(value: Any) -> str:
        if not isinstance(value, str):
            raise ValueError("it is no text")
        if most is not None and len(value) > most:
            raise ValueError(f"it is longer than {most} characters")
        if "\x00" in value or HALF.search(value):
            raise ValueError("it holds a character that no database does")
        return value

    return take


def _uuid(value: Any) -> UUID:
    if not isinstance(value, str) or len(value) != 36:
        raise ValueError("it is no id")
    return UUID(value)


def _moment(value: Any) -> datetime:
    if not isinstance(value, str):
        raise ValueError("it is no time")
    at = datetime.fromisoformat(value)
    if at.tzinfo is None:
        raise ValueError("it is a time without a zone")
    return at


def _day(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("it is no day")
    return date.fromisoformat(value).isoformat()


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("it is neither true nor false")
    return value


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError("it is no number")
    return float(value)


def _whole(least: int, most: int) -> Take:
    def take(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise ValueError(f"it is no whole number from {least} to {most}")
        return value

    return take


def _spelled(value: Any) -> str:
    text = _text(None)(value)
    json.loads(text)
    return str(text)


def _json(value: Any) -> str:
    text = json.dumps(value)
    if "\\u0000" in text:
        raise ValueError("it holds a character that no database does")
    return text


def default_of(column: Any) -> Any:
    """What a column that the archive does not speak of begins with, as it is written."""
    value = None if column.null else column.get_default()
    return json.dumps(value) if isinstance(value, dict | list) else value
