"""A row of ours in the making: takes values out of a source row and notes what it had to adjust."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Container, Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec

from frames.transfer.spelling import respelled, spellings
from frames.transfer.values import (
    YEAR_2000,
    BadText,
    Row,
    identity_of,
    moment,
    pack,
    same,
    shown,
    unpack,
    whole,
)

CANONICAL = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DEEPEST = 200
# A text kept beside that is longer than this and differs in numbers alone is kept as those.
LONG = 200
NUMBERS = "$numbers"


class Draft:
    """Reads one source row. `notes` collects reasons of frames.transfer.adjust, each once."""

    __slots__ = ("notes", "now", "row")

    def __init__(self, row: Row, now: datetime) -> None:
        self.row = row
        self.now = now
        self.notes: dict[str, None] = {}

    def note(self, reason: str) -> None:
        self.notes[reason] = None

    def identity(self, column: str, *, uuid: bool = True) -> str | None:
        """The row's own id as text; None where it has none. `uuid`: note where it is no UUID."""
        text = identity_of(self.row.get(column))
        if text is None or not uuid or CANONICAL.fullmatch(text):
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
            data = decoded(text)
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


DECODE = json.JSONDecoder(parse_constant=_refuse).decode


def decoded(text: str) -> Any:
    """The value of a JSON text. Raises ValueError or RecursionError.

    msgspec takes a third of the time and refuses more (half characters, 1e999); what it refuses
    the library's own parser decides about.
    """
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return DECODE(text)


def _storable(text: str, data: Any) -> bool:
    """Whether an object can be stored and walked: no infinite numbers, no bottomless nesting."""
    if text.count("{") + text.count("[") > DEEPEST and deeper_than(DEEPEST, data):
        return False
    try:
        json.dumps(data, allow_nan=False)
    except (ValueError, RecursionError):
        return False
    return True


def deeper_than(levels: int, data: Any) -> bool:
    """Whether lists and objects nest deeper; brackets inside strings (code, say) are no nesting."""
    layer = [data]
    for _ in range(levels + 1):
        layer = [
            part
            for whole_part in layer
            for part in (whole_part.values() if isinstance(whole_part, dict) else whole_part)
            if isinstance(part, dict | list)
        ]
        if not layer:
            return False
    return True


def leftover(row: Row, rebuilt: Row) -> Row:
    """What of the source row our columns do not say: kept as source["raw"]."""
    if row == rebuilt and all(type(rebuilt[c]) is type(value) for c, value in row.items()):
        return {}
    return {
        column: _packed(rebuilt.get(column), value)
        for column, value in row.items()
        if column not in rebuilt or not same(rebuilt[column], value)
    }


def _packed(ours: Any, value: Any) -> Any:
    if isinstance(ours, str) and isinstance(value, str) and len(value) > LONG:
        found = spellings(ours, value)
        if found is not None and len(found) * 40 < len(value):
            return {NUMBERS: found}
    return pack(value)


def with_leftover(rebuilt: Row, source: dict[str, Any] | None) -> Row:
    """The source row again: our columns, and over them what was kept beside."""
    raw = (source or {}).get("raw")
    if not raw:
        return rebuilt
    row = dict(rebuilt)
    for column, value in raw.items():
        if isinstance(value, dict) and NUMBERS in value:
            row[column] = respelled(str(row.get(column)), value[NUMBERS])
        else:
            row[column] = unpack(value)
    return row


def altered(
    found: Any,
    fields_of: Callable[[], dict[str, Any]],
    shown_as: Mapping[str, str],
    always: Container[str] = (),
) -> list[str]:
    """Source columns that are kept beside `found` and whose shown value is not what it was.

    What is kept beside would hide such a change from a comparison of the rebuilt row; so would,
    `always`, a column whose value is held elsewhere too.
    """
    raw = (found.source or {}).get("raw", {})
    hiding = [column for column in shown_as if column in raw or column in always]
    if not hiding:
        return []
    fields = fields_of()
    names = {column: shown_as[column] for column in hiding}
    return [c for c, f in names.items() if _plain(getattr(found, f)) != _plain(fields[f])]


def _plain(value: Any) -> str:
    return json.dumps(value, default=str)
