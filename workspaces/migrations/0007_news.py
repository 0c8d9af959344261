from pathlib import Path

import django.db.models.deletion
import django.db.models.manager
import django.utils.timezone
from django.db import migrations, models

import stackmemory.lib.uuid7
from stackmemory.lib.ddl import VendorSQL

SQL = Path(__file__).parent / "sql"


class Migration(migrations.Migration):
    dependencies = [
        ("workspaces", "0006_login_attempts"),
    ]

    operations = [
        migrations.CreateModel(
            name="News",
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
                ("position", models.BigIntegerField()),
                ("kind", models.CharField(max_length=20)),
                ("what", models.CharField(max_length=20)),
                ("project_id", models.UUIDField(null=True)),
                ("frame_id", models.UUIDField(null=True)),
                ("owner_id", models.UUIDField(null=True)),
                ("ids", models.JSONField(default=list)),
                ("count", models.PositiveIntegerField(default=1)),
                (
                    "workspace",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="news",
                        to="workspaces.workspace",
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "news",
                "abstract": False,
                "default_manager_name": "unscoped",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("workspace", "position"), name="news_position_once"
                    )
                ],
            },
            managers=[
                ("unscoped", django.db.models.manager.Manager()),
            ],
        ),
        VendorSQL(
            "postgresql",
            [((SQL / "tell_postgresql.sql").read_text(), None)],
            "DROP FUNCTION workspaces_tell(uuid, jsonb)",
        ),
    ]
