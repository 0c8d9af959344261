"""Exports, for programs: asked for, looked at until they are done, and fetched."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any, Literal

from django.http import HttpRequest
from django.urls import reverse
from ninja import Path, Query, Router
from pydantic import Field

from frames.models import Export
from frames.reach import find_project
from stackmemory.exports import making
from stackmemory.exports.sending import pieces_of, send
from stackmemory.lib.contract import In, Line, Listed, Out, Paging, absolute, actor_of, page
from stackmemory.lib.operations import permits
from stackmemory.lib.refusal import Conflict, NotFound
from workspaces.actor import Actor

router = Router(tags=["Exports"])


class NewExport(In):
    format: Literal["store", "archive"] = Field(
        description="store: a project as the local tool’s database. archive: the whole workspace in"
        " one file, for a key of an owner."
    )
    project: Line = Field("", description="Slug or id; for a store.")
    schema_: Literal["new", "old"] = Field(
        "new", alias="schema", description="The local tool’s version: 1.x (new) or 0.x (old)."
    )
    private: bool = Field(
        False,
        description="Everybody’s private frames too, for a key of an owner. Without it a store holds"
        " those of the key’s person, an archive none.",
    )


class ExportOut(Out):
    id: str
    format: str
    state: str = Field(description="waiting, running, done, failed, cancelled or expired.")
    project: str | None
    done_rows: int
    total_rows: int
    size: int = Field(description="Of the file, in bytes, once it is there.")
    report: dict[str, Any] = Field(description="What is in it, by table, and what is not.")
    error: str
    created_at: datetime
    finished_at: datetime | None
    expires_at: datetime | None = Field(description="Until when the file can be fetched.")
    file: str | None = Field(description="Where to fetch it from, with the same key.")


BINARY: dict[str, Any] = {
    "responses": {
        "200": {
            "description": "The file.",
            "content": {
                "application/octet-stream": {"schema": {"type": "string", "format": "binary"}}
            },
        }
    }
}


@router.get("/exports", response=Listed[ExportOut], summary="List exports")
@permits("export")
def list_exports(request: HttpRequest, paging: Query[Paging]) -> Any:
    """Those of the key’s person, the newest first."""
    actor = actor_of(request)
    return page(paging, making.exports_of(actor.workspace, actor.user), ("-id",), export_out)


@router.post("/exports", response={201: ExportOut}, summary="Ask for an export")
@permits("export")
def post_export(request: HttpRequest, body: NewExport) -> Any:
    """A worker makes it; look at it until it is done, then fetch the file within a day."""
    actor = actor_of(request)
    project = find_project(actor, body.project) if body.format == "store" else None
    export = making.ask(
        actor=actor, format=body.format, project=project, schema=body.schema_, private=body.private
    )
    return 201, export_out(export)


@router.get("/exports/{export_id}", response=ExportOut, summary="Get an export")
@permits("export")
def get_export(request: HttpRequest, export_id: Path[uuid.UUID]) -> Any:
    return export_out(_find(actor_of(request), export_id))


@router.get(
    "/exports/{export_id}/file",
    summary="Fetch the file of an export",
    operation_id="fetch_export_file",
    openapi_extra=BINARY,
)
@permits("export")
def get_file(request: HttpRequest, export_id: Path[uuid.UUID]) -> Any:
    """404 before it is done, and when its day is over."""
    path = making.file_of(_find(actor_of(request), export_id))
    if path is None:
        raise NotFound("file of an export")
    kind = "application/octet-stream"
    return send(request, pieces_of(path), name=path.name, kind=kind, size=path.stat().st_size)


@router.post("/exports/{export_id}/cancel", response=ExportOut, summary="Cancel an export")
@permits("export")
def post_cancel(request: HttpRequest, export_id: Path[uuid.UUID]) -> Any:
    """It stops, and its file goes if there is one. 409 where there is nothing more to stop."""
    export = _find(actor_of(request), export_id)
    if not making.cancel(export):
        raise Conflict("already_over", f"This export is {export.state} already.")
    export.refresh_from_db()
    return export_out(export)


def _find(actor: Actor, export_id: uuid.UUID) -> Export:
    export: Export | None = (
        making.exports_of(actor.workspace, actor.user).filter(pk=export_id).first()
    )
    may_not = export and making.PERMISSIONS[Export.Format(export.format)] not in actor.permissions
    if export is None or may_not:
        raise NotFound("export")
    return export


def export_out(export: Export) -> ExportOut:
    path = reverse("api:get_file", args=[export.pk])
    return ExportOut(
        id=str(export.pk),
        format=export.format,
        state=export.state,
        project=export.project.slug if export.project else None,
        done_rows=export.done_rows,
        total_rows=export.total_rows,
        size=export.size,
        report=export.report,
        error=export.error,
        created_at=export.created_at,
        finished_at=export.finished_at,
        expires_at=export.expires_at,
        file=absolute(path) if making.file_of(export) else None,
    )
