"""Archives brought in by programs: announced with size and digest, sent in pieces, then taken."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from django.http import HttpRequest
from ninja import Path, Query, Router
from pydantic import Field

from stackmemory.arrivals import arriving
from stackmemory.arrivals.arriving import MOST_PIECE
from stackmemory.arrivals.progress import told
from stackmemory.lib.contract import In, Listed, Out, Paging, Word, actor_of, page
from stackmemory.lib.operations import permits
from stackmemory.lib.refusal import Conflict, Forbidden, NotFound
from stackmemory.models import ArchiveImport
from workspaces.models import User

router = Router(tags=["Archives"])
MOST_SIZE = 2**53


class NewArchive(In):
    name: Word = Field(description="What to call it.")
    slug: str = Field(
        "",
        max_length=50,
        description="The address of the new workspace; empty for the archive’s own.",
    )
    size: int = Field(gt=0, le=MOST_SIZE, strict=True, description="Of the file, in bytes.")
    sha256: str = Field(pattern="^[0-9a-f]{64}$", description="Of the file, in hex.")


class ArchiveOut(Out):
    id: str
    state: str = Field(description="receiving, waiting, running, done, failed or cancelled.")
    name: str
    workspace: str | None = Field(description="Slug of the new workspace, once it is there.")
    received: int = Field(description="Bytes that have arrived: send those from there on.")
    size: int
    phase: str = Field(description="checking or writing, while it runs.")
    done_rows: int
    total_rows: int
    error: str = Field(description="Why it was refused.")
    report: dict[str, Any] = Field(
        description="What is in it; and who was a member, to be invited."
    )
    created_at: datetime
    finished_at: datetime | None


CONTENT: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": f"the next bytes of the file, at most {MOST_PIECE >> 20} MB.",
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


@router.get("/archives", response=Listed[ArchiveOut], summary="List archives")
@permits("import")
def list_archives(request: HttpRequest, paging: Query[Paging]) -> Any:
    """Those that the key’s person brought, the newest first."""
    return page(paging, arriving.arrivals_of(_person(request)), ("-id",), archive_out)


@router.post(
    "/archives", response={201: ArchiveOut}, summary="Announce an archive",
    operation_id="announce_archive",
)  # fmt: skip
@permits("import")
def post_archive(request: HttpRequest, body: NewArchive) -> Any:
    """A workspace is made of it, which the key’s person owns. Say what will be sent, then send it;
    the same announced again goes on where it stopped."""
    arrival = arriving.announce(
        user=_person(request), name=body.name, slug=body.slug, size=body.size, sha256=body.sha256
    )
    return 201, archive_out(arrival)


@router.get("/archives/{archive_id}", response=ArchiveOut, summary="Get an archive")
@permits("import")
def get_archive(request: HttpRequest, archive_id: Path[uuid.UUID]) -> Any:
    """How far it is, and at the end what came of it."""
    return archive_out(_find(request, archive_id))


@router.put(
    "/archives/{archive_id}/content", response=ArchiveOut, summary="Send a piece of an archive",
    operation_id="send_archive_piece", openapi_extra=CONTENT,
)  # fmt: skip
@permits("import", once=False, most_bytes=MOST_PIECE)
def put_archive_content(
    request: HttpRequest,
    archive_id: Path[uuid.UUID],
    offset: int = Query(
        0, ge=0, le=MOST_SIZE, description="Where the piece begins: what `received` says."
    ),
) -> Any:
    """Pieces are taken in order; 409 where one does not belong. With the last one it is taken, if
    the whole has the digest that was announced."""
    arrival = _find(request, archive_id, lock=True)
    arriving.take_piece(arrival, offset=offset, piece=request.body)
    arrival.refresh_from_db()
    return archive_out(arrival)


@router.post("/archives/{archive_id}/cancel", response=ArchiveOut, summary="Cancel an archive")
@permits("import")
def post_archive_cancel(request: HttpRequest, archive_id: Path[uuid.UUID]) -> Any:
    """It stops, soon if it is being taken, and nothing of it is kept. 409 once it is over."""
    arrival = _find(request, archive_id)
    if not arriving.cancel(arrival):
        raise Conflict("already_over", f"This archive is {arrival.state} already.")
    arrival.refresh_from_db()
    return archive_out(arrival)


def _person(request: HttpRequest) -> User:
    user: User | None = actor_of(request).user
    if user is None:
        raise Forbidden("forbidden", "This key belongs to nobody, who could own a workspace.")
    return user


def _find(request: HttpRequest, archive_id: uuid.UUID, *, lock: bool = False) -> ArchiveImport:
    mine = arriving.arrivals_of(_person(request))
    arrival = (mine.select_for_update() if lock else mine).filter(pk=archive_id).first()
    if arrival is None:
        raise NotFound("archive")
    return arrival


def archive_out(arrival: ArchiveImport) -> ArchiveOut:
    running = arrival.state == ArchiveImport.State.RUNNING
    now = told(arrival) if running else {}
    return ArchiveOut(
        id=str(arrival.pk),
        state=arrival.state,
        name=arrival.name,
        workspace=arrival.slug if arrival.state == ArchiveImport.State.DONE else None,
        received=arriving.received(arrival),
        size=arrival.size,
        phase=now.get("phase", ""),
        done_rows=now.get("done", 0),
        total_rows=now.get("total", 0),
        error=arrival.error,
        report=arrival.report,
        created_at=arrival.created_at,
        finished_at=arrival.finished_at,
    )
