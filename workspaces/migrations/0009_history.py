import uuid
from pathlib import Path

import django.db.models.deletion
import django.db.models.manager
import django.utils.timezone
from django.db import migrations, models

import stackmemory.lib.uuid7
from stackmemory.lib.ddl import CreatePartitionedModel, VendorSQL

SQL = Path(__file__).parent / "sql"


def key():
    return (
        "id",
        models.UUIDField(
            default=stackmemory.lib.uuid7.uuid7,
            editable=False,
            primary_key=True,
            serialize=False,
        ),
    )


def made():
    return (
        "created_at",
        models.DateTimeField(default=django.utils.timezone.now, editable=False),
    )


def workspace(name):
    return (
        "workspace",
        models.ForeignKey(
            on_delete=django.db.models.deletion.CASCADE,
            related_name=name,
            to="workspaces.workspace",
        ),
    )


class Migration(migrations.Migration):
    dependencies = [
        ("workspaces", "0008_limits_of_more"),
    ]

    operations = [
        migrations.CreateModel(
            name="Pulse",
            fields=[
                key(),
                made(),
                ("minute", models.DateTimeField()),
                ("ms", models.PositiveIntegerField()),
                ("amount", models.PositiveIntegerField(default=0)),
                ("failures", models.PositiveIntegerField(default=0)),
                workspace("pulses"),
            ],
            options={
                "abstract": False,
                "default_manager_name": "unscoped",
                "constraints": [
                    models.UniqueConstraint(fields=("workspace", "minute", "ms"), name="pulse_once")
                ],
            },
            managers=[
                ("unscoped", django.db.models.manager.Manager()),
            ],
        ),
        CreatePartitionedModel(
            name="History",
            fields=[
                key(),
                made(),
                ("at", models.DateTimeField()),
                (
                    "span",
                    models.CharField(choices=[("hour", "Hour"), ("day", "Day")], max_length=4),
                ),
                ("name", models.CharField(max_length=20)),
                ("project_id", models.UUIDField(default=uuid.UUID(int=0))),
                ("amount", models.BigIntegerField(default=0)),
                workspace("history"),
            ],
            options={
                "verbose_name_plural": "history",
                "abstract": False,
                "default_manager_name": "unscoped",
                "indexes": [
                    models.Index(fields=["workspace", "span", "at"], name="history_of_time")
                ],
            },
            managers=[
                ("unscoped", django.db.models.manager.Manager()),
            ],
        ),
        VendorSQL(
            "postgresql",
            [((SQL / "history_years_postgresql.sql").read_text(), None)],
            migrations.RunSQL.noop,
        ),
    ]
