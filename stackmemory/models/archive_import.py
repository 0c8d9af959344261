"""An archive that somebody brings in, for a workspace that is not there yet: so of no workspace."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone

from stackmemory.lib.uuid7 import uuid7


class ArchiveImport(models.Model):
    """Its person's alone. How far it is stands in a file beside the archive (arrivals/progress.py):
    all of it is written in one transaction, out of which nothing could be told."""

    class State(models.TextChoices):
        RECEIVING = "receiving"
        WAITING = "waiting"
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"
        CANCELLED = "cancelled"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+"
    )
    state = models.CharField(max_length=10, choices=State.choices, default=State.RECEIVING)
    # What the file was called, and the address the workspace is to have; "" for the archive's own.
    name = models.CharField(max_length=200)
    slug = models.CharField(max_length=50, blank=True)
    size = models.PositiveBigIntegerField(default=0)
    sha256 = models.CharField(max_length=64, blank=True)
    report = models.JSONField(default=dict, blank=True)
    error = models.TextField(blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    beat_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes: ClassVar = [
            # a person's, newest first
            models.Index(fields=["created_by", "-id"], name="archive_import_of_person"),
        ]

    def __str__(self) -> str:
        return f"{self.name}: {self.state}"

    @property
    def is_over(self) -> bool:
        return self.state in (self.State.DONE, self.State.FAILED, self.State.CANCELLED)
