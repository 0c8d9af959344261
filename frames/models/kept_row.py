"""A row of a local store that has no table of its own here, kept word for word."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from stackmemory.lib.jsontext import OrderedJSONField
from workspaces.models import TenantModel


class KeptRow(TenantModel):
    project = models.ForeignKey(
        "frames.Project",
        on_delete=models.CASCADE,
        related_name="kept_rows",
        db_constraint=False,
    )
    table = models.TextField()
    # The row's own key, or a digest of its content where its table has none that lasts.
    source_id = models.TextField()
    content = OrderedJSONField()

    class Meta(TenantModel.Meta):
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["workspace", "project", "table", "source_id"],
                name="kept_row_unique",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.table} {self.source_id}"
