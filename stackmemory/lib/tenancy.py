"""The SQL side of scoping: which workspace a transaction is about.

On PostgreSQL the scope is a transaction-local setting that policies can read; SQLite has no such
thing and relies on how objects are reached (docs/decisions/0002-scoping.md).
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction

SETTING = "app.workspace_id"


@contextmanager
def workspace_scope(workspace_id: uuid.UUID) -> Iterator[None]:
    """Run the block in one transaction that is about this workspace and no other.

    Nested scopes restore the outer one, which a savepoint alone would not do.
    """
    if connection.vendor != "postgresql":
        with transaction.atomic():
            yield
        return
    with transaction.atomic():
        previous = current_scope()
        _set(str(workspace_id))
        try:
            yield
        finally:
            if not connection.needs_rollback:
                _set(previous)


def current_scope() -> str:
    """The workspace id this transaction is about, or an empty string."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(current_setting(%s, true), '')", [SETTING])
        return str(cursor.fetchone()[0])


def _set(value: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config(%s, %s, true)", [SETTING, value])
