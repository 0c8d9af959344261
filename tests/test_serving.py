"""How the web processes serve: a few threads that live on, and connections shared evenly."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from functools import partial

from django.http import HttpRequest, JsonResponse
from django.urls import path

from stackmemory.asgi import SeatedHandler
from stackmemory.lib.even import EvenWorker


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


class Counting(asyncio.Protocol):
    """What gunicorn's protocol does with the number of connections, and no more."""

    def __init__(self, worker: EvenWorker) -> None:
        self.worker = worker

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.worker.nr_conns += 1

    def connection_lost(self, problem: Exception | None) -> None:
        self.worker.nr_conns -= 1


def test_processes_share_connections_evenly():
    async def play() -> list[list[int]]:
        loop, sock = asyncio.get_running_loop(), socket.create_server(("127.0.0.1", 0))
        workers: list[EvenWorker] = []
        for _ in range(3):
            worker = EvenWorker.__new__(EvenWorker)
            worker.loop = loop
            worker.seat(workers)
            workers.append(worker)
        create_server, servers = loop.create_server, []
        for worker in workers:
            worker.begin()
            create, loop.create_server = loop.create_server, create_server
            servers.append(await create(partial(Counting, worker), sock=sock.dup()))

        async def connect(number: int) -> list[asyncio.StreamWriter]:
            opened = [asyncio.open_connection(*sock.getsockname()) for _ in range(number)]
            writers = [writer for _, writer in await asyncio.gather(*opened)]
            while sum(worker.nr_conns for worker in workers) < number:
                await asyncio.sleep(0.001)
            return writers

        async def disconnect(writers: list[asyncio.StreamWriter]) -> None:
            for writer in writers:
                writer.close()
            while any(worker.nr_conns for worker in workers):
                await asyncio.sleep(0.001)

        seen = []
        writers = await connect(12)
        seen.append([worker.nr_conns for worker in workers])
        await disconnect(writers)
        workers[1].leave()
        servers[1].close()
        writers = await connect(6)
        seen.append([worker.nr_conns for worker in workers])
        await disconnect(writers)
        for server in servers:
            server.close()
        sock.close()
        for worker in workers:
            worker.leave()
        return seen

    assert asyncio.run(play()) == [[4, 4, 4], [3, 0, 3]]


def test_one_that_hangs_keeps_nobody_waiting_for_long():
    """It has fewer connections, and takes none: after a moment the other takes them all."""

    async def play() -> int:
        loop, sock = asyncio.get_running_loop(), socket.create_server(("127.0.0.1", 0))
        hanging, working = (EvenWorker.__new__(EvenWorker) for _ in range(2))
        hanging.seat([])
        working.seat([hanging])
        hanging.loop = working.loop = loop
        create_server = loop.create_server
        hanging.begin()
        loop.create_server = create_server
        working.begin()
        server = await loop.create_server(partial(Counting, working), sock=sock.dup())
        opened = [await asyncio.open_connection(*sock.getsockname()) for _ in range(3)]
        while working.nr_conns < 3:
            await asyncio.sleep(0.001)
        taken = working.nr_conns
        for _, writer in opened:
            writer.close()
        server.close()
        sock.close()
        hanging.leave()
        working.leave()
        return taken

    assert asyncio.run(asyncio.wait_for(play(), 20)) == 3
