"""Emptying the tables between tests that commit, although the log refuses deletion on SQLite."""

from __future__ import annotations

from typing import Any

from django.db import connection

TRIGGERS = (
    "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'workspaces_audit'"
)


def let_flush_through() -> None:
    """Take the log's triggers away for the length of a flush. PostgreSQL truncates and needs none."""
    if connection.vendor != "sqlite":
        return
    plain = connection.ops.sql_flush

    def sql_flush(*args: Any, **kwargs: Any) -> list[str]:
        with connection.cursor() as cursor:
            cursor.execute(TRIGGERS)
            triggers = cursor.fetchall()
        drop = [f'DROP TRIGGER "{name}"' for name, _ in triggers]
        return [*drop, *plain(*args, **kwargs), *(sql for _, sql in triggers)]

    connection.ops.sql_flush = sql_flush
