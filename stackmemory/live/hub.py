"""One hub a process: it hears news once and hands it to every stream that may have it.

It lives in the process's event loop and holds no connection but the listener's. Whatever may have
been missed is read from rows, once for each workspace that has readers here.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import uuid
from collections import Counter, deque
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from django.db import connection

from stackmemory.lib.closing import before_stopping
from stackmemory.lib.listen import Listener, listener
from workspaces import news
from workspaces.news import Message

logger = logging.getLogger(__name__)
# What one reader has not taken yet; who falls behind further reads rows instead.
MOST_WAITING = 1_000
PAGE = 500
T = TypeVar("T")


class Reader:
    """One stream: what it wants, what waits for it, and up to where it has been told."""

    def __init__(self, workspace: uuid.UUID, wants: Callable[[Message], bool]) -> None:
        self.workspace, self.wants = workspace, wants
        self.position = 0
        # More was told than it could take: it has to read on from its position.
        self.behind = False
        # Somebody's rights have changed: look whether it may still read.
        self.doubted = False
        self.closing = False
        self._waiting: deque[Message] = deque()
        self._woken = asyncio.Event()

    def hear(self, message: Message) -> None:
        if message.kind == news.ACCESS:
            self.doubted = True
        elif len(self._waiting) >= MOST_WAITING:
            self._waiting.clear()
            self.behind = True
        elif not self.behind and self.wants(message):
            self._waiting.append(message)
        else:
            return
        self._woken.set()

    def close(self) -> None:
        self.closing = True
        self._woken.set()

    async def wait(self, seconds: float) -> bool:
        """Until there is something to do; False when the time passed first."""
        try:
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        except TimeoutError:
            return False
        self._woken.clear()
        return True

    def take(self) -> list[Message]:
        """What waits and was not told yet."""
        fresh = []
        while self._waiting:
            message = self._waiting.popleft()
            if message.position > self.position:
                self.position = message.position
                fresh.append(message)
        return fresh

    async def read_on(self) -> list[Message]:
        """The next rows after its position; from the last page on it is no longer behind."""
        # From here on what is heard waits again, so that nothing falls between.
        self.behind = False
        rows = await in_thread(news.since, self.workspace, self.position, most=PAGE)
        if rows:
            self.position = rows[-1].position
        if len(rows) == PAGE:
            self._waiting.clear()
            self.behind = True
        return [message for message in rows if message.kind != news.ACCESS and self.wants(message)]


class Room:
    """The readers of one workspace, and up to where they have been told."""

    def __init__(self) -> None:
        self.readers: set[Reader] = set()
        self.position = 0
        self.began = asyncio.Event()

    def tell(self, message: Message) -> None:
        self.position = max(self.position, message.position)
        for reader in self.readers:
            reader.hear(message)


class Hub:
    def __init__(self) -> None:
        self.rooms: dict[uuid.UUID, Room] = {}
        self.listener: Listener | None = None
        self.closing = False
        self.people: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def streams(self) -> int:
        return sum(len(room.readers) for room in self.rooms.values())

    @property
    def connected(self) -> bool:
        return self.listener is not None and self.listener.connected

    def admit(self, who: str, most: int) -> bool:
        """Count one more stream of a key or person; False when there are `most` already."""
        with self._lock:
            if self.people[who] >= most:
                return False
            self.people[who] += 1
            return True

    def let_go(self, who: str) -> None:
        with self._lock:
            self.people[who] -= 1
            if self.people[who] <= 0:
                del self.people[who]

    async def join(self, reader: Reader) -> None:
        """From here on the reader hears what is told in its workspace."""
        self.listen()
        room = self.rooms.get(reader.workspace)
        if room is None:
            room = self.rooms[reader.workspace] = Room()
            room.readers.add(reader)
            try:
                last = await in_thread(news.latest, reader.workspace)
            except BaseException:
                self.leave(reader)
                raise
            room.position = max(room.position, last)
            room.began.set()
        room.readers.add(reader)
        await room.began.wait()

    def leave(self, reader: Reader) -> None:
        room = self.rooms.get(reader.workspace)
        if room is not None:
            room.readers.discard(reader)
            if not room.readers:
                room.began.set()  # nobody is left to wait in vain
                del self.rooms[reader.workspace]

    def close(self) -> None:
        """End every stream: the process stops, and readers reconnect to another."""
        self.closing = True
        for room in self.rooms.values():
            for reader in room.readers:
                reader.close()

    def listen(self) -> None:
        """See to it that somebody listens, in the loop we are in."""
        loop = asyncio.get_running_loop()
        if self._task is None or self._task.done() or self._loop is not loop:
            self._loop = loop
            self.listener = listener(news.CHANNEL, self._heard, self._catch_up)
            self._task = loop.create_task(self.listener.run(), name="stackmemory listener")
            self._task.add_done_callback(_say_why)

    def _heard(self, payload: str) -> None:
        try:
            message = Message.parse(payload)
        except (ValueError, KeyError, TypeError):
            logger.warning("A notification of another kind was heard: %.100s", payload)
            return
        if room := self.rooms.get(message.workspace):
            room.tell(message)

    async def _catch_up(self) -> None:
        """Tell every room what it may have missed."""
        for workspace, room in list(self.rooms.items()):
            await room.began.wait()
            while room.readers:
                rows = await in_thread(news.since, workspace, room.position, most=PAGE)
                for message in rows:
                    room.tell(message)
                if len(rows) < PAGE:
                    break


def _say_why(task: asyncio.Task[None]) -> None:
    # A fault of ours: whatever the database does, the listener goes on. The next beat starts it anew.
    if not task.cancelled() and (problem := task.exception()):
        logger.error("The listener has ended", exc_info=problem)


async def in_thread(work: Callable[..., T], *arguments: Any, **named: Any) -> T:
    """Run what asks the database in a thread, and keep no connection for it."""

    def run() -> T:
        try:
            return work(*arguments, **named)
        finally:
            connection.close()

    return await asyncio.get_running_loop().run_in_executor(None, partial(run))


hub = Hub()
before_stopping.append(hub.close)
