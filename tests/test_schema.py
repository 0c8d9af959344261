"""After all migrations the database itself keeps references within a workspace, on both engines."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import connection, models
from django.db.migrations.loader import MigrationLoader

from stackmemory.lib import guards
from stackmemory.lib.ddl import SameWorkspace
from workspaces.models import TenantModel

OWN_APPS = ("workspaces", "frames", "search")


def promised() -> list[SameWorkspace]:
    """Every SameWorkspace operation of every migration."""
    loader = MigrationLoader(None)
    return [
        operation
        for (app, _), migration in sorted(loader.disk_migrations.items())
        if app in OWN_APPS
        for operation in migration.operations
        if isinstance(operation, SameWorkspace)
    ]


def references() -> Iterator[tuple[str, str, str]]:
    """(table, column, target) of every foreign key from one tenant table to another."""
    for model in apps.get_models():
        if not issubclass(model, TenantModel):
            continue
        for field in model._meta.local_fields:
            target = field.related_model
            if isinstance(field, models.ForeignKey) and issubclass(target, TenantModel):
                yield model._meta.db_table, field.column, target._meta.db_table


def test_every_reference_between_tenant_tables_has_its_guard():
    guarded = {(op.table, op.column, op.target) for op in promised()}
    assert sorted(set(references()) - guarded) == []


def test_no_guard_is_for_a_reference_that_is_gone():
    guarded = {(op.table, op.column, op.target) for op in promised()}
    assert sorted(guarded - set(references())) == []


@pytest.mark.postgresql_only
def test_guards_are_validated_foreign_keys(db):
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT conname FROM pg_constraint WHERE contype = 'f' AND convalidated"
            " AND conparentid = 0 AND conname LIKE '%%\\_same\\_ws'"
        )
        there = {name for (name,) in cursor.fetchall()}
    assert {op.constraint for op in promised()} <= there


@pytest.mark.sqlite_only
def test_guards_are_triggers_on_their_table(db):
    with connection.cursor() as cursor:
        cursor.execute("SELECT name, tbl_name FROM sqlite_master WHERE type = 'trigger'")
        there = set(cursor.fetchall())
    for op in promised():
        for event in ("insert", "update"):
            assert (f"{op.constraint}_{event}", op.table) in there


@pytest.mark.sqlite_only
def test_guards_are_away_during_migrate_and_back_after_it(db):
    """While they are there, no table they name can be rebuilt, as migrations on SQLite do."""
    before = guards.existing(connection)
    guards.drop(using="default")
    assert guards.existing(connection) == []
    guards.make(using="default")
    guards.make(using="default")
    assert sorted(guards.existing(connection)) == sorted(before)
    assert len(before) == 2 * len(promised())


@pytest.mark.postgresql_only
def test_guards_hold_for_every_partition(db):
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.relname, count(k.oid) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
            " LEFT JOIN pg_constraint k ON k.conrelid = c.oid AND k.contype = 'f'"
            " AND k.conparentid <> 0 WHERE i.inhparent = 'frames_event'::regclass GROUP BY 1"
        )
        partitions = cursor.fetchall()
    expected = sum(op.table == "frames_event" for op in promised())
    assert partitions
    assert {count for _, count in partitions} == {expected}


def test_models_and_migrations_agree(db):
    call_command("makemigrations", check=True, dry_run=True)


def test_tenant_tables_name_their_workspace():
    for model in apps.get_models():
        if issubclass(model, TenantModel):
            assert not model._meta.get_field("workspace").null
            assert model._meta.default_manager_name == "unscoped"
