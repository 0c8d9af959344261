"""Who one is to the server: the first thing to ask when something does not work."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from ninja import Router
from pydantic import Field

from stackmemory.lib.contract import Out, actor_of
from stackmemory.lib.operations import permits
from workspaces import limits
from workspaces.models import LimitName

router = Router(tags=["This key"])


class WorkspaceOut(Out):
    id: uuid.UUID
    slug: str
    name: str


class ThisKey(Out):
    id: uuid.UUID
    name: str
    shown: str = Field(description="As much of the key as may be shown.")
    scopes: list[str]
    project_id: uuid.UUID | None = Field(description="The one project it is tied to.")
    expires_at: datetime | None


class LimitOut(Out):
    limit: int | None = Field(description="null: as much as you like.")
    used: int


class Me(Out):
    workspace: WorkspaceOut
    key: ThisKey
    user: str | None = Field(description="E-mail address of the person who made the key.")
    permissions: list[str] = Field(description="What the key may do, as its maker’s role stands.")
    events_this_month: LimitOut
    time: datetime = Field(description="The server’s clock.")


@router.get("/me", response=Me, summary="Say who this key is", operation_id="get_me")
@permits("read")
def get_me(request: HttpRequest) -> Any:
    """The key, its workspace, what it may do, and what is left of the month’s quota."""
    actor = actor_of(request)
    workspace, key = actor.workspace, actor.key
    return Me(
        workspace=WorkspaceOut(id=workspace.pk, slug=workspace.slug, name=workspace.name),
        key=ThisKey(
            id=key.pk, name=key.name, shown=key.shown, scopes=key.scopes,
            project_id=key.project_id, expires_at=key.expires_at,
        ),
        user=actor.user.email if actor.user else None,
        permissions=sorted(actor.permissions),
        events_this_month=LimitOut(
            limit=limits.allowed(workspace, LimitName.EVENTS),
            used=limits.spent(workspace, LimitName.EVENTS),
        ),
        time=timezone.now(),
    )  # fmt: skip
