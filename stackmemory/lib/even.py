"""A gunicorn worker that takes its fair share of connections, and leaves the others theirs.

All processes listen on one socket, and whoever is awake takes what comes. A client that keeps its
connection keeps its process, so four clients of an otherwise idle server often shared one process
while the other had nothing to do. Here each process says how many connections it has in memory
that all share, and one that has more than another waits a moment before it takes the next.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable, Iterable
from multiprocessing.sharedctypes import RawArray
from typing import Any

from gunicorn.workers.gasgi import ASGIWorker  # type: ignore[import-untyped]

# Processes of one server, at most; those beyond take what comes.
MOST = 256
NOBODY = -1
# How long the others have to take a connection that waits; a process that hangs costs so much.
PATIENCE = 0.005
# Connections that the system holds until a process takes them.
WAITING = 2048
# Without file descriptors none can be taken; asked again after this long.
PAUSE = 1.0

# Connections of each process; made before they are forked.
_open = RawArray("i", [NOBODY] * MOST)
log = logging.getLogger("gunicorn.error")


class EvenWorker(ASGIWorker):  # type: ignore[misc]
    """Says in `_open` how many connections it has."""

    place: int | None = None
    _connections = 0

    @property
    def nr_conns(self) -> int:
        return self._connections

    @nr_conns.setter
    def nr_conns(self, number: int) -> None:
        self._connections = number
        if self.place is not None and _open[self.place] != NOBODY:
            _open[self.place] = number

    def seat(self, others: Iterable[Any]) -> None:
        """Before it is forked: a place that no other process has."""
        taken = {getattr(other, "place", None) for other in others}
        self.place = next((n for n in range(MOST) if n not in taken), None)

    def begin(self) -> None:
        """From now on it takes connections, one at a time."""
        if self.place is not None:
            _open[self.place] = self._connections
        self.loop.create_server = self.listening(self.loop.create_server)

    def leave(self) -> None:
        """Nobody waits for it any more."""
        if self.place is not None:
            _open[self.place] = NOBODY

    def is_ahead(self) -> bool:
        return any(NOBODY < number < self._connections for number in _open)

    def listening(self, create_server: Callable[..., Any]) -> Callable[..., Any]:
        """create_server, for a loop that accepts as above."""

        async def create(factory: Any, *, sock: socket.socket, **named: Any) -> Any:
            server = await create_server(factory, sock=sock, **named | {"start_serving": False})
            sock.listen(WAITING)
            Door(self, factory, sock, named.get("ssl")).open()
            return server

        return create


class Door:
    """Where connections come in. Closing the socket closes it."""

    def __init__(self, worker: EvenWorker, factory: Any, sock: socket.socket, ssl: Any) -> None:
        self.worker, self.factory, self.sock, self.ssl = worker, factory, sock, ssl
        self.loop: asyncio.AbstractEventLoop = worker.loop
        self.coming: set[asyncio.Task[Any]] = set()

    def open(self) -> None:
        if self.sock.fileno() >= 0:
            self.loop.add_reader(self.sock, self._knocked)

    def _knocked(self) -> None:
        if self.worker.is_ahead():
            self._shut_for(PATIENCE)
        else:
            self._let_in()

    def _shut_for(self, seconds: float) -> None:
        self.loop.remove_reader(self.sock)
        self.loop.call_later(seconds, self._look_again)

    def _look_again(self) -> None:
        if self.sock.fileno() >= 0:
            self.open()
            self._let_in()  # whoever still waits has waited long enough

    def _let_in(self) -> None:
        try:
            connection, _ = self.sock.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return  # another process was quicker, or the client is gone
        except OSError as problem:
            log.error("No connection can be taken: %s", problem)
            self._shut_for(PAUSE)
            return
        connection.setblocking(False)
        serving = self.loop.connect_accepted_socket(self.factory, connection, ssl=self.ssl)
        task = self.loop.create_task(serving)
        self.coming.add(task)
        task.add_done_callback(self.coming.discard)
