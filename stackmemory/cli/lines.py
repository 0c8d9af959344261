"""The lines of a transcript, whatever else is in the file."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

LONGEST = 4 * 1024 * 1024
LONGEST_TEXT = 256 * 1024
MARK = b"\xef\xbb\xbf"


def lines(path: Path, copied: Collection[int] = ()) -> Iterator[dict[str, Any]]:
    """Each line that is an object, but for those `copied` from another session.

    One that is cut off, as after a crash, is none. What somebody said and has no time of its own
    was said after the line before. Raises OSError.
    """
    last = ""
    with path.open("rb") as file:
        for line in file:
            try:
                text = line.removeprefix(MARK).decode("utf-8", "replace")
                value = json.loads(text, parse_constant=str)
            except (ValueError, RecursionError):
                continue
            if not isinstance(value, dict) or (copied and key_of(value) in copied):
                continue
            if at := time_of(value):
                last = at
            elif last and value.get("type") in ("user", "assistant"):
                value["timestamp"] = last
            yield value


def origin_of(entry: dict[str, Any]) -> dict[str, Any]:
    """Of which line a line says that it is a copy: a conversation that was branched has them."""
    told = entry.get("forkedFrom")
    return told if isinstance(told, dict) else {}


def key_of(entry: dict[str, Any]) -> int | None:
    """What a line has in common with its copies, in this process; None for one without an id."""
    uuid = origin_of(entry).get("messageUuid") or entry.get("uuid")
    return hash(uuid) if isinstance(uuid, str) and uuid else None


def uuid_of(entry: dict[str, Any]) -> str:
    return plain(str(entry.get("uuid") or json.dumps(entry, sort_keys=True, default=str)))


def plain(told: str) -> str:
    """An id that fits everywhere: itself, or its hash."""
    if re.fullmatch(r"[!-9;-~]{1,60}", told):
        return told
    return hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def time_of(entry: dict[str, Any]) -> str:
    """When an entry was written, in UTC and comparable as text; "" if that is no time."""
    try:
        at = datetime.fromisoformat(str(entry.get("timestamp")))
        if at.tzinfo is None or not 2000 <= at.year < 2100:
            return ""
        return at.astimezone(UTC).isoformat(timespec="milliseconds")
    except (ValueError, OverflowError):
        return ""


def content_of(entry: dict[str, Any]) -> str | list[dict[str, Any]]:
    message = entry.get("message")
    content = message.get("content") if isinstance(message, dict) else None
    if isinstance(content, str):
        return content
    return [b for b in content if isinstance(b, dict)] if isinstance(content, list) else []


def fitting(value: Any) -> Any:
    """As much of a value as can be sent: long texts lose their ends, and say so."""
    size = _size(value)
    if size <= LONGEST:
        return value
    value = _cut(value)
    if _size(value) <= LONGEST:
        return value
    return {"left_out": f"{size} bytes, too large to send"}


def _cut(value: Any) -> Any:
    if isinstance(value, str) and len(value) > LONGEST_TEXT:
        rest = len(value) - LONGEST_TEXT
        return f"{value[:LONGEST_TEXT]} … {rest} characters more, too large to send"
    if isinstance(value, dict):
        return {key: _cut(item) for key, item in value.items()}
    return [_cut(item) for item in value] if isinstance(value, list) else value


def _size(value: Any) -> int:
    if isinstance(value, str) and len(value) * 6 <= LONGEST:
        return len(value)
    try:
        return len(json.dumps(value))
    except RecursionError:
        return 0
