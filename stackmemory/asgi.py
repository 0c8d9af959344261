"""The ASGI application: `gunicorn -k asgi stackmemory.asgi`."""

from __future__ import annotations

import asyncio
import gc
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import IO, Any

import django
from asgiref.sync import ThreadSensitiveContext
from django.core.exceptions import RequestAborted
from django.core.handlers.asgi import ASGIHandler, get_script_prefix
from django.core.handlers.base import BaseHandler
from django.core.signals import request_started
from django.http import FileResponse
from django.http.response import HttpResponseBase
from django.urls import get_resolver, set_script_prefix

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "stackmemory.settings")
THREADS = int(os.environ.get("WEB_THREADS", "8"))


class Seat:
    """A thread that serves the requests given to it one after the other."""

    def __init__(self) -> None:
        self.executor = ThreadPoolExecutor(max_workers=1)
        self.taken = 0

    async def run(self, work: Callable[..., Any], *given: Any) -> Any:
        """Do it there, in a copy of the context we are in."""
        loop, context = asyncio.get_running_loop(), copy_context()
        return await loop.run_in_executor(self.executor, context.run, work, *given)


class SeatedHandler(ASGIHandler):
    """Serves requests on a few threads that live on, each with its connection to the database.

    Django's own starts a thread for each request, and connections belong to threads: each request
    would open one, and a hundred at once a hundred. It also goes between the event loop and that
    thread for each signal and for each middleware that could be async. Here a request goes there
    once, with its body, and comes back answered. A stream is then sent by the event loop and takes
    none of a seat's time.
    """

    def __init__(self, seats: int) -> None:
        BaseHandler.__init__(self)  # without the middleware that ASGIHandler would load
        self.load_middleware(is_async=False)
        self.seats = [Seat() for _ in range(seats)]

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            raise ValueError(f"Only HTTP is served here, not {scope['type']}.")
        try:
            body = await self.read_body(receive)
        except RequestAborted:
            return
        seat = min(self.seats, key=lambda each: each.taken)
        seat.taken += 1
        try:
            response = await seat.run(self.answer, scope, body)
            if response.streaming:
                async with ThreadSensitiveContext(executor=seat.executor):
                    await self.stream(response, seat, receive, send)
            else:
                await self.send_response(response, send)
        finally:
            seat.taken -= 1

    def answer(self, scope: Any, body: IO[bytes]) -> Any:
        """From request to response; on a seat. What is no stream is ended with it."""
        set_script_prefix(get_script_prefix(scope))
        request_started.send(sender=self.__class__, scope=scope)
        request, refusal = self.create_request(scope, body)
        response: Any = refusal if request is None else self.get_response(request)
        response._handler_class = self.__class__
        response._resource_closers.append(body.close)
        if isinstance(response, FileResponse):
            response.block_size = self.chunk_size
        if not response.streaming:
            response.close()
        return response

    async def stream(self, response: HttpResponseBase, seat: Seat, receive: Any, send: Any) -> None:
        """Send it until it ends or its reader goes."""
        tasks = [
            asyncio.create_task(self.send_response(response, send)),
            asyncio.create_task(receive()),
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if tasks[0].done():
                tasks[0].result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            await seat.run(response.close)


django.setup(set_prefix=False)
application = SeatedHandler(THREADS)
# What every request needs is there before the first; and what stays for good is not gone through
# again at each collection of garbage: that stopped all requests for a tenth of a second or more.
_ = get_resolver().url_patterns
gc.collect()
gc.freeze()
