"""What a backend is asked for."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple
from uuid import UUID


class Filters(NamedTuple):
    """What a candidate must be; None stands for anything.

    `people` and `names` (lower case, of who speaks) are alternatives; so are `kinds` and `types`
    with `either`. `files` are regular expressions (search/filtering.py).
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
    either: bool = False


class Where(NamedTuple):
    """Whose vectors to compare with; those of a large workspace may stand in a `bucket`'s index."""

    model: str
    dimension: int
    bucket: int | None = None
