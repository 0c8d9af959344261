"""How much a workspace used, by day, project and kind."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models

from workspaces.models.tenant import TenantModel

# What belongs to no project in particular. Not NULL: NULLs are never equal in a unique index.
NO_PROJECT = uuid.UUID(int=0)


class Usage(TenantModel):
    class Kind(models.TextChoices):
        REQUESTS = "requests"
        ROWS = "rows"
        BYTES = "bytes"

    day = models.DateField()
    project_id = models.UUIDField(default=NO_PROJECT)
    kind = models.CharField(max_length=20, choices=Kind.choices)
    amount = models.PositiveBigIntegerField(default=0)

    class Meta(TenantModel.Meta):
        verbose_name_plural = "usage"
        constraints: ClassVar = [
            # also serves the page: one workspace, a range of days
            models.UniqueConstraint(
                fields=["workspace", "day", "project_id", "kind"], name="usage_once_a_day"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.kind}: {self.amount}"
