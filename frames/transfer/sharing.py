"""What of a project or workspace an export may hold: private frames, and the places of the rest.

A team frame can hang below a private one. Where the private one stays behind, the other becomes a
root, and all that hangs below it moves up with it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db.models import Q

from frames.models import Frame
from workspaces.models import User, Workspace


@dataclass(frozen=True)
class Place:
    parent_id: UUID | None
    root_id: UUID
    depth: int


@dataclass
class Share:
    """`hidden`: frames that stay behind. `moved`: new places of frames that hung below those."""

    hidden: set[UUID] = field(default_factory=set)
    moved: dict[UUID, Place] = field(default_factory=dict)

    def place(self, frame: Frame) -> Place:
        return self.moved.get(frame.pk) or Place(frame.parent_id, frame.root_id, frame.depth)


def hidden_from(user: User | None) -> Q:
    """Private frames, except the person's own."""
    private = Q(visibility=Frame.Visibility.PRIVATE)
    return private & ~Q(owner=user) if user else private


def share(workspace: Workspace, hidden: Q) -> Share:
    """What is left where the frames of `hidden` stay behind. Two queries where there are any."""
    frames = Frame.objects.in_workspace(workspace)
    gone = dict(frames.filter(hidden).values_list("pk", "root_id"))
    if not gone:
        return Share()
    found = Share(hidden=set(gone))
    roots = list(set(gone.values()))
    trees: list[tuple[Any, ...]] = []
    for start in range(0, len(roots), 5000):
        tree = frames.filter(root_id__in=roots[start : start + 5000])
        trees += tree.order_by("depth", "pk").values_list("pk", "parent_id", "depth")
    for pk, parent_id, _ in sorted(trees, key=lambda row: row[2]):
        if pk in gone or parent_id is None:
            continue
        above = found.moved.get(parent_id)
        if parent_id in gone:
            found.moved[pk] = Place(None, pk, 0)
        elif above is not None:
            found.moved[pk] = Place(parent_id, above.root_id, above.depth + 1)
    return found
