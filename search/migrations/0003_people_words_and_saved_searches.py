"""Whose a document is, the words there are, searches people keep, and what was looked through."""

from pathlib import Path

import django.db.models.deletion
import django.db.models.manager
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

import stackmemory.lib.uuid7
from stackmemory.lib.ddl import SameWorkspace, VendorSQL

SQL = Path(__file__).parent / "sql"
OLD = "text[], float8[], uuid, uuid[], text[], text[], timestamptz, timestamptz, int"
NEW = (
    "text[], float8[], uuid, uuid[], text[], text[], timestamptz, timestamptz, uuid[], text[],"
    " boolean, float8, float8, text[], int"
)


def statement(name: str, which: str) -> str:
    """One CREATE FUNCTION of a file of them."""
    text = (SQL / name).read_text()
    start = text.index(f"CREATE FUNCTION {which}(")
    return text[start : text.index("$$;", start) + 3]


class Migration(migrations.Migration):
    dependencies = [
        ("frames", "0004_agents"),
        ("search", "0002_text_search"),
        ("workspaces", "0006_login_attempts"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="document",
            name="is_open",
            field=models.BooleanField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="document",
            name="owner",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.CreateModel(
            name="IndexedFrame",
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
                ("events", models.PositiveIntegerField()),
                (
                    "frame",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="frames.frame",
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
                        fields=("workspace", "frame"), name="indexed_frame_once"
                    )
                ],
            },
            managers=[
                ("unscoped", django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name="SavedSearch",
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
                ("name", models.CharField(max_length=80)),
                ("query", models.CharField(max_length=1000)),
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
                "ordering": ["name"],
                "abstract": False,
                "default_manager_name": "unscoped",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("workspace", "user", "name"), name="saved_search_named_once"
                    )
                ],
            },
            managers=[
                ("unscoped", django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name="Word",
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
                ("text", models.CharField(max_length=40)),
                ("first", models.CharField(max_length=1)),
                ("length", models.PositiveSmallIntegerField()),
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
                "indexes": [
                    models.Index(fields=["workspace", "first", "length"], name="word_near")
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("workspace", "text"), name="word_once")
                ],
            },
            managers=[
                ("unscoped", django.db.models.manager.Manager()),
            ],
        ),
        SameWorkspace("search_indexedframe", "frame_id", "frames_frame"),
        VendorSQL(
            "postgresql",
            [
                (f"DROP FUNCTION search_candidates({OLD})", None),
                (statement("candidates_by_person.sql", "search_candidates"), None),
            ],
            [
                (f"DROP FUNCTION search_candidates({NEW})", None),
                (statement("candidates.sql", "search_candidates"), None),
            ],
        ),
    ]
