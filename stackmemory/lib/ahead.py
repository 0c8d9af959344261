"""Working ahead: a thread takes the next item while the last one is dealt with."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator
from contextlib import suppress
from queue import Empty, Full, Queue
from typing import TypeVar

T = TypeVar("T")


def ahead(items: Iterator[T]) -> Generator[T, None, None]:
    """The same items; at most one is taken before it is asked for, and one waits.

    Worth it where taking is work for the processor and dealing with an item is waiting (for a
    database). `items` runs in another thread and must not use the database connection. What it
    raises is raised here; closing this generator ends the thread.
    """
    queue: Queue[tuple[bool, T | BaseException | None]] = Queue(maxsize=1)
    stop = threading.Event()

    def put(more: bool, what: T | BaseException | None) -> None:
        while not stop.is_set():
            with suppress(Full):
                queue.put((more, what), timeout=0.1)
                return

    def work() -> None:
        try:
            for item in items:
                put(True, item)
                if stop.is_set():
                    return
            put(False, None)
        except BaseException as problem:
            put(False, problem)

    thread = threading.Thread(target=work, name="ahead", daemon=True)
    thread.start()
    try:
        while True:
            more, what = queue.get()
            if not more:
                if isinstance(what, BaseException):
                    raise what
                return
            yield what  # type: ignore[misc]
    finally:
        stop.set()
        with suppress(Empty):
            queue.get_nowait()
        thread.join()
