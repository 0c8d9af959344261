"""How far the taking of an archive is, and whether it is to stop: told by files beside it.

A row could not tell: what a transaction wrote nobody sees before it ends, and on SQLite nobody else
can write meanwhile.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from django.conf import settings

from stackmemory.models import ArchiveImport

TOLD, STOP, ARCHIVE = "progress.json", "stop", "archive.zip"


class Stopped(Exception):
    """Somebody asked for that."""


def folder_of(arrival: ArchiveImport) -> Path:
    return Path(settings.MEDIA_ROOT) / "archives" / str(arrival.pk)


class Pulse:
    """Called with (phase, rows done, rows in all); writes it down once a second."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.at = folder, 0.0

    def __call__(self, phase: str, done: int, total: int) -> None:
        if time.monotonic() - self.at < 1:
            return
        self.at = time.monotonic()
        if (self.folder / STOP).exists():
            raise Stopped
        told = self.folder / f".{TOLD}"
        told.write_text(json.dumps({"phase": phase, "done": done, "total": total}))
        told.replace(self.folder / TOLD)


def told(arrival: ArchiveImport) -> dict[str, Any]:
    """{"phase", "done", "total"}, as last written down; empty before that."""
    try:
        found: dict[str, Any] = json.loads((folder_of(arrival) / TOLD).read_text())
    except (OSError, ValueError):
        return {}
    return found


def heard_of(arrival: ArchiveImport) -> float:
    """When it last said anything, in seconds since 1970."""
    try:
        return max(arrival.beat_at.timestamp(), (folder_of(arrival) / TOLD).stat().st_mtime)
    except OSError:
        return arrival.beat_at.timestamp()
