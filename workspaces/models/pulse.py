"""How quickly a workspace was answered, by the minute; and what it used, by hours and days."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from workspaces.models.tenant import TenantModel
from workspaces.models.usage import NO_PROJECT


class Pulse(TenantModel):
    """Requests of one minute that took at most `ms` (and more than the step below). Kept two days."""

    workspace = models.ForeignKey(
        "workspaces.Workspace", on_delete=models.CASCADE, related_name="pulses"
    )
    minute = models.DateTimeField()
    ms = models.PositiveIntegerField()
    amount = models.PositiveIntegerField(default=0)
    failures = models.PositiveIntegerField(default=0)

    class Meta(TenantModel.Meta):
        constraints: ClassVar = [
            # also serves the page: one workspace, the last minutes
            models.UniqueConstraint(fields=["workspace", "minute", "ms"], name="pulse_once"),
        ]

    def __str__(self) -> str:
        return f"{self.minute:%H:%M} {self.amount} ≤ {self.ms} ms"


class History(TenantModel):
    """What was used in an hour or a day, for years: partitioned by the time in its id.

    An id derives from time, workspace, span, name and project, so that a figure is counted once.
    """

    class Span(models.TextChoices):
        HOUR = "hour"
        DAY = "day"

    workspace = models.ForeignKey(
        "workspaces.Workspace", on_delete=models.CASCADE, related_name="history"
    )
    # When the hour or the UTC day begins.
    at = models.DateTimeField()
    span = models.CharField(max_length=4, choices=Span.choices)
    # events, errors, frames; requests, failures, p95_ms
    name = models.CharField(max_length=20)
    project_id = models.UUIDField(default=NO_PROJECT)
    amount = models.BigIntegerField(default=0)

    class Meta(TenantModel.Meta):
        verbose_name_plural = "history"
        indexes: ClassVar = [
            # one workspace's figures over a time
            models.Index(fields=["workspace", "span", "at"], name="history_of_time"),
        ]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H}h {self.name} {self.amount}"
