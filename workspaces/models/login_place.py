"""Where a person has logged in from before."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone


class LoginPlace(models.Model):
    """A network and a kind of browser, as a keyed digest: enough to recognise, not to track."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="login_places"
    )
    digest = models.CharField(max_length=64)
    first_at = models.DateTimeField(default=timezone.now)
    last_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["user", "digest"], name="login_place_once"),
        ]

    def __str__(self) -> str:
        return f"a place of {self.user_id}"
