"""One at a time, by the database."""

from __future__ import annotations

import hashlib

from django.db import connection


def transaction_lock(name: str) -> None:
    """Wait until no other transaction holds the lock of this name; held until ours ends.

    SQLite lets one transaction write at a time and needs no more than that.
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_key(name)])


def shared_transaction_lock(name: str) -> None:
    """As transaction_lock(), but many may hold it at once; it keeps out only who wants it alone."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock_shared(%s)", [_key(name)])


def try_transaction_lock(name: str) -> bool:
    """Take the lock of this name until our transaction ends; False if another one holds it.

    On SQLite it is always ours: a transaction that may write has all writing to itself.
    """
    if connection.vendor != "postgresql":
        return True
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_key(name)])
        return bool(cursor.fetchone()[0])


def _key(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)


def commit_soon() -> None:
    """Let this transaction's commit not wait for the disk; a crash may lose it, whole.

    For work that is repeated where it left off. The next commit that does wait covers it.
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL synchronous_commit = off")
