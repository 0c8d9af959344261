"""A query as it was understood."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

SORTS = ("relevance", "time", "score")
FORMATS = ("summary", "full", "ids")
GROUPS = ("frame", "time", "owner", "type", "project")
MOST = 100


@dataclass(frozen=True)
class Person:
    id: UUID
    name: str
    email: str

    def is_called(self, word: str) -> bool:
        """By the name, its first word, or the address up to the @."""
        names = {self.name.lower(), self.email.lower(), self.email.lower().partition("@")[0]}
        return word.lower() in names | set(self.name.lower().split()[:1])


@dataclass(frozen=True)
class Who:
    """Who asks, when, and what there is to ask for."""

    now: datetime
    me: Person | None = None
    people: Sequence[Person] = ()
    projects: Sequence[str] = ()

    def called(self, word: str) -> list[Person]:
        return [person for person in self.people if person.is_called(word.lstrip("@"))]


@dataclass
class Query:
    original: str = ""
    text: str = ""
    phrases: list[str] = field(default_factory=list)
    without: list[str] = field(default_factory=list)
    since: datetime | None = None
    until: datetime | None = None
    people: list[Person] = field(default_factory=list)
    projects: list[str] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)
    types: list[str] = field(default_factory=list)
    # Kinds that were named as types (`+type:decision,frame`): either will do.
    kinds_or_types: list[str] = field(default_factory=list)
    # Types that were asked about in words: they count more, the others stay.
    prefer: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    is_open: bool | None = None
    least: float | None = None
    most: float | None = None
    sort: str = ""
    limit: int = 0
    format: str = "summary"
    group: str = ""
    # Fields that were read out of plain words: they yield where nothing would be found.
    soft: set[str] = field(default_factory=set)
    # What each part of it was taken for, in words; and what is wrong with it.
    understood: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    suggestions: list[str] = field(default_factory=list)

    def note(self, words: str) -> None:
        if words not in self.understood:
            self.understood.append(words)

    def when(self, since: datetime | None, until: datetime | None, *, soft: bool = False) -> None:
        """Set the time; the first to say it wins, and modifiers are read first."""
        if self.since is None and self.until is None:
            self.since, self.until = since, until
            if soft:
                self.soft.add("time")

    @property
    def is_filtered(self) -> bool:
        return bool(
            self.since or self.until or self.people or self.projects or self.kinds or self.types
            or self.kinds_or_types or self.files or self.is_open is not None or self.least or self.most
        )  # fmt: skip
