"""What people say of things their agents were given: useful or not."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from frames.reach import uuid_or_none
from search.models import ContextBundle, ContextMark
from stackmemory.lib.refusal import NotFound, Refusal
from workspaces.actor import Actor
from workspaces.models import User, Workspace


def mark(*, actor: Actor, bundle: ContextBundle, item_id: str, useful: bool | None) -> None:
    """Keep what this person says of a thing in a bundle, instead of what they said before.

    None, or the same once more, takes it back. Raises Refusal.
    """
    actor.require("write")
    if actor.user is None:
        raise Refusal("invalid", "Only a person can mark what was of use.")
    row = next((r for r in bundle.items if r["id"] == item_id and r["section"] != "pointers"), None)
    if row is None:
        raise NotFound("thing in this context", field="item")
    marks = ContextMark.objects.in_workspace(actor.workspace)
    mine = marks.filter(object_id=UUID(item_id), user=actor.user)
    if useful is None or mine.filter(useful=useful).exists():
        mine.delete()
        return
    ContextMark.unscoped.update_or_create(
        workspace=actor.workspace, object_id=UUID(item_id), user=actor.user,
        defaults={
            "useful": useful, "kind": row["kind"], "bundle": bundle, "project": bundle.project,
        },
    )  # fmt: skip


def marks_by(workspace: Workspace, user: User, ids: Iterable[str]) -> dict[str, bool]:
    """Of each thing what this person said."""
    keys = {key for each in ids if (key := uuid_or_none(each))}
    marks = ContextMark.objects.in_workspace(workspace).filter(user=user, object_id__in=keys)
    return {str(key): useful for key, useful in marks.values_list("object_id", "useful")}
