"""UUIDs, version 7 (RFC 9562, section 5.7): 48 bits of Unix time in ms, then 74 free bits."""

from __future__ import annotations

import hashlib
import os
import time
import uuid
from datetime import UTC, datetime

VERSION = 0x7 << 76
VARIANT = 0b10 << 62
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Ids carry times between these two; a partition is only ever made inside them, so that a hostile
# file cannot ask for a thousand months. Both are fixed, or one row would get other ids as time
# passes. The row keeps its real time beside the id.
FLOOR = datetime(2020, 1, 1, tzinfo=UTC)
CEILING = datetime(2036, 1, 1, tzinfo=UTC)


def uuid7() -> uuid.UUID:
    """A new id for now, its free bits random."""
    return compose(time.time_ns() // 1_000_000, int.from_bytes(os.urandom(10), "big"))


def random_at(at: datetime, order: int) -> uuid.UUID:
    """A new id for this moment: sorts as a derived one does, its other bits random."""
    low = int.from_bytes(os.urandom(8), "big") >> 2
    return compose(clamped_ms(at), ((order & 0xFFF) << 62) | low)


def derived(at: datetime, *parts: str, order: int = 0) -> uuid.UUID:
    """The id that the same moment and the same `parts` always get.

    The 12 bits after the time hold `order` (modulo 4,096), so that ids of one millisecond sort by
    it; the other 62 come from SHA-256 of the parts. The moment is clamped to the sane window.
    """
    return Derivation(*parts[:-1])(at, parts[-1], order)


class Derivation:
    """derived(), for many whose parts differ in the last alone."""

    def __init__(self, *parts: str) -> None:
        text = "".join(part + "\x1f" for part in parts)
        self._begun = hashlib.sha256(text.encode("utf-8", "surrogatepass"))

    def __call__(self, at: datetime, part: str, order: int = 0) -> uuid.UUID:
        whole = self._begun.copy()
        whole.update(part.encode("utf-8", "surrogatepass"))
        low = int.from_bytes(whole.digest()[:8], "big") >> 2
        return compose(clamped_ms(at), ((order & 0xFFF) << 62) | low)


def compose(ms: int, free: int) -> uuid.UUID:
    """Put 48 bits of milliseconds and 74 free bits together with version and variant."""
    rand_a, rand_b = (free >> 62) & 0xFFF, free & (2**62 - 1)
    return uuid.UUID(int=(ms & (2**48 - 1)) << 80 | VERSION | rand_a << 64 | VARIANT | rand_b)


def first_at(at: datetime) -> uuid.UUID:
    """The smallest value that sorts at `at`: every free bit zero, version and variant too.

    Partition bounds and range filters are made of these.
    """
    return uuid.UUID(int=to_ms(at) << 80)


def time_of(value: uuid.UUID) -> datetime:
    """The moment an id carries, in UTC."""
    return datetime.fromtimestamp((value.int >> 80) / 1000, tz=UTC)


def to_ms(at: datetime) -> int:
    """Milliseconds since 1970, exactly (no float in between)."""
    delta = at - EPOCH
    return (delta.days * 86_400 + delta.seconds) * 1000 + delta.microseconds // 1000


def clamped_ms(at: datetime) -> int:
    return min(max(to_ms(at), FIRST_MS), LAST_MS)


FIRST_MS, LAST_MS = to_ms(FLOOR), to_ms(CEILING) - 1
