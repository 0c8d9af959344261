"""What the clusters of tests and benchmarks run; the outside sees it by files."""

from __future__ import annotations

import os
import time
from pathlib import Path


def nothing(*ids: str) -> None:
    """A job that costs as little as a job can."""


def note(path: str, word: str) -> None:
    with Path(path).open("a") as file:
        file.write(f"{word}\n")


def note_time(path: str, asked: str) -> None:
    """How long ago, in seconds, this was asked for."""
    note(path, str(time.time() - float(asked)))


def outlive(path: str) -> None:
    """The first time: say who runs it, and never end. The second time: end."""
    again = Path(path).exists()
    note(path, str(os.getpid()))
    if not again:
        time.sleep(600)
