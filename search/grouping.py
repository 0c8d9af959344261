"""`+group:`: hits under headings, the heading of the best hit first."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.utils import timezone

from search.weighing import Hit

NOBODY, NOWHERE = "Nobody’s", "Outside frames"


def grouped(hits: list[Hit], by: str, now: datetime) -> list[Hit]:
    """The same hits, those with one heading together, in their order; each says its `group`."""
    for hit in hits:
        hit.group = HEADINGS[by](hit.document, now)
    first: dict[str, int] = {}
    for number, hit in enumerate(hits):
        first.setdefault(hit.group, number)
    return sorted(hits, key=lambda hit: first[hit.group])


def _frame(document: Any, now: datetime) -> str:
    return document.frame.name or "Unnamed frame" if document.frame else NOWHERE


def _time(document: Any, now: datetime) -> str:
    """The day, in words where it is near."""
    day = timezone.localtime(document.at).date()
    days = (timezone.localtime(now).date() - day).days
    return {0: "Today", 1: "Yesterday"}.get(days, f"{day:%-d %B %Y}")


def _owner(document: Any, now: datetime) -> str:
    owner = document.owner
    return (owner.name or owner.email) if owner else document.who or NOBODY


def _type(document: Any, now: datetime) -> str:
    return str(document.type or document.kind).replace("_", " ").capitalize()


def _project(document: Any, now: datetime) -> str:
    return str(document.project.name or document.project.slug)


HEADINGS: dict[str, Callable[[Any, datetime], str]] = {
    "frame": _frame, "time": _time, "owner": _owner, "type": _type, "project": _project,
}  # fmt: skip
