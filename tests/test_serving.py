"""How the web process serves: a few threads that live on, whatever comes at once."""

from __future__ import annotations

import asyncio
import json
import threading
import time

from django.http import HttpRequest, JsonResponse
from django.urls import path

from stackmemory.asgi import SeatedHandler


def where(request: HttpRequest) -> JsonResponse:
    time.sleep(0.001)
    return JsonResponse({"thread": threading.get_ident()})


where.login_required = False  # type: ignore[attr-defined]
urlpatterns = [path("where", where)]


async def ask(handler: SeatedHandler) -> int:
    """The thread that a request to /where was served by."""
    sent: list[dict] = []
    incoming = iter([{"type": "http.request", "body": b"", "more_body": False}])

    async def receive() -> dict:
        for message in incoming:
            return message
        return await asyncio.Future()  # stays connected

    async def send(message: dict) -> None:
        sent.append(message)

    scope = {
        "type": "http", "method": "GET", "path": "/where", "query_string": b"", "headers": [
            (b"host", b"localhost"),
        ],
    }  # fmt: skip
    await handler(scope, receive, send)
    assert sent[0]["status"] == 200, sent
    return int(json.loads(sent[1]["body"])["thread"])


def test_requests_share_a_few_threads(settings):
    settings.ROOT_URLCONF = __name__

    async def many() -> list[list[int]]:
        handler = SeatedHandler(3)
        return [await asyncio.gather(*[ask(handler) for _ in range(12)]) for _ in range(2)]

    at_once, later = asyncio.run(many())
    assert len(set(at_once)) == 3, "no thread for each request, and not one for all"
    assert set(later) == set(at_once), "they live on, and their connections with them"
    assert max(at_once.count(thread) for thread in at_once) == 4, "evenly"
