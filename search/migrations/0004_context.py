"""What agents were given, word for word, and what people said of its parts."""

import django.db.models.deletion
import django.db.models.manager
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

import stackmemory.lib.jsontext
import stackmemory.lib.uuid7
from stackmemory.lib.ddl import SameWorkspace


class Migration(migrations.Migration):
    dependencies = [
        ("frames", "0004_agents"),
        ("search", "0003_people_words_and_saved_searches"),
        ("workspaces", "0006_login_attempts"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="ContextBundle",
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
                ("private", models.BooleanField(default=False)),
                (
                    "origin",
                    models.CharField(
                        choices=[
                            ("api", "API"),
                            ("tool", "Tool"),
                            ("hook", "Hook"),
                            ("page", "Page"),
                        ],
                        max_length=10,
                    ),
                ),
                ("query", models.TextField(blank=True)),
                ("budget", models.PositiveIntegerField()),
                ("tokens", models.PositiveIntegerField()),
                ("as_of", models.DateTimeField(blank=True, null=True)),
                ("items", stackmemory.lib.jsontext.OrderedJSONField(default=list)),
                ("text", models.TextField(blank=True)),
                ("hash", models.CharField(max_length=64)),
                (
                    "project",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="contexts",
                        to="frames.project",
                    ),
                ),
                (
                    "session",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="contexts",
                        to="frames.agentsession",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
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
            },
            managers=[
                ("unscoped", django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name="ContextMark",
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
                ("kind", models.CharField(max_length=10)),
                ("object_id", models.UUIDField()),
                ("useful", models.BooleanField()),
                (
                    "bundle",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="marks",
                        to="search.contextbundle",
                    ),
                ),
                (
                    "project",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="frames.project",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
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
            },
            managers=[
                ("unscoped", django.db.models.manager.Manager()),
            ],
        ),
        migrations.AddIndex(
            model_name="contextbundle",
            index=models.Index(fields=["session", "-created_at", "-id"], name="context_of_session"),
        ),
        migrations.AddIndex(
            model_name="contextbundle",
            index=models.Index(fields=["workspace", "-created_at", "-id"], name="context_recent"),
        ),
        migrations.AddConstraint(
            model_name="contextbundle",
            constraint=models.UniqueConstraint(fields=("workspace", "id"), name="context_ws_id"),
        ),
        migrations.AddConstraint(
            model_name="contextmark",
            constraint=models.UniqueConstraint(
                fields=("workspace", "object_id", "user"), name="context_mark_once"
            ),
        ),
        SameWorkspace("search_contextbundle", "project_id", "frames_project"),
        SameWorkspace("search_contextbundle", "session_id", "frames_agentsession"),
        SameWorkspace("search_contextmark", "project_id", "frames_project"),
        SameWorkspace("search_contextmark", "bundle_id", "search_contextbundle"),
    ]
