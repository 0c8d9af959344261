"""SQLite's triggers that keep references within a workspace: away during migrate, there after it.

A migration on SQLite often rebuilds a table (copy, drop, rename), and the rename fails while a
trigger of another table names the one that is gone for a moment. So `migrate` begins by dropping
them all and ends by making those of the migrations that are applied. A migrate that failed half-way
leaves none until it has run through; /readyz says so of the migrations.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.loader import MigrationLoader

from stackmemory.lib.ddl import SameWorkspace


def drop(*, using: str, **kwargs: Any) -> None:
    """Before migrate."""
    connection = connections[using]
    if connection.vendor != "sqlite":
        return
    with connection.cursor() as cursor:
        for name in existing(connection):
            cursor.execute(f'DROP TRIGGER "{name}"')


def make(*, using: str, **kwargs: Any) -> None:
    """After migrate."""
    connection = connections[using]
    if connection.vendor != "sqlite":
        return
    drop(using=using)
    with connection.cursor() as cursor:
        for operation in promised(connection):
            for statement in operation.triggers():
                cursor.execute(statement)


def existing(connection: BaseDatabaseWrapper) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT name FROM sqlite_master WHERE type = 'trigger'"
            " AND (name LIKE '%\\_same\\_ws\\_insert' ESCAPE '\\'"
            " OR name LIKE '%\\_same\\_ws\\_update' ESCAPE '\\')"
        )
        return [str(name) for (name,) in cursor.fetchall()]


def promised(connection: BaseDatabaseWrapper) -> Iterator[SameWorkspace]:
    """The SameWorkspace operations of every applied migration."""
    loader = MigrationLoader(connection)
    for key in sorted(loader.applied_migrations):
        migration = loader.disk_migrations.get(key)
        for operation in migration.operations if migration else ():
            if isinstance(operation, SameWorkspace):
                yield operation
