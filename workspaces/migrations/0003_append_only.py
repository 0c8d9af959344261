"""The audit log can only be added to, by the database's own means; keys stay in their workspace."""

from pathlib import Path

from django.db import migrations

from stackmemory.lib.ddl import SameWorkspace, VendorSQL

SQL = Path(__file__).parent / "sql"
# SQLite takes one statement at a time; each of these is a trigger, which ends in END.
TRIGGERS = (SQL / "audit_append_only_sqlite.sql").read_text().split("END;")[:-1]


class Migration(migrations.Migration):
    dependencies = [("workspaces", "0002_teams")]

    operations = [
        SameWorkspace("workspaces_apikey", "replaced_by_id", "workspaces_apikey"),
        VendorSQL(
            "postgresql",
            [((SQL / "audit_append_only_postgresql.sql").read_text(), None)],
            "DROP TRIGGER IF EXISTS workspaces_audit_append_only ON workspaces_audit;"
            " DROP FUNCTION IF EXISTS workspaces_audit_append_only()",
        ),
        VendorSQL(
            "sqlite",
            [(f"{trigger}END", None) for trigger in TRIGGERS],
            "DROP TRIGGER IF EXISTS workspaces_audit_no_delete;"
            " DROP TRIGGER IF EXISTS workspaces_audit_no_update;"
            " DROP TRIGGER IF EXISTS workspaces_audit_no_replace",
        ),
    ]
