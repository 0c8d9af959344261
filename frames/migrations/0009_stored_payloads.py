"""Large payloads lie in the object store; an event keeps a preview and the digest of the whole."""

import django.db.models.deletion
import django.db.models.manager
import django.utils.timezone
from django.db import migrations, models

import stackmemory.lib.uuid7
from stackmemory.lib.ddl import SameWorkspace

KEY = {
    "default": stackmemory.lib.uuid7.uuid7,
    "editable": False,
    "primary_key": True,
    "serialize": False,
}


class Migration(migrations.Migration):
    dependencies = [
        ("frames", "0008_erased"),
        ("workspaces", "0001_initial"),
    ]

    operations = [
        # Without a check, so that no month is read through for a column that is empty.
        migrations.AddField(
            model_name="event",
            name="stored_digest",
            field=models.CharField(blank=True, max_length=64, null=True),
        ),
        migrations.AddField(
            model_name="event",
            name="stored_octets",
            field=models.BigIntegerField(blank=True, null=True),
        ),
        migrations.CreateModel(
            name="StoredPayload",
            fields=[
                ("id", models.UUIDField(**KEY)),
                (
                    "created_at",
                    models.DateTimeField(default=django.utils.timezone.now, editable=False),
                ),
                ("digest", models.CharField(max_length=64)),
                ("octets", models.PositiveBigIntegerField()),
                ("packed", models.PositiveBigIntegerField(default=0)),
                ("seen_at", models.DateTimeField(default=django.utils.timezone.now)),
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
                        fields=("workspace", "digest"), name="stored_payload_once"
                    ),
                    models.UniqueConstraint(
                        fields=("workspace", "id"), name="stored_payload_in_workspace"
                    ),
                ],
            },
            managers=[("unscoped", django.db.models.manager.Manager())],
        ),
        migrations.CreateModel(
            name="PayloadUse",
            fields=[
                ("id", models.UUIDField(**KEY)),
                (
                    "created_at",
                    models.DateTimeField(default=django.utils.timezone.now, editable=False),
                ),
                ("event_id", models.UUIDField()),
                (
                    "frame",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="payload_uses",
                        to="frames.frame",
                    ),
                ),
                (
                    "payload",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="uses",
                        to="frames.storedpayload",
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
                        fields=("workspace", "event_id"), name="payload_use_once"
                    )
                ],
            },
            managers=[("unscoped", django.db.models.manager.Manager())],
        ),
        SameWorkspace("frames_payloaduse", "frame_id", "frames_frame"),
        SameWorkspace("frames_payloaduse", "payload_id", "frames_storedpayload"),
    ]
