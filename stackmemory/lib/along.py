"""Statements whose answers nobody reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import connection


def carry_out(sql: str, params: Sequence[Any]) -> None:
    """Carry out a statement: on PostgreSQL, within a transaction, together with the next one.

    What it does wrong is told by that one, or by the commit.
    """
    if connection.vendor == "postgresql" and connection.in_atomic_block:
        connection.along(sql, params)  # type: ignore[attr-defined]
        return
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
