"""Django's cache over one table: each operation on a key is one statement, and exact.

Django's own DatabaseCache counts its table on every write and loses increments that meet. Here a
write is one upsert; a whole number is stored as one and added to where it lies; what has expired is
not seen, and deleted by the clock (forget_expired). On PostgreSQL the table is unlogged: a crash of
the server empties it.

It uses the connection, and so the transaction, of whoever asks: a value set in a transaction that
is rolled back was not set.
"""

from __future__ import annotations

import pickle
import time
from collections.abc import Iterable, Mapping
from typing import Any

from django.core.cache.backends.base import DEFAULT_TIMEOUT, BaseCache
from django.db import connection

from stackmemory.lib.measures import cache_reads

TABLE = "stackmemory_cacheentry"
SMALLEST, LARGEST = -(2**63), 2**63 - 1
ALIVE = f"({TABLE}.expires IS NULL OR {TABLE}.expires > %s)"
COLUMNS = "key, number, value, expires"
SET = (
    f"INSERT INTO {TABLE} ({COLUMNS}) VALUES %s ON CONFLICT (key) DO UPDATE SET"
    " number = excluded.number, value = excluded.value, expires = excluded.expires"
)
ADD = f"{SET % '(%s, %s, %s, %s)'} WHERE {TABLE}.expires <= %s RETURNING 1"
GET = f"SELECT key, number, value FROM {TABLE} WHERE key = %s AND {ALIVE}"
GET_MANY = f"SELECT key, number, value FROM {TABLE} WHERE key IN (%s) AND {ALIVE}"
TOUCH = f"UPDATE {TABLE} SET expires = %s WHERE key = %s AND {ALIVE} RETURNING 1"
DELETE = f"DELETE FROM {TABLE} WHERE key = %s AND {ALIVE} RETURNING 1"
INCREASE = (
    f"UPDATE {TABLE} SET number = number + %s WHERE key = %s AND number IS NOT NULL AND {ALIVE}"
    " RETURNING number"
)
AT_ONCE = 200  # keys in one statement


class DatabaseCache(BaseCache):
    def __init__(self, location: str, params: dict[str, Any]) -> None:
        super().__init__(params)

    def get(self, key: str, default: Any = None, version: int | None = None) -> Any:
        row = _one(GET, [self._key(key, version), time.time()])
        cache_reads.labels("yes" if row else "no").inc()
        return _load(row) if row else default

    def get_many(self, keys: Iterable[str], version: int | None = None) -> dict[str, Any]:
        asked = {self._key(key, version): key for key in keys}
        found = {}
        for some in _batches(list(asked)):
            with connection.cursor() as cursor:
                cursor.execute(GET_MANY.replace("%s", _marks(some), 1), [*some, time.time()])
                found.update({asked[row[0]]: _load(row) for row in cursor.fetchall()})
        return found

    def has_key(self, key: str, version: int | None = None) -> bool:
        return _one(GET, [self._key(key, version), time.time()]) is not None

    def set(
        self,
        key: str,
        value: Any,
        timeout: float | None = DEFAULT_TIMEOUT,  # type: ignore[assignment]
        version: int | None = None,
    ) -> None:
        self.set_many({key: value}, timeout, version)

    def set_many(
        self,
        data: Mapping[str, Any],
        timeout: float | None = DEFAULT_TIMEOUT,  # type: ignore[assignment]
        version: int | None = None,
    ) -> list[str]:
        expires = self._expires(timeout)
        rows = [(self._key(k, version), *_dump(v), expires) for k, v in data.items()]
        # One order for all, so that two who set the same keys do not wait for each other in a ring.
        for some in _batches(sorted(rows, key=lambda row: row[0])):
            marks = ", ".join(["(%s, %s, %s, %s)"] * len(some))
            with connection.cursor() as cursor:
                cursor.execute(SET.replace("%s", marks), [each for row in some for each in row])
        return []

    def add(
        self,
        key: str,
        value: Any,
        timeout: float | None = DEFAULT_TIMEOUT,  # type: ignore[assignment]
        version: int | None = None,
    ) -> bool:
        row = [self._key(key, version), *_dump(value), self._expires(timeout)]
        return _one(ADD, [*row, time.time()]) is not None

    def touch(
        self,
        key: str,
        timeout: float | None = DEFAULT_TIMEOUT,  # type: ignore[assignment]
        version: int | None = None,
    ) -> bool:
        values = [self._expires(timeout), self._key(key, version), time.time()]
        return _one(TOUCH, values) is not None

    def incr(self, key: str, delta: int = 1, version: int | None = None) -> int:
        """Add to a whole number; its expiry stays. However many add at once, all count."""
        made = self._key(key, version)
        row = _one(INCREASE, [delta, made, time.time()])
        if row is not None:
            return int(row[0])
        value = self.get(key, self._missing_key, version=version)
        if value is self._missing_key:
            raise ValueError(f"Key '{key}' not found")
        raise TypeError(f"Key '{key}' does not hold a whole number of 64 bits")

    def delete(self, key: str, version: int | None = None) -> bool:
        return _one(DELETE, [self._key(key, version), time.time()]) is not None

    def delete_many(self, keys: Iterable[str], version: int | None = None) -> None:
        for some in _batches(sorted(self._key(key, version) for key in keys)):
            with connection.cursor() as cursor:
                cursor.execute(f"DELETE FROM {TABLE} WHERE key IN ({_marks(some)})", some)

    def clear(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"DELETE FROM {TABLE}")

    def _key(self, key: str, version: int | None) -> str:
        return str(self.make_and_validate_key(key, version=version))

    def _expires(self, timeout: float | None) -> float | None:
        return self.get_backend_timeout(timeout)


def forget_expired() -> int:
    """For the worker: delete what nobody can see any more."""
    with connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {TABLE} WHERE expires <= %s", [time.time()])
        return int(cursor.rowcount)


def _dump(value: Any) -> tuple[int | None, bytes | None]:
    if type(value) is int and SMALLEST <= value <= LARGEST:
        return value, None
    return None, pickle.dumps(value, pickle.HIGHEST_PROTOCOL)


def _load(row: tuple[str, int | None, Any]) -> Any:
    _, number, value = row
    return number if value is None else pickle.loads(value)


def _one(sql: str, values: list[Any]) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return cursor.fetchone()


def _batches(rows: list[Any]) -> Iterable[list[Any]]:
    return (rows[start : start + AT_ONCE] for start in range(0, len(rows), AT_ONCE))


def _marks(keys: list[str]) -> str:
    return ", ".join(["%s"] * len(keys))
