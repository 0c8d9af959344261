"""Connection pools and forks: a child has none of its parent's."""

from __future__ import annotations

import os
from typing import Any

from django.db.backends.postgresql.base import DatabaseWrapper

# Kept, for letting go of a connection here would end it for the parent, too.
_parents: list[dict[str, Any]] = []


def _forget() -> None:
    _parents.append(dict(DatabaseWrapper._connection_pools))  # type: ignore[attr-defined]
    DatabaseWrapper._connection_pools.clear()  # type: ignore[attr-defined]


def forget_in_children() -> None:
    os.register_at_fork(after_in_child=_forget)
