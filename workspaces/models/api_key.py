"""An API key: what an agent or a script shows instead of a password."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from django.conf import settings
from django.db import models
from django.utils import timezone

from stackmemory.lib.row_security import SECRET
from workspaces.models.tenant import TenantManager, TenantModel, TenantQuerySet


class ApiKeyQuerySet(TenantQuerySet):
    def usable(self) -> Self:
        now = timezone.now()
        return self.filter(revoked_at=None).filter(
            models.Q(expires_at=None) | models.Q(expires_at__gt=now)
        )


class ApiKey(TenantModel):
    """Only the SHA-256 of the key is kept; `public` finds the row (workspaces/api_keys.py)."""

    class Scope(models.TextChoices):
        READ = "read"
        WRITE = "write"
        ADMIN = "admin"

    name = models.CharField(max_length=100)
    public = models.CharField(max_length=10, unique=True)
    digest = models.CharField(max_length=64)
    scopes = models.JSONField(default=list)
    # A plain id, not a foreign key: projects belong to an app built on top of this one, and a
    # reference would point upwards. A key whose project is gone reaches nothing, for whoever uses
    # it looks the project up within the workspace; so a dangling id fails closed.
    project_id = models.UUIDField(null=True, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    # Minutes, not moments: api_keys.authenticate writes it once a minute at most.
    last_used_at = models.DateTimeField(null=True, blank=True)
    replaced_by = models.OneToOneField(
        "self",
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="replaces",
        db_constraint=False,
    )

    objects = TenantManager.from_queryset(ApiKeyQuerySet)()
    unscoped: ClassVar[Any] = models.Manager.from_queryset(ApiKeyQuerySet)()

    # Whoever shows the key sees its row before the workspace is known.
    row_security_also: ClassVar = (f"digest = {SECRET}",)

    class Meta(TenantModel.Meta):
        verbose_name = "API key"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["workspace", "id"], name="api_key_ws_id"),
        ]
        indexes: ClassVar = [
            # the page of keys, newest first
            models.Index(fields=["workspace", "-id"], name="api_key_recent"),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.shown})"

    @property
    def shown(self) -> str:
        """As much of the key as may be shown."""
        return f"sm_{self.public}_…"

    @property
    def has_expired(self) -> bool:
        return self.expires_at is not None and self.expires_at <= timezone.now()

    @property
    def is_usable(self) -> bool:
        return self.revoked_at is None and not self.has_expired
