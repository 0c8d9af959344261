"""What was done in a workspace, in the order it was committed: the last day of it, for replay."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from workspaces.models.tenant import TenantModel


class News(TenantModel):
    """Ids only: who hears of it asks for the things themselves, and sees what they may see."""

    workspace = models.ForeignKey(
        "workspaces.Workspace", on_delete=models.CASCADE, related_name="news"
    )
    # Grows with every commit of the workspace: microseconds since 1970, or one more than the last.
    position = models.BigIntegerField()
    kind = models.CharField(max_length=20)
    what = models.CharField(max_length=20)
    # Plain values: news outlives what it is about.
    project_id = models.UUIDField(null=True)
    frame_id = models.UUIDField(null=True)
    # Only this person may hear of it.
    owner_id = models.UUIDField(null=True)
    # The first few; `count` is of all.
    ids = models.JSONField(default=list)
    count = models.PositiveIntegerField(default=1)

    class Meta(TenantModel.Meta):
        verbose_name_plural = "news"
        constraints: ClassVar = [
            # also serves the replay: one workspace, from a position on
            models.UniqueConstraint(fields=["workspace", "position"], name="news_position_once"),
        ]

    def __str__(self) -> str:
        return f"{self.position} {self.kind} {self.what}"
