"""API keys: made, replaced and ended by keys that may."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Any, ClassVar, Literal

from django.http import HttpRequest
from django.utils import timezone
from ninja import Path, Query, Router
from pydantic import Field

from stackmemory.lib.contract import In, Line, Listed, Out, Paging, Word, actor_of, page
from stackmemory.lib.operations import permits
from stackmemory.lib.refusal import Conflict, NotFound
from workspaces import api_keys
from workspaces.models import ApiKey

router = Router(tags=["Keys"])


class NewKey(In):
    name: Word = Field(description="What it is for.")
    scopes: list[Literal["read", "write", "admin"]] = Field(min_length=1, max_length=3)
    project: Line = Field("", description="Slug or id: it then sees no other project.")
    expires_in_days: int | None = Field(90, ge=1, le=3650, description="null: never.")


class KeyOut(Out):
    id: uuid.UUID
    name: str
    shown: str = Field(description="As much of the key as may be shown.")
    scopes: list[str]
    project_id: uuid.UUID | None
    created_by: str | None = Field(description="E-mail address of the person who made it.")
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    replaced_by: uuid.UUID | None


class MadeKey(KeyOut):
    shown_once: ClassVar = ("key",)

    key: str | None = Field(
        description="The key itself, shown now and never again: null when the answer is repeated"
        " for the sake of an Idempotency-Key."
    )


class KeyFilter(Paging):
    usable: bool | None = Field(None, description="true: those that still open something.")


@router.get("/keys", response=Listed[KeyOut], summary="List keys")
@permits("keys")
def list_keys(request: HttpRequest, filters: Query[KeyFilter]) -> Any:
    """The newest first. Of a key itself only its beginning is known."""
    found = ApiKey.objects.in_workspace(actor_of(request).workspace).select_related("created_by")
    if filters.usable is not None:
        usable = ApiKey.unscoped.usable().values("pk")
        found = found.filter(pk__in=usable) if filters.usable else found.exclude(pk__in=usable)
    return page(filters, found, ("-id",), lambda key: KeyOut(**_fields(key)))


@router.post("/keys", response={201: MadeKey}, summary="Make a key")
@permits("keys")
def post_key(request: HttpRequest, body: NewKey) -> Any:
    """Belongs to the person whose key this is, and can do no more than they may."""
    actor = actor_of(request)
    days = body.expires_in_days
    key, text = api_keys.create(
        workspace=actor.workspace,
        name=body.name,
        scopes=body.scopes,
        project_id=_project(request, body.project) if body.project else None,
        expires_at=timezone.now() + timedelta(days=days) if days else None,
        request=request,
    )
    return 201, MadeKey(**_fields(key), key=text)


@router.post(
    "/keys/{key_id}/rotate",
    response={201: MadeKey},
    summary="Replace a key",
    operation_id="rotate_key",
)
@permits("keys")
def post_rotation(request: HttpRequest, key_id: Path[uuid.UUID]) -> Any:
    """A new key with the same rights. The old one works for another day."""
    try:
        key, text = api_keys.rotate(_key(request, key_id), request=request)
    except api_keys.InvalidKey as problem:
        raise Conflict("refused", str(problem)) from None
    return 201, MadeKey(**_fields(key), key=text)


@router.delete("/keys/{key_id}", response={204: None}, summary="Revoke a key")
@permits("keys")
def delete_key(request: HttpRequest, key_id: Path[uuid.UUID]) -> Any:
    """It stops working at once, for good. This may be the very key the request shows."""
    api_keys.revoke(_key(request, key_id), request=request)
    return 204, None


def _key(request: HttpRequest, key_id: uuid.UUID) -> ApiKey:
    rows = ApiKey.objects.in_workspace(actor_of(request).workspace).select_related("workspace")
    found = rows.filter(pk=key_id).first()
    if found is None:
        raise NotFound("key")
    return found


def _project(request: HttpRequest, ref: str) -> uuid.UUID:
    """The id of a project: reached through the workspace, since it belongs to an app above."""
    projects = actor_of(request).workspace.projects
    try:
        found = projects.filter(pk=uuid.UUID(ref)).first()
    except ValueError:
        found = projects.filter(slug=ref).first()
    if found is None:
        raise NotFound("project", field="project")
    return found.pk


def _fields(key: ApiKey) -> dict[str, Any]:
    return {
        "id": key.pk,
        "name": key.name,
        "shown": key.shown,
        "scopes": key.scopes,
        "project_id": key.project_id,
        "created_by": key.created_by.email if key.created_by else None,
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "revoked_at": key.revoked_at,
        "last_used_at": key.last_used_at,
        "replaced_by": key.replaced_by_id,
    }
