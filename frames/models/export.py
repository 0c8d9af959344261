"""An export: a file that is made for whoever asked, and waits for them for a day."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone

from workspaces.models import TenantModel


class Export(TenantModel):
    class Format(models.TextChoices):
        # a project as the database that the local tool keeps
        STORE = "store", "Local store"
        # the whole workspace in one file (docs/archive-format.md)
        ARCHIVE = "archive", "Archive of the workspace"

    class State(models.TextChoices):
        WAITING = "waiting"
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"
        CANCELLED = "cancelled"
        EXPIRED = "expired"

    format = models.CharField(max_length=10, choices=Format.choices)
    state = models.CharField(max_length=10, choices=State.choices, default=State.WAITING)
    project = models.ForeignKey(
        "frames.Project",
        on_delete=models.SET_NULL,
        related_name="exports",
        null=True,
        blank=True,
        db_constraint=False,
    )
    # Nobody else may have it: the private frames in it are theirs to see.
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    options = models.JSONField(default=dict, blank=True)
    # Under MEDIA_ROOT; empty while there is none, or no more.
    file = models.TextField(blank=True)
    size = models.PositiveBigIntegerField(default=0)
    done_rows = models.PositiveBigIntegerField(default=0)
    total_rows = models.PositiveBigIntegerField(default=0)
    report = models.JSONField(default=dict, blank=True)
    error = models.TextField(blank=True)
    # Written as it goes on: one that has been silent for long has died.
    beat_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)

    class Meta(TenantModel.Meta):
        indexes: ClassVar = [
            # a person's, newest first
            models.Index(fields=["workspace", "created_by", "-id"], name="export_of_person"),
        ]

    def __str__(self) -> str:
        return f"{self.format} {self.state}"

    @property
    def is_over(self) -> bool:
        return self.state not in (self.State.WAITING, self.State.RUNNING)
