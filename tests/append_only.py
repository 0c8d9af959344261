"""Emptying the tables between tests that commit, although the log refuses deletion on SQLite."""

from __future__ import annotations

from typing import Any

from django.db.backends.sqlite3.base import DatabaseOperations  # .operations needs base first

TRIGGERS = (
    "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'workspaces_audit'"
)
_plain = DatabaseOperations.sql_flush


def let_flush_through() -> None:
    """Take the log's triggers away for the length of a flush. PostgreSQL truncates and needs none.

    On the class: a browser test's thread may have another connection than the one at hand here.
    """
    DatabaseOperations.sql_flush = _sql_flush


def _sql_flush(self: DatabaseOperations, *args: Any, **kwargs: Any) -> list[str]:
    with self.connection.cursor() as cursor:
        cursor.execute(TRIGGERS)
        triggers = cursor.fetchall()
    drop = [f'DROP TRIGGER "{name}"' for name, _ in triggers]
    return [*drop, *_plain(self, *args, **kwargs), *(sql for _, sql in triggers)]
