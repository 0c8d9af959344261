"""A hand-off: one person asks another to take a frame over."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models

from workspaces.models import TenantModel


class HandOff(TenantModel):
    class State(models.TextChoices):
        PENDING = "pending"
        ACCEPTED = "accepted"
        DECLINED = "declined"
        WITHDRAWN = "withdrawn"

    frame = models.ForeignKey(
        "frames.Frame", on_delete=models.CASCADE, related_name="hand_offs", db_constraint=False
    )
    from_user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    to_user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+"
    )
    message = models.TextField(blank=True)
    state = models.CharField(max_length=10, choices=State.choices, default=State.PENDING)
    answer = models.TextField(blank=True)
    answered_at = models.DateTimeField(null=True, blank=True)

    class Meta(TenantModel.Meta):
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["frame"], condition=models.Q(state="pending"), name="hand_off_one_pending"
            ),
        ]
        indexes: ClassVar = [
            # what waits for a person
            models.Index(fields=["workspace", "to_user", "state"], name="hand_off_waiting"),
        ]

    def __str__(self) -> str:
        return f"{self.frame_id} to {self.to_user_id}: {self.state}"
