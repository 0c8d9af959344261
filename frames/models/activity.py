"""How much happened in a project, by the hour: what charts are drawn from."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from workspaces.models import TenantModel


class Activity(TenantModel):
    project = models.ForeignKey(
        "frames.Project",
        on_delete=models.CASCADE,
        related_name="activity",
        db_constraint=False,
    )
    # Hours, not days, so that a day can be the reader's own.
    hour = models.DateTimeField()
    events = models.PositiveIntegerField(default=0)
    errors = models.PositiveIntegerField(default=0)
    frames = models.PositiveIntegerField(default=0)

    class Meta(TenantModel.Meta):
        verbose_name_plural = "activity"
        constraints: ClassVar = [
            # also serves the chart: one workspace, a range of hours
            models.UniqueConstraint(
                fields=["workspace", "hour", "project"], name="activity_hour_unique"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.hour:%Y-%m-%d %H}h"
