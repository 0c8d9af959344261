"""What a row said before it was changed."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone

from stackmemory.lib.jsontext import OrderedJSONField
from workspaces.models import TenantModel


class Revision(TenantModel):
    class Cause(models.TextChoices):
        PERSON = "person"
        AGENT = "agent"
        IMPORT = "import"

    kind = models.CharField(max_length=20)
    object_id = models.UUIDField()
    valid_from = models.DateTimeField(null=True, blank=True)
    valid_to = models.DateTimeField(default=timezone.now)
    cause = models.CharField(max_length=10, choices=Cause.choices)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
    )
    # The replaced values, by field name.
    data = OrderedJSONField()

    class Meta(TenantModel.Meta):
        indexes: ClassVar = [
            # the history of one object
            models.Index(fields=["workspace", "object_id", "valid_to"], name="revision_history"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.object_id} until {self.valid_to}"
