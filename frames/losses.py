"""What an export goes on without, since the object store has lost it.

Where one thing is lost the rest has to be had all the same: of a large payload the preview stands in the
row, of a month in cold storage nothing does. Which objects those were, the export says.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from frames.models import Event
from stackmemory.lib.blobs import Lost

T = TypeVar("T")
SAID = "objects that the object store has lost"


class Losses:
    def __init__(self) -> None:
        self.names: dict[str, str] = {}  # of an object → what is wrong with it

    def note(self, lost: Lost) -> None:
        self.names[lost.name] = lost.message

    def whole(self, event: Event) -> Event:
        """The event with all its payload in place, or its preview where the rest is lost."""
        event.payload = self.of(lambda: event.text, event.payload)
        event.stored_digest = event.stored_octets = None
        return event

    def of(self, read: Callable[[], T], instead: T) -> T:
        try:
            return read()
        except Lost as lost:
            self.note(lost)
            return instead

    def told(self) -> list[str]:
        return sorted(self.names)
