"""A workspace: one team, and the wall around everything it has."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.core.validators import RegexValidator
from django.db import models
from django.urls import reverse
from django.utils import timezone

from stackmemory.lib.uuid7 import uuid7

if TYPE_CHECKING:
    from workspaces.models.user import User

# How long an owner can take a deletion back.
GRACE = timedelta(days=7)

slug_validator = RegexValidator(
    r"^[a-z0-9](?:[a-z0-9-]{0,48}[a-z0-9])?$",
    "Use 1 to 50 lower-case letters, digits and hyphens; begin and end with a letter or digit.",
)


class WorkspaceQuerySet(models.QuerySet["Workspace"]):
    def live(self) -> WorkspaceQuerySet:
        return self.filter(deleted_at=None)

    def of(self, user: User) -> WorkspaceQuerySet:
        """The workspaces this person is a member of."""
        return self.live().filter(memberships__user=user).order_by("name")


class Workspace(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    slug = models.CharField(max_length=50, unique=True, validators=[slug_validator])
    name = models.CharField(max_length=100)
    settings = models.JSONField(default=dict, blank=True)
    # Which limits it has (PlanLimit), save those it has of its own (Limit).
    plan = models.CharField(max_length=30, default="standard")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    # Deleted by an owner, who can restore it for a week; then erased: an empty row that carries
    # the audit chain and nothing else.
    deleted_at = models.DateTimeField(null=True, blank=True)
    erased_at = models.DateTimeField(null=True, blank=True)

    objects = WorkspaceQuerySet.as_manager()

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("frames:home", args=[self.slug])

    @property
    def erased_on(self) -> datetime | None:
        """When a deleted workspace is due to be erased."""
        return self.deleted_at + GRACE if self.deleted_at else None
