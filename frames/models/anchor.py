"""An anchor: what must not be forgotten."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from django.db import models
from django.utils import timezone

from stackmemory.lib.jsontext import OrderedJSONField
from workspaces.models import TenantManager, TenantModel, TenantQuerySet, User


class AnchorQuerySet(TenantQuerySet):
    def standing(self) -> Self:
        """Those that nothing has replaced."""
        return self.filter(superseded_by=None)

    def visible_to(self, user: User) -> Self:
        """Anchors of no frame, of team frames, and of the person's own private ones."""
        return self.filter(
            models.Q(frame=None) | models.Q(frame__visibility="team") | models.Q(frame__owner=user)
        )


class Anchor(TenantModel):
    class Type(models.TextChoices):
        """The types tools offer; any other a store holds is kept as it is."""

        DECISION = "DECISION", "Decision"
        CONSTRAINT = "CONSTRAINT", "Constraint"
        FACT = "FACT", "Fact"
        INTERFACE_CONTRACT = "INTERFACE_CONTRACT", "Interface contract"
        TODO = "TODO", "To do"
        RISK = "RISK", "Risk"

    class Origin(models.TextChoices):
        """Which kind of row of a local store it was; source ids are unique within one."""

        ANCHOR = "anchor"
        CONTEXT = "context"
        SESSION_DECISION = "session_decision"

    project = models.ForeignKey(
        "frames.Project",
        on_delete=models.CASCADE,
        related_name="anchors",
        db_constraint=False,
    )
    frame = models.ForeignKey(
        "frames.Frame",
        on_delete=models.SET_NULL,
        related_name="anchors",
        null=True,
        blank=True,
        db_constraint=False,
    )
    type = models.TextField(default=Type.FACT)
    text = models.TextField()
    # 0–10 by convention; what a store holds is kept and shown clamped.
    priority = models.BigIntegerField(default=5)
    pinned = models.BooleanField(default=False)
    aliases = models.JSONField(default=list, blank=True)
    superseded_by = models.ForeignKey(
        "self",
        on_delete=models.SET_NULL,
        related_name="supersedes",
        null=True,
        blank=True,
        db_constraint=False,
    )
    superseded_at = models.DateTimeField(null=True, blank=True)
    noted_at = models.DateTimeField(default=timezone.now)
    metadata = OrderedJSONField(default=dict, blank=True)
    origin = models.CharField(max_length=20, choices=Origin.choices, default=Origin.ANCHOR)
    source_id = models.TextField(null=True, blank=True)
    source_project = models.TextField(blank=True)
    source = OrderedJSONField(null=True, blank=True)

    objects = TenantManager.from_queryset(AnchorQuerySet)()
    unscoped: ClassVar[Any] = models.Manager.from_queryset(AnchorQuerySet)()

    class Meta(TenantModel.Meta):
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["workspace", "id"], name="anchor_ws_id"),
            models.UniqueConstraint(
                fields=["workspace", "origin", "source_id"], name="anchor_source_unique"
            ),
        ]
        indexes: ClassVar = [
            # the anchors page: pinned first, then newest
            models.Index(
                fields=["workspace", "-pinned", "-noted_at", "-id"],
                name="anchor_recent",
            ),
        ]

    def __str__(self) -> str:
        return self.text[:80]
