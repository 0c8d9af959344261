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


# So much of a text is read to show and to compare.
HEAD = 2_000


class Light(NamedTuple):
    """What is read of a candidate: all that ranking goes by beside words and vectors."""

    pk: UUID
    object_id: UUID
    frame_id: UUID | None
    place: int | None
    at: datetime
    length: int
    kind: str
    type: str
    is_open: bool | None
    score: float | None
    pinned: bool
    superseded: bool
    project_id: UUID
    owner_id: UUID | None
    aliases: list[str]


class Measured(NamedTuple):
    """A candidate, how often each word stands in it, how like the vector it is; where that was asked
    for, its title and the beginning of its text."""

    row: Light
    held: dict[str, int]
    likeness: float | None
    text: str | None


class Where(NamedTuple):
    """Whose vectors to compare with; those of a large workspace may stand in a `bucket`'s index."""

    model: str
    dimension: int
    bucket: int | None = None
