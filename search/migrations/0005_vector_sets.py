"""Whose vectors by which model search goes by, and approximate indexes for large workspaces."""

from pathlib import Path

import django.db.models.deletion
import django.db.models.manager
import django.utils.timezone
from django.db import migrations, models

import stackmemory.lib.uuid7
from stackmemory.lib.ddl import VendorSQL

SQL = Path(__file__).parent / "sql"
# What there is already was made by the one model there was, or will be found lacking.
COLUMNS = "id, created_at, workspace_id, model, dimension, is_complete, is_arranged, size"
GIVEN = "workspace_id, model, max(dimension), {true}, {false}, 0 FROM search_embedding GROUP BY workspace_id, model"


class Migration(migrations.Migration):
    dependencies = [("search", "0004_context")]

    operations = [
        migrations.CreateModel(
            name="VectorSet",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=stackmemory.lib.uuid7.uuid7,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                (
                    "created_at",
                    models.DateTimeField(default=django.utils.timezone.now, editable=False),
                ),
                ("model", models.CharField(max_length=100)),
                ("dimension", models.PositiveIntegerField()),
                ("is_complete", models.BooleanField(default=False)),
                ("replaced_at", models.DateTimeField(blank=True, null=True)),
                ("bucket", models.SmallIntegerField(blank=True, null=True)),
                ("is_arranged", models.BooleanField(default=False)),
                ("size", models.PositiveIntegerField(default=0)),
                (
                    "workspace",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="%(class)ss",
                        to="workspaces.workspace",
                    ),
                ),
            ],
            options={
                "abstract": False,
                "default_manager_name": "unscoped",
                "constraints": [
                    models.UniqueConstraint(fields=("workspace", "model"), name="vector_set_once")
                ],
            },
            managers=[
                ("unscoped", django.db.models.manager.Manager()),
            ],
        ),
        migrations.AddField(
            model_name="embedding",
            name="bucket",
            field=models.SmallIntegerField(blank=True, null=True),
        ),
        VendorSQL(
            "postgresql",
            f"INSERT INTO search_vectorset ({COLUMNS}) SELECT gen_random_uuid(), now(), "
            + GIVEN.format(true="true", false="false"),
            VendorSQL.noop,
        ),
        VendorSQL(
            "sqlite",
            f"INSERT INTO search_vectorset ({COLUMNS}) SELECT lower(hex(randomblob(16))),"
            " strftime('%Y-%m-%d %H:%M:%f', 'now'), " + GIVEN.format(true="1", false="0"),
            VendorSQL.noop,
        ),
        VendorSQL(
            "postgresql",
            [((SQL / "near.sql").read_text(), None)],
            "DROP FUNCTION search_near_index",
        ),
    ]
