"""The ASGI application: `gunicorn -k asgi stackmemory.asgi`."""

from __future__ import annotations

import gc
import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import django
from asgiref.sync import ThreadSensitiveContext, sync_to_async
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.base import BaseHandler
from django.http import FileResponse, HttpRequest
from django.http.response import HttpResponseBase
from django.urls import get_resolver

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "stackmemory.settings")
THREADS = int(os.environ.get("WEB_THREADS", "8"))


class Seat:
    """A thread that serves the requests given to it one after the other."""

    def __init__(self) -> None:
        self.executor = ThreadPoolExecutor(max_workers=1)
        self.taken = 0


class SeatedHandler(ASGIHandler):
    """Serves requests on a few threads that live on, each with its connection to the database.

    Django's own starts a thread for each request, and connections belong to threads: each request
    would open one, and a hundred at once a hundred. A stream that waits takes none of a seat's time.

    Middleware and views, which are all plain functions, run there in one go: Django's own would go
    back to the event loop and return for each that could be async.
    """

    def __init__(self, seats: int) -> None:
        BaseHandler.__init__(self)  # without the middleware that ASGIHandler would load
        self.load_middleware(is_async=False)
        self.seats = [Seat() for _ in range(seats)]

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        seat = min(self.seats, key=lambda each: each.taken)
        seat.taken += 1
        try:
            async with ThreadSensitiveContext(executor=seat.executor):
                await super().__call__(scope, receive, send)
        finally:
            seat.taken -= 1

    async def run_get_response(self, request: HttpRequest) -> HttpResponseBase:
        response = await sync_to_async(self.get_response)(request)
        response._handler_class = self.__class__  # type: ignore[attr-defined]
        if isinstance(response, FileResponse):
            response.block_size = self.chunk_size
        return response


django.setup(set_prefix=False)
application = SeatedHandler(THREADS)
# What every request needs is there before the first; and what stays for good is not gone through
# again at each collection of garbage: that stopped all requests for a tenth of a second or more.
_ = get_resolver().url_patterns
gc.collect()
gc.freeze()
