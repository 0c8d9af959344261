"""A frame: one unit of work on the call stack, with what went in and what came out."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, ClassVar, Self

from django.conf import settings
from django.db import models
from django.urls import reverse
from django.utils import timezone

from stackmemory.lib.jsontext import OrderedJSONField
from workspaces.models import TenantManager, TenantModel, TenantQuerySet, User


class FrameQuerySet(TenantQuerySet):
    def visible_to(self, user: User) -> Self:
        """Team frames and the person's own private ones."""
        return self.filter(models.Q(visibility=Frame.Visibility.TEAM) | models.Q(owner=user))

    def active(self) -> Self:
        return self.filter(closed_at=None).exclude(state=Frame.CLOSED)


class Frame(TenantModel):
    class Visibility(models.TextChoices):
        PRIVATE = "private"
        TEAM = "team"

    # States and types are open enums: what a store holds is kept.
    ACTIVE = "active"
    CLOSED = "closed"

    project = models.ForeignKey(
        "frames.Project",
        on_delete=models.CASCADE,
        related_name="frames",
        db_constraint=False,
    )
    session = models.ForeignKey(
        "frames.AgentSession",
        on_delete=models.SET_NULL,
        related_name="frames",
        null=True,
        blank=True,
        db_constraint=False,
    )
    parent = models.ForeignKey(
        "self",
        on_delete=models.SET_NULL,
        related_name="children",
        null=True,
        blank=True,
        db_constraint=False,
    )
    # The frame at the bottom of this one's stack (itself for a root): a tree is one query.
    root_id = models.UUIDField(editable=False)
    depth = models.IntegerField(default=0)
    type = models.TextField(default="task")
    name = models.TextField()
    state = models.TextField(default=ACTIVE)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
    )
    visibility = models.CharField(
        max_length=10, choices=Visibility.choices, default=Visibility.TEAM
    )
    inputs = OrderedJSONField(default=dict, blank=True)
    outputs = OrderedJSONField(default=dict, blank=True)
    digest_text = models.TextField(blank=True)
    digest = OrderedJSONField(default=dict, blank=True)
    metadata = OrderedJSONField(default=dict, blank=True)
    retention = models.TextField(default="default")
    score = models.FloatField(null=True, blank=True)
    started_at = models.DateTimeField(default=timezone.now)
    closed_at = models.DateTimeField(null=True, blank=True)
    # Kept by whoever appends, so that lists count nothing.
    event_count = models.PositiveIntegerField(default=0)
    error_count = models.PositiveIntegerField(default=0)
    anchor_count = models.PositiveIntegerField(default=0)
    child_count = models.PositiveIntegerField(default=0)
    first_event_at = models.DateTimeField(null=True, blank=True)
    last_event_at = models.DateTimeField(null=True, blank=True)
    # How many of its events are in cold storage (frames/cold/); the others are in the table.
    cold_count = models.PositiveIntegerField(default=0, db_default=0)
    # Where the row came from (docs/importing.md): the client's id, the id its project had there,
    # and whatever of the source row the columns above cannot say.
    source_id = models.TextField(null=True, blank=True)
    source_project = models.TextField(blank=True)
    source = OrderedJSONField(null=True, blank=True)

    objects = TenantManager.from_queryset(FrameQuerySet)()
    unscoped: ClassVar[Any] = models.Manager.from_queryset(FrameQuerySet)()

    class Meta(TenantModel.Meta):
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["workspace", "id"], name="frame_ws_id"),
            models.UniqueConstraint(fields=["workspace", "source_id"], name="frame_source_unique"),
            models.CheckConstraint(
                condition=models.Q(visibility__in=["private", "team"]),
                name="frame_visibility_known",
            ),
        ]
        indexes: ClassVar = [
            # a project's roots, newest first
            models.Index(
                fields=["project", "-started_at", "-id"],
                condition=models.Q(parent=None),
                name="frame_roots",
            ),
            # what returned last in a project
            models.Index(
                fields=["project", "-closed_at", "-id"],
                condition=models.Q(closed_at__isnull=False),
                name="frame_closed",
            ),
            # one tree, or several
            models.Index(fields=["root_id", "started_at", "id"], name="frame_tree"),
            # what is going on in the workspace now
            models.Index(
                fields=["workspace", "-started_at"],
                condition=models.Q(closed_at=None),
                name="frame_open",
            ),
        ]

    def __str__(self) -> str:
        return self.name or "(no name)"

    def get_absolute_url(self) -> str:
        return reverse("frames:frame", args=[self.workspace.slug, self.id])

    @property
    def is_open(self) -> bool:
        return self.closed_at is None and self.state != self.CLOSED

    @property
    def ended_at(self) -> datetime | None:
        """When it closed; for one that never did, when it last did anything, if known."""
        return self.closed_at or self.last_event_at

    @property
    def duration(self) -> timedelta | None:
        """From start to close; None while open, and never negative."""
        if self.closed_at is None:
            return None
        return max(self.closed_at - self.started_at, timedelta())
