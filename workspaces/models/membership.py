"""Who belongs to a workspace, as what."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models

from stackmemory.lib.row_security import PERSON
from workspaces.models.tenant import TenantModel


class Membership(TenantModel):
    class Role(models.TextChoices):
        OWNER = "owner"
        ADMIN = "admin"
        MEMBER = "member"
        VIEWER = "viewer"

    workspace = models.ForeignKey(
        "workspaces.Workspace", on_delete=models.CASCADE, related_name="memberships"
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships"
    )
    role = models.CharField(max_length=10, choices=Role.choices, default=Role.MEMBER)
    # Minutes, not moments: the middleware writes it once a minute at most.
    last_seen_at = models.DateTimeField(null=True, blank=True)

    # A person sees their own memberships before they enter a workspace.
    row_security_also: ClassVar = (f"user_id = {PERSON}",)

    class Meta(TenantModel.Meta):
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["workspace", "user"], name="membership_once"),
            models.CheckConstraint(
                condition=models.Q(role__in=["owner", "admin", "member", "viewer"]),
                name="membership_role_known",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user} as {self.role}"
