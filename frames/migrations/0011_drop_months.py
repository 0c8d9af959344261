"""A month of events with nothing left in it can be dropped, by the database's own means."""

from pathlib import Path

from django.db import migrations

from stackmemory.lib.ddl import VendorSQL

DROP_MONTH = (Path(__file__).parent / "sql" / "drop_month.sql").read_text()


class Migration(migrations.Migration):
    dependencies = [("frames", "0010_cold_storage")]

    operations = [
        VendorSQL(
            "postgresql",
            [(DROP_MONTH, None)],
            "DROP FUNCTION IF EXISTS frames_event_drop_month(date)",
        ),
    ]
