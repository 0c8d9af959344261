"""What a web process does when it is asked to stop, before it waits for open requests to end."""

from __future__ import annotations

from collections.abc import Callable

# Called in the process's event loop.
before_stopping: list[Callable[[], None]] = []
