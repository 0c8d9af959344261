"""What a write was answered, so that its repetition is answered the same and done once."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from workspaces.models.tenant import TenantModel


class IdempotencyKey(TenantModel):
    # Two agents may choose the same word, so names are apart for each API key.
    api_key_id = models.UUIDField()
    name = models.CharField(max_length=255)
    # SHA-256 over method, path and body of the first request.
    fingerprint = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField()
    body = models.TextField()

    class Meta(TenantModel.Meta):
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["workspace", "api_key_id", "name"], name="idempotency_key_once"
            ),
        ]
        indexes: ClassVar = [
            # forgetting what is a day old, whosever it is
            models.Index(fields=["created_at"], name="idempotency_key_age"),
        ]

    def __str__(self) -> str:
        return f"{self.name}: {self.status}"
