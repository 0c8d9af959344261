"""What was erased, by a digest of its name alone: so that no replay or import brings it back."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from workspaces.models import TenantModel


class Erased(TenantModel):
    """One row for each frame, session, anchor and task that was erased; events go by their frame."""

    class Kind(models.TextChoices):
        FRAME = "frame"
        SESSION = "session"
        ANCHOR = "anchor"
        TASK = "task"

    kind = models.CharField(max_length=10, choices=Kind.choices)
    # SHA-256 of the client's own id, or of ours where it gave none, in hex.
    digest = models.CharField(max_length=64)

    class Meta(TenantModel.Meta):
        verbose_name_plural = "erased"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["workspace", "kind", "digest"], name="erased_once"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.digest[:8]}"
