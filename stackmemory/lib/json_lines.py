"""Rows as lines of JSON that PostgreSQL itself writes, byte for byte as Python's json would.

Key order is that of the query, nothing is between tokens, text is as it is but for what JSON has to
escape. Numbers with a fraction are the one thing the two spell differently: `number()` mends that.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import connection, models

from stackmemory.lib.jsontext import OrderedJSONField

# Neither is in JSON as it stands: there they are escapes.
FORMAT = "FORMAT csv, DELIMITER E'\\x01', QUOTE E'\\x02'"


def available() -> bool:
    return connection.vendor == "postgresql"


def object_of(columns: Sequence[tuple[str, Any]]) -> str:
    """The SELECT list of a row's values under the names given, each as archives spell it."""
    q = connection.ops.quote_name
    return ", ".join(f"{_spelled(column)} AS {q(name)}" for name, column in columns)


def odd(columns: Sequence[tuple[str, Any]]) -> str:
    """The condition under which a row has a number that has to be spelled in Python."""
    q = connection.ops.quote_name
    of = [q(str(c.column)) for _, c in columns if isinstance(c, models.FloatField)]
    wrong = [f"coalesce(NOT abs({c}) < 1e15, false)" for c in of]
    return " OR ".join(wrong) or "false"


def lines(select: str, parameters: Sequence[Any]) -> list[bytes]:
    """What a query of one text column gives, a line each with its end."""
    with (
        connection.cursor() as cursor,
        cursor.copy(f"COPY ({select}) TO STDOUT ({FORMAT})", parameters) as copy,
    ):
        return [bytes(line) for line in copy]


def _spelled(column: Any) -> str:
    name = connection.ops.quote_name(column.column)
    if isinstance(column, models.DateTimeField):
        return f"""to_char({name} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""
    if isinstance(column, models.FloatField):
        return f"(CASE WHEN {name} = trunc({name}) THEN {name}::text || '.0' ELSE {name}::text END)::json"
    if (
        isinstance(column, OrderedJSONField)
        or column.is_relation
        or isinstance(column, models.UUIDField)
    ):
        return f"{name}::text"
    if isinstance(
        column, models.TextField | models.CharField | models.BooleanField | models.IntegerField
    ):
        return name
    raise TypeError(f"No spelling is known for a {type(column).__name__}.")
