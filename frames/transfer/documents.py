"""Documents that hold copies of events: digests and outputs of newer stores.

Such a store writes every event of a closed frame twice more, once into the digest and once into the
outputs. Here a copy that equals its event's own row becomes {"$event": id}, and a part of the
outputs that equals the same part of the digest {"$digest": key}. A document that would not come
back letter by letter is not shortened.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from frames.transfer.values import Row, js

EVENT, DIGEST = "$event", "$digest"


class Shortener:
    """Shortens the documents of one frame. `keys` is the order of columns in its copies."""

    def __init__(self, events: Mapping[str, Row]) -> None:
        self.events = events
        self.keys: list[str] | None = None

    def shorten(self, document: dict[str, Any], digest: dict[str, Any] | None = None) -> Any:
        short = {}
        for key, value in document.items():
            big = isinstance(value, dict | list)
            if big and digest and key in digest and js(digest[key]) == js(value):
                short[key] = {DIGEST: key}
            else:
                short[key] = self._walk(value)
        return short

    def _walk(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._walk(item) for item in value]
        if not isinstance(value, dict):
            return value
        if isinstance(value.get("event_id"), str) and self._is_copy(value):
            return {EVENT: value["event_id"]}
        return {key: self._walk(item) for key, item in value.items()}

    def _is_copy(self, value: dict[str, Any]) -> bool:
        row = self.events.get(value["event_id"])
        keys = list(value)
        if row is None or (self.keys is not None and keys != self.keys):
            return False
        copy = copy_of(row, keys)
        if copy is None or js(copy) != js(value):
            return False
        self.keys = keys
        return True


def copy_of(row: Row, keys: list[str]) -> dict[str, Any] | None:
    """An event as a store copies it into documents: its columns, the payload parsed."""
    if not set(keys) <= set(row) or not isinstance(row["payload"], str):
        return None
    try:
        payload = json.loads(row["payload"])
    except (ValueError, RecursionError):
        return None
    return {key: payload if key == "payload" else row[key] for key in keys}


def lengthen(
    short: Any, events: Mapping[str, Row], keys: list[str], digest: dict[str, Any] | None = None
) -> Any:
    """The document again. A reference to an event that is not there stays a reference."""
    if isinstance(short, list):
        return [lengthen(item, events, keys) for item in short]
    if not isinstance(short, dict):
        return short
    if len(short) == 1:
        (key, value), *_ = short.items()
        if key == EVENT and isinstance(value, str) and value in events:
            return copy_of(events[value], keys)
        if key == DIGEST and digest is not None:
            return digest.get(value)
    return {
        key: lengthen(item, events, keys, digest if _is_digest_part(item) else None)
        for key, item in short.items()
    }


def _is_digest_part(value: Any) -> bool:
    return isinstance(value, dict) and list(value) == [DIGEST]
