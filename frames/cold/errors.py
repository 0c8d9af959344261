"""What is said where an object cannot be read."""

from __future__ import annotations

from stackmemory.lib.blobs import Lost
from stackmemory.lib.refusal import Refusal


class ColdLost(Lost):
    """Events that left the table cannot be read; no shorter timeline stands in for them silently."""

    def __init__(self, name: str, period: str, problem: str) -> None:
        self.name = name
        Refusal.__init__(
            self,
            "cold_storage_lost",
            f"Events of {period} are in cold storage, and the object {name} {problem}."
            " Put it back from a backup of the object store.",
        )
