"""Migration operations for what Django's own cannot say, on both engines."""

from __future__ import annotations

from typing import Any

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import ProjectState


class CreatePartitionedModel(migrations.CreateModel):
    """CreateModel whose table, on PostgreSQL, is partitioned by range of its primary key.

    The model state is CreateModel's own, so autodetection sees nothing special; on SQLite the
    table is a plain one.
    """

    def database_forwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        if schema_editor.connection.vendor != "postgresql":
            return super().database_forwards(app_label, schema_editor, from_state, to_state)
        model = to_state.apps.get_model(app_label, self.name)
        key = schema_editor.quote_name(model._meta.pk.column)
        # An instance attribute hides the class's template for this one statement.
        schema_editor.sql_create_table = (  # type: ignore[misc]
            f"{type(schema_editor).sql_create_table} PARTITION BY RANGE ({key})"
        )
        try:
            super().database_forwards(app_label, schema_editor, from_state, to_state)
        finally:
            del schema_editor.sql_create_table


class VendorSQL(migrations.RunSQL):
    """RunSQL for one database vendor; nothing on the others. Always reversible."""

    def __init__(self, vendor: str, sql: Any, reverse_sql: Any, **kwargs: Any) -> None:
        self.vendor = vendor
        super().__init__(sql, reverse_sql, **kwargs)

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        return (type(self).__name__, [self.vendor, self.sql, self.reverse_sql], {})

    def database_forwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        if schema_editor.connection.vendor == self.vendor:
            super().database_forwards(app_label, schema_editor, from_state, to_state)

    def database_backwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        if schema_editor.connection.vendor == self.vendor:
            super().database_backwards(app_label, schema_editor, from_state, to_state)


class SameWorkspace(migrations.RunSQL):
    """A reference may only point at a row of its own workspace, and the database sees to it.

    PostgreSQL: a composite foreign key (workspace_id, column) → (workspace_id, id), which also is
    the only existence check (the model's field says `db_constraint=False`). SQLite cannot add a
    constraint to a table, so two triggers say the same; lib/guards.py makes them after every
    migrate, for while they are there no table they name can be rebuilt.
    """

    def __init__(self, table: str, column: str, target: str) -> None:
        self.table, self.column, self.target = table, column, target
        super().__init__(sql=migrations.RunSQL.noop, reverse_sql=migrations.RunSQL.noop)

    @property
    def constraint(self) -> str:
        return f"{self.table}_{self.column}_same_ws"

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        return (type(self).__name__, [self.table, self.column, self.target], {})

    def describe(self) -> str:
        return f"{self.table}.{self.column} stays within its workspace"

    def database_forwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        if schema_editor.connection.vendor == "postgresql":
            schema_editor.execute(
                f'ALTER TABLE "{self.table}" ADD CONSTRAINT "{self.constraint}"'
                f' FOREIGN KEY ("workspace_id", "{self.column}")'
                f' REFERENCES "{self.target}" ("workspace_id", "id")'
            )

    def database_backwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        if schema_editor.connection.vendor == "postgresql":
            schema_editor.execute(
                f'ALTER TABLE "{self.table}" DROP CONSTRAINT IF EXISTS "{self.constraint}"'
            )

    def triggers(self) -> list[str]:
        """What SQLite has instead."""
        check = (
            f' WHEN NEW."{self.column}" IS NOT NULL AND NOT EXISTS (SELECT 1 FROM "{self.target}"'
            f' WHERE "id" = NEW."{self.column}" AND "workspace_id" = NEW."workspace_id")'
            f" BEGIN SELECT RAISE(ABORT, '{self.describe()}'); END"
        )
        return [
            f'CREATE TRIGGER "{self.constraint}_insert" BEFORE INSERT ON "{self.table}"{check}',
            f'CREATE TRIGGER "{self.constraint}_update" BEFORE UPDATE OF "workspace_id",'
            f' "{self.column}" ON "{self.table}"{check}',
        ]
