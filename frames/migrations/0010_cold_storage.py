"""Months of events in the object store: the manifest of each object, and how many a frame has there."""

import django.db.models.deletion
import django.db.models.manager
import django.utils.timezone
from django.db import migrations, models

import stackmemory.lib.uuid7
from stackmemory.lib.ddl import SameWorkspace


class Migration(migrations.Migration):
    dependencies = [
        ("frames", "0009_stored_payloads"),
        ("workspaces", "0001_initial"),
    ]

    operations = [
        migrations.AddField(
            model_name="frame",
            name="cold_count",
            field=models.PositiveIntegerField(db_default=0, default=0),
        ),
        migrations.CreateModel(
            name="ArchivedPeriod",
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
                ("month", models.DateField()),
                ("part", models.PositiveIntegerField()),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("writing", "Writing"),
                            ("written", "Written"),
                            ("cold", "Cold"),
                            ("restored", "Restored"),
                        ],
                        default="writing",
                        max_length=10,
                    ),
                ),
                ("object", models.TextField()),
                ("bytes", models.PositiveBigIntegerField(default=0)),
                ("sha256", models.CharField(blank=True, max_length=64)),
                ("events", models.PositiveIntegerField(default=0)),
                ("frames", models.PositiveIntegerField(default=0)),
                ("payload_bytes", models.PositiveBigIntegerField(default=0)),
                ("first_id", models.UUIDField(blank=True, null=True)),
                ("last_id", models.UUIDField(blank=True, null=True)),
                ("beat_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("moved_at", models.DateTimeField(blank=True, null=True)),
                ("restored_at", models.DateTimeField(blank=True, null=True)),
                (
                    "project",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="archived_periods",
                        to="frames.project",
                    ),
                ),
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
                    models.UniqueConstraint(
                        fields=("workspace", "project", "month", "part"),
                        name="archived_period_once",
                    )
                ],
            },
            managers=[("unscoped", django.db.models.manager.Manager())],
        ),
        SameWorkspace("frames_archivedperiod", "project_id", "frames_project"),
    ]
