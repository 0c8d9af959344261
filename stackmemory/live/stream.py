"""A stream of server-sent events: what a reader missed, then what happens, until it is over.

No connection to the database and no scope is held while it is open.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import AsyncIterator, Iterable
from http import HTTPStatus

from asgiref.sync import sync_to_async
from django.conf import settings
from django.core.handlers.asgi import ASGIRequest
from django.db import connection
from django.db.utils import Error
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

from stackmemory.lib import measures
from stackmemory.lib.refusal import Refusal
from stackmemory.live.hub import Reader, hub, in_thread
from stackmemory.live.passes import Pass, still_holds
from workspaces import news
from workspaces.news import Message

logger = logging.getLogger(__name__)
# Proxies close what is silent, many of them after 30 or 60 seconds.
HEARTBEAT = 15.0
# Keys expire and logins end without anybody telling.
RECHECK = 60.0
# After a break a reader comes back so soon.
RETRY_MS = 1500
HEADERS = {
    "Cache-Control": "no-cache, no-transform",
    "X-Accel-Buffering": "no",  # nginx would hold it back
}


class TooManyStreams(Refusal):
    status = 429
    retry_after = 30

    def __init__(self) -> None:
        super().__init__(
            "too_many_streams",
            f"At most {settings.LIVE_STREAMS} streams may be open at once. Close one, or share it.",
        )


def position_of(request: HttpRequest) -> int | None:
    """After which message the reader goes on: `Last-Event-ID`, or ?since= where headers cannot be set.

    Raises Refusal for what is no id of a message.
    """
    text = request.headers.get("Last-Event-ID") or request.GET.get("since") or ""
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) < 19):
        raise Refusal(
            "invalid", "This is no id of a message; send the last one you got.", field="since"
        )
    return int(text)


def stream(request: HttpRequest, given: Pass) -> HttpResponseBase:
    """The response. Raises Refusal for a wrong position or too many streams.

    A server that can only answer at once (WSGI) says 204, after which a browser asks no more.
    """
    position = position_of(request)
    if not isinstance(request, ASGIRequest):
        return HttpResponse(status=HTTPStatus.NO_CONTENT)
    if not hub.admit(given.holder, settings.LIVE_STREAMS):
        raise TooManyStreams
    return _Response(
        _lines(given, position), given, content_type="text/event-stream", headers=HEADERS
    )


class _Response(StreamingHttpResponse):
    """Gives its place back however it ends, also before its first line was asked for."""

    def __init__(self, lines: AsyncIterator[bytes], given: Pass, **options: object) -> None:
        super().__init__(lines, **options)
        self._given: Pass | None = given

    def close(self) -> None:
        if self._given is not None:
            hub.let_go(self._given.holder)
            self._given = None
        super().close()


async def _lines(given: Pass, position: int | None) -> AsyncIterator[bytes]:
    # The request's own connection, which nobody needs while the stream is open.
    await sync_to_async(_let_go_of_connection)()
    yield f"retry: {RETRY_MS}\n\n".encode()
    if hub.closing:
        return
    reader = Reader(given.workspace, given.admits)
    measures.streams.inc()
    try:
        await hub.join(reader)
        async for chunk in _told(reader, given, position):
            yield chunk
    except Error:
        # Whoever comes back reads from rows what they missed.
        logger.warning("A stream ends because the database does not answer", exc_info=True)
        yield event("bye", {"reason": "busy"})
    finally:
        measures.streams.dec()
        hub.leave(reader)


def _let_go_of_connection() -> None:
    connection.close()  # that of the thread we are called in


async def _told(reader: Reader, given: Pass, position: int | None) -> AsyncIterator[bytes]:
    room = hub.rooms[reader.workspace]
    if position is not None and news.is_kept(position):
        reader.position, reader.behind = position, True
        yield event("ready", {}, reader.position)
    else:
        reader.position = room.position
        # Too long ago to tell what happened since: look at everything anew.
        yield event("ready" if position is None else "reset", {}, reader.position)
    checked = time.monotonic()
    while not reader.closing:
        reader.doubted = reader.doubted or time.monotonic() - checked > RECHECK
        if reader.doubted:
            reader.doubted, checked = False, time.monotonic()
            if not await in_thread(still_holds, given):
                yield event("ended", {"reason": "access"})
                return
            continue
        if reader.behind:
            yield written(await reader.read_on())
            continue
        if fresh := reader.take():
            measures.delivered.inc(len(fresh))
            yield written(fresh)
        elif not await reader.wait(HEARTBEAT):
            hub.listen()
            yield event("beat", {}, reader.position)
    yield event("bye", {"reason": "restart"})


def written(messages: Iterable[Message]) -> bytes:
    return "".join(f"id: {m.position}\ndata: {m.for_readers()}\n\n" for m in messages).encode()


def event(name: str, data: dict[str, object], position: int | None = None) -> bytes:
    number = f"id: {position}\n" if position is not None else ""
    return f"event: {name}\n{number}data: {json.dumps(data)}\n\n".encode()
