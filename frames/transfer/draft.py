"""A row of ours in the making: takes values out of a source row and notes what it had to adjust."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from frames.transfer.values import (
    YEAR_2000,
    BadText,
    Row,
    identity_of,
    moment,
    pack,
    same,
    shown,
    unpack_row,
    whole,
)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DEEPEST = 200


class Draft:
    """Reads one source row. `notes` collects reasons of frames.transfer.adjust, each once."""

    def __init__(self, row: Row, now: datetime) -> None:
        self.row = row
        self.now = now
        self.notes: dict[str, None] = {}

    def note(self, reason: str) -> None:
        self.notes[reason] = None

    def identity(self, column: str, *, uuid: bool = True) -> str | None:
        """The row's own id as text; None where it has none. `uuid`: note where it is no UUID."""
        text = identity_of(self.row.get(column))
        if text is None or not uuid:
            return text
        try:
            UUID(text)
        except ValueError:
            self.note("non_uuid_id")
        return text

    def text(self, column: str, default: str = "") -> str:
        value = self.row.get(column)
        if value is None:
            return default
        if isinstance(value, BadText):
            self.note("raw_nul" if b"\x00" in value else "invalid_text")
        elif not isinstance(value, str):
            self.note("wrong_type")
        return shown(value)

    def time(self, column: str, default: datetime | None = None) -> datetime | None:
        """The time in a column; `default`, and a note, where there is something that is none."""
        value = self.row.get(column)
        if value is None:
            return default
        at = moment(value)
        if at is None:
            self.note("no_time")
            return default
        if at < YEAR_2000:
            self.note("time_before_2000")
        elif at > self.now:
            self.note("time_in_future")
        return at

    def number(self, column: str, default: int) -> int:
        value = self.row.get(column)
        if value is None:
            return default
        number = whole(value)
        if number is None or not isinstance(value, int):
            self.note("wrong_type")
        return default if number is None else number

    def json(self, column: str) -> dict[str, Any]:
        """The object in a JSON column; what is no object is wrapped so that it can be read."""
        value = self.row.get(column)
        if value is None:
            return {}
        text = self.text(column)
        data = self.check_json(text)
        if isinstance(data, dict) and _storable(text, data):
            return data
        return {"text": text} if data is None and text.strip() != "null" else {"value": text}

    def check_json(self, text: str) -> Any:
        """Parse and note what is odd; None where it does not parse."""
        try:
            data = json.loads(text, parse_constant=_refuse)
        except (ValueError, RecursionError):
            self.note("invalid_json")
            return None
        if not isinstance(data, dict):
            self.note("json_not_object")
        if "\\u0000" in text:
            self.note("json_nul")
        if "\\ud" in text or "\\uD" in text:
            try:
                json.dumps(data, ensure_ascii=False).encode()
            except UnicodeEncodeError:
                self.note("json_lone_surrogate")
        return data


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def _storable(text: str, data: Any) -> bool:
    """Whether an object can be stored and walked: no infinite numbers, no bottomless nesting."""
    if text.count("{") + text.count("[") > DEEPEST and _depth(text) > DEEPEST:
        return False
    try:
        json.dumps(data, allow_nan=False)
    except (ValueError, RecursionError):
        return False
    return True


def _depth(text: str) -> int:
    """An upper bound of the nesting: brackets inside strings count too."""
    deepest = depth = 0
    for character in text:
        if character in "{[":
            depth += 1
            deepest = max(deepest, depth)
        elif character in "}]":
            depth -= 1
    return deepest


def leftover(row: Row, rebuilt: Row) -> Row:
    """What of the source row our columns do not say: kept as source["raw"]."""
    return {
        column: pack(value)
        for column, value in row.items()
        if column not in rebuilt or not same(rebuilt[column], value)
    }


def with_leftover(rebuilt: Row, source: dict[str, Any] | None) -> Row:
    """The source row again: our columns, and over them what was kept beside."""
    raw = (source or {}).get("raw")
    return rebuilt | unpack_row(raw) if raw else rebuilt
