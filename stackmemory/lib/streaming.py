"""Streaming an answer that is made row by row, without holding it in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator
from itertools import islice

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest

CHUNK = 500


def streamed(request: HttpRequest, lines: Iterable[str]) -> Iterator[bytes] | AsyncIterator[bytes]:
    """The content of a StreamingHttpResponse for `lines`, sent in chunks.

    Under ASGI Django would first collect a synchronous iterator whole; an asynchronous one that
    fetches each chunk in a thread is passed on as it comes.
    """
    chunks = _chunks(iter(lines))
    return _awaited(chunks) if isinstance(request, ASGIRequest) else chunks


def _chunks(lines: Iterator[str]) -> Iterator[bytes]:
    while chunk := "".join(islice(lines, CHUNK)):
        yield chunk.encode()


async def _awaited(chunks: Iterator[bytes]) -> AsyncIterator[bytes]:
    while chunk := await sync_to_async(lambda: next(chunks, b""))():
        yield chunk
