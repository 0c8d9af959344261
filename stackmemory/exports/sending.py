"""Sending a file of any size, a piece at a time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator
from pathlib import Path

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, StreamingHttpResponse
from django.utils.http import content_disposition_header

PIECE = 1 << 18


def send(
    request: HttpRequest, pieces: Iterable[bytes], *, name: str, kind: str, size: int | None = None
) -> StreamingHttpResponse:
    """The answer that gives the pieces as a file to keep.

    Under ASGI Django would first collect an ordinary iterator whole; so there it gets another.
    """
    source = iter(pieces)
    content = _awaited(source) if isinstance(request, ASGIRequest) else source
    response = StreamingHttpResponse(content, content_type=kind)
    response["Content-Disposition"] = content_disposition_header(True, name) or "attachment"
    response["X-Content-Type-Options"] = "nosniff"
    response["Cache-Control"] = "no-store"
    if size is not None:
        response["Content-Length"] = str(size)
    return response


def pieces_of(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            yield piece


async def _awaited(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    while piece := await sync_to_async(lambda: next(pieces, b""))():
        yield piece
