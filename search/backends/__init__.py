"""What each engine does its own way: finding candidates. Ranking is the same for both."""

from __future__ import annotations

from datetime import datetime
from types import ModuleType
from typing import NamedTuple
from uuid import UUID

from django.db import connection

from search.backends import postgres, sqlite


class Filters(NamedTuple):
    """What a candidate must be; None stands for anything.

    `people` and `names` (lower case, of who speaks) are alternatives; `files` are regular
    expressions of search/files.py.
    """

    person: UUID | None = None
    projects: list[UUID] | None = None
    kinds: list[str] | None = None
    types: list[str] | None = None
    since: datetime | None = None
    until: datetime | None = None
    people: list[UUID] | None = None
    names: list[str] | None = None
    is_open: bool | None = None
    least: float | None = None
    most: float | None = None
    files: list[str] | None = None


def backend() -> ModuleType:
    return postgres if connection.vendor == "postgresql" else sqlite
