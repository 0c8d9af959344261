from django.db import migrations, models

from stackmemory.lib.ddl import VendorSQL


class Migration(migrations.Migration):
    """Buckets are worth nothing for longer than a minute: made anew."""

    dependencies = [("workspaces", "0009_history")]

    operations = [
        migrations.DeleteModel(name="Bucket"),
        migrations.CreateModel(
            name="Bucket",
            fields=[
                ("subject", models.UUIDField(primary_key=True, serialize=False)),
                ("full_at", models.FloatField()),
                ("seen_at", models.FloatField()),
            ],
        ),
        # No log, and room for a row to be written anew where it lies.
        VendorSQL(
            "postgresql",
            "ALTER TABLE workspaces_bucket SET UNLOGGED, SET (fillfactor = 50)",
            "ALTER TABLE workspaces_bucket SET LOGGED, RESET (fillfactor)",
        ),
    ]
