"""What the command says: problems with their mend, figures, and a line that moves."""

from __future__ import annotations

import json
import sys
import time
from typing import Any


class Problem(Exception):
    """It cannot go on. The message is for a person: what is wrong, and what to do."""


def say(text: str = "") -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def say_json(value: Any) -> None:
    say(json.dumps(value))


def warn(text: str) -> None:
    Line.clear()
    sys.stderr.write(text + "\n")


class Line:
    """One line of a terminal that is written over; nothing where there is no terminal."""

    _width = 0
    _at = 0.0

    @classmethod
    def show(cls, text: str) -> None:
        now = time.monotonic()
        if not sys.stderr.isatty() or now - cls._at < 0.1:
            return
        cls._at = now
        sys.stderr.write("\r" + text.ljust(cls._width))
        sys.stderr.flush()
        cls._width = len(text)

    @classmethod
    def clear(cls) -> None:
        if cls._width:
            sys.stderr.write("\r" + " " * cls._width + "\r")
            cls._width, cls._at = 0, 0.0


def size(number: float) -> str:
    for unit in ("bytes", "KB", "MB"):
        if number < 1024:
            return f"{number:.0f} {unit}" if unit == "bytes" else f"{number:.1f} {unit}"
        number /= 1024
    return f"{number:.1f} GB"


def span(seconds: float) -> str:
    """A length of time as people say it."""
    if seconds < 1:
        return "less than a second"
    for unit, length in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}s"
    return f"{seconds:.0f} seconds"
