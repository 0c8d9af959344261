"""Two at a time: a thread takes the next item, or deals with the last one, while we do the other."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
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


@contextmanager
def behind(deal: Callable[[T], None], *, most: int = 4) -> Iterator[Callable[[T], None]]:
    """`give(item)` leaves items to a thread that deals with them in their order; `most` may wait.

    For work that lets go of the interpreter (packing, hashing) and asks no database. What it raises
    is raised by the next give(), or at the end of the block; after that nothing is dealt with.
    """
    queue: Queue[tuple[bool, T | None]] = Queue(maxsize=most)
    problems: list[BaseException] = []

    def work() -> None:
        while True:
            more, item = queue.get()
            if not more:
                return
            if not problems:
                try:
                    deal(item)  # type: ignore[arg-type]
                except BaseException as problem:
                    problems.append(problem)

    def give(item: T) -> None:
        if problems:
            raise problems[0]
        queue.put((True, item))

    thread = threading.Thread(target=work, name="behind", daemon=True)
    thread.start()
    try:
        yield give
    except BaseException:
        problems.append(RuntimeError("given up"))  # what waits is not worth dealing with
        raise
    finally:
        queue.put((False, None))
        thread.join()
    if problems:
        raise problems[0]
