"""What an operation of the API says of itself, for the gate to keep."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

View = TypeVar("View", bound=Callable[..., Any])
MOST_BYTES = 1024 * 1024


@dataclass(frozen=True)
class Rules:
    """`permission` is one of workspaces/access.py; `once` says whether Idempotency-Key counts;
    `needs_room`, whether it rests when the workspace's quota is used up; `records`, whether a row of
    ours is written though nothing of the caller's changes.
    """

    permission: str
    once: bool
    needs_room: bool
    most_bytes: int
    records: bool = False

    @property
    def only_reads(self) -> bool:
        return self.permission == "read" and not self.records


def permits(
    permission: str,
    *,
    once: bool = True,
    needs_room: bool | None = None,
    most_bytes: int = MOST_BYTES,
    records: bool = False,
) -> Callable[[View], View]:
    """Say what an operation asks of whoever calls it. Every operation has one."""
    room = permission == "write" if needs_room is None else needs_room

    def mark(view: View) -> View:
        view.rules = Rules(permission, once, room, most_bytes, records)  # type: ignore[attr-defined]
        return view

    return mark


def rules_of(view: Callable[..., Any]) -> Rules:
    rules: Rules = view.rules  # type: ignore[attr-defined]
    return rules
