"""Imports of local stores, as `stackmemory push` and `stackmemory mirror` make them."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any, Literal

from django.http import HttpRequest
from django.urls import reverse
from ninja import Path, Query, Router
from pydantic import Field

from frames.models import Transfer
from frames.transfer import receiving, upload
from frames.transfer.importing import Options
from frames.transfer.receiving import MOST_PIECE, Announced
from stackmemory.lib.contract import In, Listed, Out, Paging, Word, absolute, actor_of, page
from stackmemory.lib.operations import permits
from stackmemory.lib.refusal import Conflict, NotFound
from workspaces import audit
from workspaces.actor import Actor

router = Router(tags=["Imports"])
MOST_SIZE = 2**53


class NewImport(In):
    name: Word = Field(description="What to call it; the repository’s name tells most.")
    store: str = Field(
        min_length=1,
        max_length=1000,
        description="The path, inside the zip, of a context.db or of a .stackmemory folder.",
    )
    size: int = Field(gt=0, le=MOST_SIZE, strict=True, description="Of the zip, in bytes.")
    sha256: str = Field(pattern="^[0-9a-f]{64}$", description="Of the zip, in hex.")
    project: str | None = Field(
        None, max_length=50, description="Slug of the project that takes everything."
    )
    keep_project_ids: bool = Field(
        False, strict=True, description="One project for each id in the store."
    )
    dry_run: bool = Field(False, strict=True, description="Report only; write nothing.")
    mirror: str = Field(
        "", max_length=100, description="Name of the mirror it is a part of, if it is of one."
    )


class ImportOut(Out):
    id: str
    kind: str
    state: str = Field(
        description="receiving, waiting, checking, running, done, failed or cancelled."
    )
    name: str
    project: str | None = Field(description="Slug of the project it goes to, once that is known.")
    received: int = Field(description="Bytes that have arrived: send those from there on.")
    size: int
    done_rows: int
    total_rows: int
    error: str = Field(description="What went wrong, and what to do.")
    report: dict[str, Any] | None = Field(description="What came of it, once it is done.")
    created_at: datetime
    finished_at: datetime | None
    url: str = Field(description="Its page, for people.")


class ImportFilter(Paging):
    kind: Literal["import", "mirror"] = Field("import", description="Parts of mirrors are many.")


CONTENT: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": f"the next bytes of the zip, at most {MOST_PIECE >> 20} MB.",
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


@router.get("/imports", response=Listed[ImportOut], summary="List imports")
@permits("import")
def list_imports(request: HttpRequest, filters: Query[ImportFilter]) -> Any:
    """The newest first."""
    actor = actor_of(request)
    found = Transfer.objects.in_workspace(actor.workspace).filter(kind=filters.kind)
    found = found.select_related("project", "workspace")
    return page(filters, found, ("-id",), import_out)


@router.post(
    "/imports",
    response={201: ImportOut, 200: ImportOut},
    summary="Announce an import",
    operation_id="announce_import",
)
@permits("import")
def post_import(request: HttpRequest, body: NewImport) -> Any:
    """Say what will be sent; then send it. 200 with the import there is when the same was
    announced before and is not done: it goes on where it stopped."""
    actor = actor_of(request)
    told = Announced(
        name=body.name,
        store=body.store,
        size=body.size,
        sha256=body.sha256,
        mirror=body.mirror,
        options=Options(
            project=body.project or None,
            keep_project_ids=body.keep_project_ids,
            dry_run=body.dry_run,
        ),
    )
    transfer, made = receiving.announce(actor=actor, told=told)
    return 201 if made else 200, import_out(transfer)


@router.get("/imports/{import_id}", response=ImportOut, summary="Get an import")
@permits("import")
def get_import(request: HttpRequest, import_id: Path[uuid.UUID]) -> Any:
    """How far it is, and at the end what came of it."""
    return import_out(_find(actor_of(request), import_id))


@router.put(
    "/imports/{import_id}/content",
    response=ImportOut,
    summary="Send a piece of an import",
    operation_id="send_import_piece",
    openapi_extra=CONTENT,
)
@permits("import", once=False, most_bytes=MOST_PIECE)
def put_content(
    request: HttpRequest,
    import_id: Path[uuid.UUID],
    offset: int = Query(
        0,
        ge=0,
        le=MOST_SIZE,
        description="Where in the zip the piece begins: what `received` says.",
    ),
) -> Any:
    """Pieces are taken in order, each where the last one ended; 409 where one does not belong.
    With the last one the import begins, if the whole has the digest that was announced."""
    transfer = _find(actor_of(request), import_id, lock=True)
    receiving.take_piece(transfer=transfer, offset=offset, piece=request.body)
    transfer.refresh_from_db()
    return import_out(transfer)


@router.post(
    "/imports/{import_id}/cancel",
    response=ImportOut,
    summary="Cancel an import",
)
@permits("import")
def post_cancel(request: HttpRequest, import_id: Path[uuid.UUID]) -> Any:
    """It stops after its current batch; what was written stays. 409 once it is over."""
    actor = actor_of(request)
    transfer = _find(actor, import_id, lock=True)
    if not upload.cancel(transfer):
        raise Conflict("already_over", f"This import is {transfer.state} already.")
    audit.record(
        workspace=actor.workspace, action="import.cancelled", target=transfer, request=request
    )
    transfer.refresh_from_db()
    return import_out(transfer)


def _find(actor: Actor, import_id: uuid.UUID, *, lock: bool = False) -> Transfer:
    found = Transfer.objects.in_workspace(actor.workspace)
    found = found.select_for_update(of=("self",)) if lock else found
    transfer: Transfer | None = (
        found.select_related("project", "workspace").filter(pk=import_id).first()
    )
    if transfer is None:
        raise NotFound("import")
    return transfer


def import_out(transfer: Transfer) -> ImportOut:
    return ImportOut(
        id=str(transfer.pk),
        kind=transfer.kind,
        state=transfer.state,
        name=transfer.name,
        project=transfer.project.slug if transfer.project else None,
        received=receiving.received(transfer),
        size=int(transfer.options.get("size") or 0),
        done_rows=transfer.done_rows,
        total_rows=transfer.total_rows,
        error=transfer.error,
        report=transfer.report or None,
        created_at=transfer.created_at,
        finished_at=transfer.finished_at,
        url=absolute(reverse("frames:import", args=[transfer.workspace.slug, transfer.pk])),
    )
