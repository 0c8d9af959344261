"""An import (later: an export, a mirror): how far it is, what came of it, what it had to adjust."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone

from stackmemory.lib.jsontext import OrderedJSONField
from workspaces.models import TenantModel


class Transfer(TenantModel):
    class Kind(models.TextChoices):
        IMPORT = "import"
        # what a local store gained since it was last looked at; there are many of one store
        MIRROR = "mirror"

    class State(models.TextChoices):
        # its files are on the way; `upload` is empty until all of them are here
        RECEIVING = "receiving"
        WAITING = "waiting"
        CHECKING = "checking"
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"
        CANCELLED = "cancelled"

    project = models.ForeignKey(
        "frames.Project",
        on_delete=models.SET_NULL,
        related_name="transfers",
        null=True,
        blank=True,
        db_constraint=False,
    )
    kind = models.CharField(max_length=10, choices=Kind.choices, default=Kind.IMPORT)
    state = models.CharField(max_length=10, choices=State.choices, default=State.WAITING)
    name = models.TextField()
    # Directory of the uploaded files under MEDIA_ROOT; empty for an import by command.
    upload = models.TextField(blank=True)
    # SHA-256 over the files read: a rerun of the same ones goes on where the last one stopped.
    fingerprint = models.CharField(max_length=64, blank=True)
    options = models.JSONField(default=dict, blank=True)
    # table → {"read", "imported", "updated", "existing", "conflict", "set_aside", "last"}
    tables = OrderedJSONField(default=dict, blank=True)
    adjusted = OrderedJSONField(default=dict, blank=True)
    # What the command says at the end (docs/importing.md); empty until then.
    report = OrderedJSONField(default=dict, blank=True)
    total_rows = models.PositiveBigIntegerField(default=0)
    done_rows = models.PositiveBigIntegerField(default=0)
    error = models.TextField(blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
    )
    started_at = models.DateTimeField(null=True, blank=True)
    # Written with every batch: a running transfer that has been silent for long has died.
    beat_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta(TenantModel.Meta):
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["workspace", "id"], name="transfer_ws_id"),
        ]
        indexes: ClassVar = [
            # the import page, newest first
            models.Index(fields=["workspace", "-id"], name="transfer_recent"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} of {self.name}"

    @property
    def is_over(self) -> bool:
        return self.state in (self.State.DONE, self.State.FAILED, self.State.CANCELLED)


class TransferItem(TenantModel):
    """One row of a transfer that needs saying something about."""

    class Category(models.TextChoices):
        ADJUSTED = "adjusted"
        CONFLICT = "conflict"
        SET_ASIDE = "set_aside"

    transfer = models.ForeignKey(
        "frames.Transfer",
        on_delete=models.CASCADE,
        related_name="items",
        db_constraint=False,
    )
    category = models.CharField(max_length=10, choices=Category.choices)
    table = models.TextField()
    source_id = models.TextField(blank=True)
    reason = models.TextField()
    # The source's row, word for word, where it is not (all) in a table of ours.
    content = OrderedJSONField(null=True, blank=True)

    class Meta(TenantModel.Meta):
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=[
                    "workspace",
                    "transfer",
                    "category",
                    "table",
                    "reason",
                    "source_id",
                ],
                name="transfer_item_once",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.table} {self.source_id}: {self.reason}"
