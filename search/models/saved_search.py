"""A search that a person keeps."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models

from workspaces.models import TenantModel


class SavedSearch(TenantModel):
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    name = models.CharField(max_length=80)
    # The page's query string: words, filters and order.
    query = models.CharField(max_length=1000)

    class Meta(TenantModel.Meta):
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["workspace", "user", "name"], name="saved_search_named_once"
            ),
        ]
        ordering: ClassVar = ["name"]

    def __str__(self) -> str:
        return self.name
