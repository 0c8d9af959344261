"""Anchors: what must not be forgotten."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from ninja import Path, Query, Router
from pydantic import Field

from frames.anchoring import LONGEST, add_anchor, change_anchor
from frames.models import Anchor
from frames.reach import anchors_of, find_anchor, find_frame, find_project
from stackmemory.lib.contract import (
    In,
    JsonObject,
    Line,
    Listed,
    Out,
    Paging,
    Ref,
    SourceId,
    Wanted,
    Word,
    absolute,
    actor_of,
    page,
)
from stackmemory.lib.operations import permits

router = Router(tags=["Anchors"])
TYPES = "FACT, DECISION, CONSTRAINT, INTERFACE_CONTRACT, TODO, RISK or a word of yours."


class Wording(In):
    text: str = Field(min_length=1, max_length=LONGEST)
    type: Word = Field("FACT", description=TYPES)
    frame: Ref | None = Field(None, description="The frame it came up in.")
    priority: int = Field(5, ge=0, le=10)
    pinned: bool = Field(False, description="Pinned ones come first in every context.")
    aliases: list[Line] = Field([], max_length=20, description="Other words people search it by.")
    metadata: JsonObject = {}
    source_id: SourceId | None = None


class NewAnchor(Wording):
    project: Line = Field(
        "", description="Slug or id; may be left out with a frame, or where there is just one."
    )
    supersedes: Ref | None = Field(None, description="The anchor it replaces.")


class AnchorChange(In):
    pinned: bool | None = None
    priority: int | None = Field(None, ge=0, le=10)
    aliases: list[Line] | None = Field(None, max_length=20)
    text: str | None = Field(None, min_length=1, max_length=LONGEST)


class AnchorFilter(Paging):
    project: Wanted = Field("", description="Only of this project (slug or id).")
    frame: Wanted = Field("", description="Only of this frame.")
    type: Wanted = Field("", description="Only of this type.")
    pinned: bool | None = Field(None, description="Only pinned ones, or only others.")
    superseded: bool | None = Field(
        False, description="false: those that stand; true: those that were replaced."
    )


class AnchorOut(Out):
    id: str
    source_id: str | None
    project: str
    frame: str | None
    type: str
    text: str
    priority: int
    pinned: bool
    aliases: list[str]
    metadata: Any
    superseded_by: str | None
    superseded_at: datetime | None
    noted_at: datetime
    url: str = Field(description="The page it is on, for people.")


@router.post("/anchors", response={201: AnchorOut, 200: AnchorOut}, summary="Add an anchor")
@permits("write")
def post_anchor(request: HttpRequest, body: NewAnchor) -> Any:
    """201 with a new anchor; 200 with the one this `source_id` became before. With `supersedes`
    the old one stays, struck through, and its pin passes on."""
    actor = actor_of(request)
    frame = find_frame(actor, body.frame) if body.frame else None
    project = frame.project if frame and not body.project else find_project(actor, body.project)
    old = find_anchor(actor, body.supersedes, field="supersedes") if body.supersedes else None
    given = body.model_dump(exclude={"frame", "project", "supersedes"})
    anchor, made = add_anchor(actor=actor, project=project, frame=frame, supersedes=old, **given)
    return 201 if made else 200, anchor_out(actor, anchor)


@router.get("/anchors", response=Listed[AnchorOut], summary="List anchors")
@permits("read")
def list_anchors(request: HttpRequest, filters: Query[AnchorFilter]) -> Any:
    """Pinned ones first, then the newest."""
    actor = actor_of(request)
    anchors = anchors_of(actor).select_related("project").defer("source")
    if filters.project:
        anchors = anchors.filter(project=find_project(actor, filters.project))
    if filters.frame:
        anchors = anchors.filter(frame=find_frame(actor, filters.frame))
    if filters.type:
        anchors = anchors.filter(type=filters.type.upper())
    if filters.pinned is not None:
        anchors = anchors.filter(pinned=filters.pinned)
    if filters.superseded is not None:
        anchors = anchors.filter(superseded_by__isnull=not filters.superseded)
    order = ("-pinned", "-noted_at", "-id")
    return page(filters, anchors, order, lambda row: anchor_out(actor, row))


@router.get("/anchors/{anchor}", response=AnchorOut, summary="Get an anchor")
@permits("read")
def get_anchor(request: HttpRequest, anchor: Path[Ref]) -> Any:
    actor = actor_of(request)
    return anchor_out(actor, find_anchor(actor, anchor))


@router.patch("/anchors/{anchor}", response=AnchorOut, summary="Change an anchor")
@permits("write")
def patch_anchor(request: HttpRequest, anchor: Path[Ref], body: AnchorChange) -> Any:
    """Pin it, weigh it, give it other names, reword it. Only the fields given are changed, and
    what it said before is kept."""
    actor = actor_of(request)
    changed = change_anchor(
        actor=actor, anchor=find_anchor(actor, anchor), **body.model_dump(exclude_unset=True)
    )
    return anchor_out(actor, changed)


@router.post(
    "/anchors/{anchor}/supersede",
    response={201: AnchorOut, 200: AnchorOut},
    summary="Replace an anchor by a new one",
    operation_id="supersede_anchor",
)
@permits("write")
def post_supersede(request: HttpRequest, anchor: Path[Ref], body: Wording) -> Any:
    """The new anchor; the old one keeps its text and says by what it was replaced. Without a
    `frame` the new one is of the old one’s. 409 if another has replaced it already."""
    actor = actor_of(request)
    old = find_anchor(actor, anchor)
    frame = find_frame(actor, body.frame) if body.frame else old.frame
    given = body.model_dump(exclude={"frame"})
    if "type" not in body.model_fields_set:
        given["type"] = old.type
    new, made = add_anchor(actor=actor, project=old.project, frame=frame, supersedes=old, **given)
    return 201 if made else 200, anchor_out(actor, new)


def anchor_out(actor: Any, anchor: Anchor) -> AnchorOut:
    return AnchorOut(
        id=str(anchor.pk),
        source_id=anchor.source_id,
        project=anchor.project.slug,
        frame=str(anchor.frame_id) if anchor.frame_id else None,
        type=anchor.type,
        text=anchor.text,
        priority=anchor.priority,
        pinned=anchor.pinned,
        aliases=[str(alias) for alias in anchor.aliases or ()],
        metadata=anchor.metadata,
        superseded_by=str(anchor.superseded_by_id) if anchor.superseded_by_id else None,
        superseded_at=anchor.superseded_at,
        noted_at=anchor.noted_at,
        url=_address(actor, anchor),
    )


def _address(actor: Any, anchor: Anchor) -> str:
    slug = actor.workspace.slug
    if anchor.frame_id:
        return absolute(reverse("frames:frame", args=[slug, anchor.frame_id]))
    return absolute(reverse("frames:anchors", args=[slug]))
