"""A project: one repository and the work done in it."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.urls import reverse

from workspaces.models import TenantModel
from workspaces.models.workspace import slug_validator


class Project(TenantModel):
    slug = models.CharField(max_length=50, validators=[slug_validator])
    name = models.CharField(max_length=200)
    repo_url = models.CharField(max_length=500, blank=True)
    # The ids this repository went by in local stores; one file often holds several.
    aliases = models.JSONField(default=list, blank=True)
    settings = models.JSONField(default=dict, blank=True)

    class Meta(TenantModel.Meta):
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["workspace", "slug"], name="project_slug_unique"),
            models.UniqueConstraint(fields=["workspace", "id"], name="project_ws_id"),
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("frames:project", args=[self.workspace.slug, self.slug])
