"""Anchors' verbs: add, supersede, pin, rename."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone

from frames.calls import check_may_change, keep_revision
from frames.incoming import json_in, plain, source_id_in, text_in, texts_in
from frames.models import Anchor, Frame, Project
from frames.reach import anchors_of
from frames.signals import changed
from frames.telling import tell_item
from stackmemory.lib.refusal import Conflict, Refusal
from workspaces.actor import Actor

LONGEST = 20_000


def add_anchor(
    *,
    actor: Actor,
    project: Project,
    text: str,
    type: str = Anchor.Type.FACT,
    frame: Frame | None = None,
    priority: int = 5,
    pinned: bool = False,
    aliases: Sequence[str] = (),
    metadata: dict[str, Any] | None = None,
    supersedes: Anchor | None = None,
    source_id: str | None = None,
) -> tuple[Anchor, bool]:
    """Pin down something that must not be forgotten; (anchor, whether it was made).

    A known `source_id` gives the anchor it became. With `supersedes` the old one stays, struck
    through. Raises Refusal.
    """
    actor.require("write")
    anchors = anchors_of(actor).filter(origin=Anchor.Origin.ANCHOR)
    source_id = source_id_in(source_id)
    if source_id is not None and (known := anchors.filter(source_id=source_id).first()):
        return known, False
    check_text(text)
    if not 0 <= priority <= 10:
        raise Refusal("invalid", "A priority is between 0 and 10.", field="priority")
    if frame is not None:
        check_may_change(actor, frame)
        if frame.project_id != project.pk:
            raise Refusal("invalid", "The frame is of another project.", field="frame")
    anchor = Anchor(
        workspace=actor.workspace, project=project, frame=frame,
        type=plain(type.strip()).upper() or "FACT", text=text_in(actor.workspace, text.strip()),
        priority=priority, pinned=pinned,
        aliases=texts_in(actor.workspace, clean_aliases(aliases)),
        metadata=json_in(actor.workspace, metadata or {}), source_id=source_id,
    )  # fmt: skip
    try:
        with transaction.atomic():
            anchor.save(force_insert=True)
    except IntegrityError:
        known = anchors.filter(source_id=source_id).first()
        if known is None:
            raise Conflict(
                "source_id_taken", "This source_id is taken by an anchor you may not see.",
                field="source_id",
            ) from None  # fmt: skip
        return known, False  # a rival request made it first
    if frame is not None:
        Frame.unscoped.filter(pk=frame.pk).update(anchor_count=F("anchor_count") + 1)
    if supersedes is not None:
        supersede(actor=actor, old=supersedes, new=anchor)
    changed(actor.workspace, "anchor", [anchor.pk])
    tell_item(actor.workspace, "anchor", "added", anchor)
    return anchor, True


def supersede(*, actor: Actor, old: Anchor, new: Anchor) -> None:
    """Let `new` replace `old`, which keeps its text and says by what it was replaced."""
    actor.require("write")
    if old.pk == new.pk:
        raise Refusal("invalid", "An anchor cannot replace itself.", field="supersedes")
    # Conditional, so that of two who replace one anchor at once only one does.
    done = (
        Anchor.objects.in_workspace(actor.workspace)
        .filter(pk=old.pk, superseded_by=None)
        .update(superseded_by=new, superseded_at=timezone.now())
    )
    if not done:
        raise Conflict(
            "superseded", "Another anchor has replaced this one already; replace that one.",
            field="supersedes",
        )  # fmt: skip
    if old.pinned and not new.pinned:
        Anchor.unscoped.filter(pk=new.pk).update(pinned=True)
        new.pinned = True
    changed(actor.workspace, "anchor", [old.pk, new.pk], at_once=True)
    tell_item(actor.workspace, "anchor", "superseded", old)


def change_anchor(
    *,
    actor: Actor,
    anchor: Anchor,
    pinned: bool | None = None,
    priority: int | None = None,
    aliases: Sequence[str] | None = None,
    text: str | None = None,
) -> Anchor:
    """Pin or unpin, weigh, give other names, reword; what it said before is kept."""
    actor.require("write")
    if priority is not None and not 0 <= priority <= 10:
        raise Refusal("invalid", "A priority is between 0 and 10.", field="priority")
    if text is not None:
        check_text(text)
    new: dict[str, Any] = {
        "pinned": pinned,
        "priority": priority,
        "aliases": texts_in(actor.workspace, clean_aliases(aliases or ()))
        if aliases is not None
        else None,
        "text": text_in(actor.workspace, text.strip()) if text is not None else None,
    }
    differs = {n: v for n, v in new.items() if v is not None and getattr(anchor, n) != v}
    if differs:
        keep_revision(actor, anchor, tuple(differs))
        for name, value in differs.items():
            setattr(anchor, name, value)
        anchor.save(update_fields=list(differs))
        changed(actor.workspace, "anchor", [anchor.pk])
        tell_item(actor.workspace, "anchor", "changed", anchor)
    return anchor


def check_text(text: str) -> None:
    if not text.strip():
        raise Refusal("invalid", "An anchor needs a text.", field="text")
    if len(text) > LONGEST:
        raise Refusal("invalid", f"At most {LONGEST} characters; link to the rest.", field="text")


def clean_aliases(aliases: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(a.strip()[:200] for a in aliases if a.strip()))[:20]
