"""The vectors a workspace has by one model: whether search may go by them, and where they stand."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from workspaces.models import TenantModel


class VectorSet(TenantModel):
    model = models.CharField(max_length=100)
    dimension = models.PositiveIntegerField()
    # Every document has had its vector by this model; search goes by such a set.
    is_complete = models.BooleanField(default=False)
    # Since when another set has taken its place.
    replaced_at = models.DateTimeField(null=True, blank=True)
    # Of large workspaces on PostgreSQL: the approximate index that holds the vectors, one of a
    # fixed number that such workspaces share. `is_arranged` when all of them are in it.
    bucket = models.SmallIntegerField(null=True, blank=True)
    is_arranged = models.BooleanField(default=False)
    # About how many, when they were arranged: buckets are filled evenly.
    size = models.PositiveIntegerField(default=0)

    class Meta(TenantModel.Meta):
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["workspace", "model"], name="vector_set_once"),
        ]

    def __str__(self) -> str:
        return self.model
