"""The nearest vectors of a large workspace in one round trip."""

from pathlib import Path

from django.db import migrations

from stackmemory.lib.ddl import VendorSQL

SQL = Path(__file__).parent / "sql"


class Migration(migrations.Migration):
    dependencies = [("search", "0006_planned_candidates")]

    operations = [
        VendorSQL(
            "postgresql",
            [((SQL / "nearest.sql").read_text(), None)],
            "DROP FUNCTION search_nearest",
        ),
    ]
