"""The audit log's tables: entries that are only ever added, and where each chain ends."""

from __future__ import annotations

import json
from typing import Any, ClassVar

from django.db import models

from workspaces.models.tenant import TenantModel


class Audit(TenantModel):
    """One thing that was done. Written by workspaces.audit.record alone.

    The database refuses every UPDATE and DELETE save one: `details` and `salt` may become NULL
    together, which erases what was said about people without breaking the chain, since `hash`
    covers a salted digest of the details and not the details. Ids of people and keys are plain
    values: an entry outlives them.
    """

    # PROTECT: a workspace's log outlives its contents (workspaces/jobs.py erases the details).
    workspace = models.ForeignKey(
        "workspaces.Workspace", on_delete=models.PROTECT, related_name="audits"
    )
    created_at = models.DateTimeField(editable=False)
    seq = models.PositiveBigIntegerField()
    action = models.CharField(max_length=60)
    actor_id = models.UUIDField(null=True)
    key_id = models.UUIDField(null=True)
    target = models.CharField(max_length=40, blank=True)
    target_id = models.CharField(max_length=64, blank=True)
    # Canonical JSON as text, so that its digest is taken over what is stored on either engine.
    details = models.TextField(null=True)
    salt = models.CharField(max_length=32, null=True)
    details_digest = models.CharField(max_length=64)
    hash = models.CharField(max_length=64)

    # The application's role may not even try; erasure runs in the system scope.
    append_only: ClassVar = True

    class Meta(TenantModel.Meta):
        verbose_name_plural = "audit"
        constraints: ClassVar = [
            # also serves the page: a workspace's entries, newest first
            models.UniqueConstraint(fields=["workspace", "seq"], name="audit_seq_unique"),
        ]
        indexes: ClassVar = [
            # the page, filtered by who and by what
            models.Index(fields=["workspace", "actor_id", "-seq"], name="audit_by_actor"),
            models.Index(fields=["workspace", "action", "-seq"], name="audit_by_action"),
            models.Index(fields=["workspace", "-created_at"], name="audit_by_time"),
        ]

    def __str__(self) -> str:
        return f"#{self.seq} {self.action}"

    @property
    def data(self) -> dict[str, Any]:
        """The details; empty once erased."""
        return json.loads(self.details) if self.details else {}


class AuditHead(TenantModel):
    """Where a workspace's chain ends: the lock its writers queue on, and proof of a cut tail."""

    workspace = models.OneToOneField(
        "workspaces.Workspace", on_delete=models.PROTECT, related_name="audit_head"
    )
    seq = models.PositiveBigIntegerField(default=0)
    hash = models.CharField(max_length=64, default="")

    def __str__(self) -> str:
        return f"{self.seq}:{self.hash}"
