"""What the hook script could not deliver yet: read only, the script owns it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

MOST_WAITING = 64 * 1024 * 1024


@dataclass(frozen=True)
class Backlog:
    hooks: int
    bytes: int
    # When the oldest of it happened, as the script wrote it.
    since: str

    @property
    def is_full(self) -> bool:
        return self.bytes > MOST_WAITING - (1 << 20)


def backlog(folder: Path) -> Backlog:
    """How much waits in all spools of this folder."""
    hooks, total, since = 0, 0, ""
    for lines in sorted(folder.glob("*.jsonl")) if folder.is_dir() else ():
        done = _done(lines)
        with lines.open("rb") as file:
            file.seek(done)
            for line in file:
                total += len(line)
                hooks += 1
                if hooks == 1 or not since:
                    since = _at(line)
    return Backlog(hooks, total, since)


def _done(lines: Path) -> int:
    try:
        done = int(lines.with_suffix(".sent").read_text() or 0)
        return done if done <= lines.stat().st_size else 0
    except (OSError, ValueError):
        return 0


def _at(line: bytes) -> str:
    try:
        return str(json.loads(line).get("at") or "")
    except (ValueError, AttributeError):
        return ""
