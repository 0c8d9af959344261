"""One run of one agent client."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models

from workspaces.models import TenantModel


class AgentSession(TenantModel):
    project = models.ForeignKey(
        "frames.Project",
        on_delete=models.CASCADE,
        related_name="sessions",
        db_constraint=False,
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
    )
    client = models.CharField(max_length=100, blank=True)
    branch = models.CharField(max_length=255, blank=True)
    host = models.CharField(max_length=255, blank=True)
    started_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    # The client's own id of the run: any text, so unique within a project only.
    source_id = models.TextField(null=True, blank=True)

    class Meta(TenantModel.Meta):
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["workspace", "id"], name="session_ws_id"),
            models.UniqueConstraint(
                fields=["workspace", "project", "source_id"],
                name="session_source_unique",
            ),
        ]
        indexes: ClassVar = [
            # the sessions page, newest first
            models.Index(fields=["workspace", "-last_seen_at", "-id"], name="session_recent"),
        ]

    def __str__(self) -> str:
        return f"{self.client or 'session'} {self.source_id or self.id}"
