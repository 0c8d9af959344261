"""How many of a frame's events search has looked at, so that silent ones are not looked at again."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from workspaces.models import TenantModel


class IndexedFrame(TenantModel):
    frame = models.ForeignKey(
        "frames.Frame", on_delete=models.CASCADE, related_name="+", db_constraint=False
    )
    # The frame's event_count when its events were last looked through, all of them.
    events = models.PositiveIntegerField()

    class Meta(TenantModel.Meta):
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["workspace", "frame"], name="indexed_frame_once"),
        ]

    def __str__(self) -> str:
        return f"{self.events} events of {self.frame_id}"
