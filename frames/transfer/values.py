"""Values as SQLite holds them, and how each is kept without loss.

A source row is a dict of column → value, where a value is None, int, float, str, bytes (a BLOB), or
BadText for text that is no UTF-8 or holds NUL. Such a row is *equal* to another only if types are
equal too: 1 is not 1.0, NULL is not "".
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

Row = dict[str, Any]

YEAR_2000 = datetime(2000, 1, 1, tzinfo=UTC)
# Two days short of what Python can count, so that every time can be shown in every time zone.
FIRST = datetime.min.replace(tzinfo=UTC) + timedelta(days=2)
LAST = datetime.max.replace(tzinfo=UTC) - timedelta(days=2)
NUMBER = re.compile(r"\s*-?[0-9]{1,18}\s*")
LONE_SURROGATE = re.compile("[\ud800-\udfff]")


class BadText(bytes):
    """The bytes of a TEXT value that PostgreSQL could not hold as text."""

    def shown(self) -> str:
        """A readable stand-in: ␀ for NUL, � for what is no character. The bytes are kept apart."""
        return self.decode("utf-8", "replace").replace("\x00", "␀")


def text_or_bad(raw: bytes) -> str | BadText:
    """sqlite3's text_factory: a str, or BadText where that would not survive."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        return BadText(raw)
    return BadText(raw) if "\x00" in text else text


LONGEST_ID = 500


def identity_of(value: Any) -> str | None:
    """An id as text that is the same for the same value and fits an index; None for none."""
    if value is None or value in ("", b""):
        return None
    if isinstance(value, bytes):
        text = f"bytes:{value.hex()}"
    else:
        text = value if isinstance(value, str) else str(value)
    if len(text) <= LONGEST_ID and text.isascii():
        return text
    raw = text.encode()
    return text if len(raw) <= LONGEST_ID else f"sha256:{hashlib.sha256(raw).hexdigest()}"


def storable(value: Any) -> Any:
    """A value parsed from JSON, as a source value: text that no database could hold as BadText."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, str):
        return text_or_bad(value.encode("utf-8", "surrogatepass"))
    return value


def pack(value: Any) -> Any:
    """A source value as JSON can hold it. Source values are never dicts, so a dict is a mark."""
    if isinstance(value, BadText):
        return {"$text": base64.b64encode(value).decode()}
    if isinstance(value, bytes):
        return {"$blob": base64.b64encode(value).decode()}
    if isinstance(value, float) and not math.isfinite(value):
        return {"$real": repr(value)}
    return value


def unpack(value: Any) -> Any:
    """The reverse of pack()."""
    if not isinstance(value, dict):
        return value
    if "$text" in value:
        return BadText(base64.b64decode(value["$text"]))
    if "$blob" in value:
        return base64.b64decode(value["$blob"])
    return float(value["$real"])


def pack_row(row: Row) -> Row:
    return {column: pack(value) for column, value in row.items()}


def unpack_row(row: Row) -> Row:
    return {column: unpack(value) for column, value in row.items()}


def same(a: Any, b: Any) -> bool:
    """Equal in value and in type."""
    return type(a) is type(b) and (a == b or a is b)


def digest(row: Row) -> str:
    """SHA-256 of a row, whatever the order of its columns."""
    packed = sorted((column, pack(value)) for column, value in row.items())
    return hashlib.sha256(json.dumps(packed).encode()).hexdigest()


def js(value: Any) -> str:
    """JSON as JavaScript's JSON.stringify writes it (floats with exponents aside)."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    if LONE_SURROGATE.search(text) is None:
        return text
    return LONE_SURROGATE.sub(lambda half: f"\\u{ord(half[0]):04x}", text)


def shown(value: Any) -> str:
    """Any source value as text for a text column; what that loses is kept apart."""
    if isinstance(value, str):
        return value
    if isinstance(value, BadText):
        return value.shown()
    if value is None:
        return ""
    if isinstance(value, bytes):
        return f"({len(value)} bytes)"
    return str(value)


def whole(value: Any) -> int | None:
    """An integer that fits 64 bits, from an integer or its like; else None."""
    if isinstance(value, int):
        return value
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**63:
        return int(value)
    if isinstance(value, str) and NUMBER.fullmatch(value):
        return int(value)
    return None


def moment(value: Any) -> datetime | None:
    """A time from seconds, milliseconds, micro- or nanoseconds since 1970, or ISO text.

    The unit is told by the size of the value, since one column can hold several: from 1e11 on it
    is milliseconds (as seconds that would be the year 5138), each thousandfold the next unit.
    None where it is no time at all, or one outside the years 1–9999.
    """
    return _moment(value) if isinstance(value, int | float | str) else None


@lru_cache(10_000, typed=True)  # one row's time is asked for several times
def _moment(value: float | str) -> datetime | None:
    at = _unchecked(value)
    return at if at is not None and FIRST <= at <= LAST else None


def _unchecked(value: float | str) -> datetime | None:
    if isinstance(value, str):
        number = whole(value)
        if number is None:
            return _iso(value)
        value = number
    if not isinstance(value, int | float) or (
        isinstance(value, float) and not math.isfinite(value)
    ):
        return None
    size = abs(value)
    divisor = 1 if size < 1e11 else 1_000 if size < 1e14 else 1_000_000 if size < 1e17 else 10**9
    try:
        if isinstance(value, int):
            seconds, rest = divmod(value, divisor)
            micro = rest * 1_000_000 // divisor
            return datetime.fromtimestamp(seconds, UTC).replace(microsecond=micro)
        return datetime.fromtimestamp(value / divisor, UTC)
    except (OverflowError, ValueError, OSError):
        return None


def _iso(text: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    try:
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except OverflowError:
        return None


def seconds(at: datetime) -> int:
    """Whole seconds since 1970, rounded down."""
    return int(at.timestamp() // 1)


def milliseconds(at: datetime) -> int:
    return seconds(at) * 1000 + at.microsecond // 1000
