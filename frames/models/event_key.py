"""Which event a client's own id became, where the source fixes no time."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from workspaces.models import TenantModel


class EventKey(TenantModel):
    """Outlives the event's archiving, so that a replay years later still meets its event."""

    # SHA-256 of the source id, in hex.
    digest = models.CharField(max_length=64)
    event_id = models.UUIDField()
    occurred_at = models.DateTimeField()

    class Meta(TenantModel.Meta):
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["workspace", "digest"], name="event_key_once"),
        ]

    def __str__(self) -> str:
        return f"{self.digest[:8]} → {self.event_id}"
