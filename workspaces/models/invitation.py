"""An invitation: a place in a workspace, held for whoever reads mail at one address."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from django.conf import settings
from django.db import models
from django.utils import timezone

from stackmemory.lib.row_security import SECRET
from workspaces.models.membership import Membership
from workspaces.models.tenant import TenantManager, TenantModel, TenantQuerySet


class InvitationQuerySet(TenantQuerySet):
    def open(self) -> Self:
        """Neither accepted nor revoked; it may have expired, and can then be sent again."""
        return self.filter(accepted_at=None, revoked_at=None)

    def acceptable(self) -> Self:
        return self.open().filter(expires_at__gt=timezone.now())


class Invitation(TenantModel):
    """Of the link that was mailed only a digest is kept: nobody can read it back, admins included.

    That matters: the link proves that its bearer reads mail at `email`.
    """

    email = models.EmailField("e-mail address")
    role = models.CharField(
        max_length=10, choices=Membership.Role.choices, default=Membership.Role.MEMBER
    )
    token_digest = models.CharField(max_length=64, unique=True)
    invited_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    # None: the mail server did not take it.
    sent_at = models.DateTimeField(default=timezone.now, null=True)
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True, blank=True)
    accepted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    revoked_at = models.DateTimeField(null=True, blank=True)

    objects = TenantManager.from_queryset(InvitationQuerySet)()
    unscoped: ClassVar[Any] = models.Manager.from_queryset(InvitationQuerySet)()

    # Whoever shows the link sees its row before they are a member.
    row_security_also: ClassVar = (f"token_digest = {SECRET}",)

    class Meta(TenantModel.Meta):
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["workspace", "email"],
                condition=models.Q(accepted_at=None, revoked_at=None),
                name="invitation_open_once",
            ),
            models.CheckConstraint(
                condition=models.Q(role__in=["owner", "admin", "member", "viewer"]),
                name="invitation_role_known",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.email} as {self.role}"

    @property
    def is_open(self) -> bool:
        return self.accepted_at is None and self.revoked_at is None

    @property
    def has_expired(self) -> bool:
        return self.expires_at <= timezone.now()

    @property
    def is_acceptable(self) -> bool:
        return self.is_open and not self.has_expired
