"""A task: something to be done, with its state and what it waits for."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from django.db import models
from django.utils import timezone

from stackmemory.lib.jsontext import OrderedJSONField
from workspaces.models import TenantManager, TenantModel, TenantQuerySet, User


class TaskQuerySet(TenantQuerySet):
    def visible_to(self, user: User) -> Self:
        """Tasks of no frame, of team frames, and of the person's own private ones."""
        return self.filter(
            models.Q(frame=None) | models.Q(frame__visibility="team") | models.Q(frame__owner=user)
        )


class Task(TenantModel):
    class Status(models.TextChoices):
        """The statuses tools offer; any other a store holds is kept as it is."""

        PENDING = "pending"
        IN_PROGRESS = "in_progress"
        BLOCKED = "blocked"
        COMPLETED = "completed"
        CANCELLED = "cancelled"

    project = models.ForeignKey(
        "frames.Project",
        on_delete=models.CASCADE,
        related_name="tasks",
        db_constraint=False,
    )
    frame = models.ForeignKey(
        "frames.Frame",
        on_delete=models.SET_NULL,
        related_name="tasks",
        null=True,
        blank=True,
        db_constraint=False,
    )
    title = models.TextField()
    description = models.TextField(blank=True)
    status = models.TextField(default=Status.PENDING)
    priority = models.TextField(default="medium")
    assignee = models.TextField(blank=True)
    tags = OrderedJSONField(default=list, blank=True)
    # Ids as the client wrote them, ours or its own; a dependency may arrive before its target.
    depends_on = OrderedJSONField(default=list, blank=True)
    blocks = OrderedJSONField(default=list, blank=True)
    external = OrderedJSONField(default=dict, blank=True)
    estimated_minutes = models.FloatField(null=True, blank=True)
    actual_minutes = models.FloatField(null=True, blank=True)
    opened_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True, blank=True)
    completed_at = models.DateTimeField(null=True, blank=True)
    source_id = models.TextField(null=True, blank=True)
    source = OrderedJSONField(null=True, blank=True)

    objects = TenantManager.from_queryset(TaskQuerySet)()
    unscoped: ClassVar[Any] = models.Manager.from_queryset(TaskQuerySet)()

    class Meta(TenantModel.Meta):
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["workspace", "id"], name="task_ws_id"),
            models.UniqueConstraint(fields=["workspace", "source_id"], name="task_source_unique"),
        ]
        indexes: ClassVar = [
            # the tasks page, newest first
            models.Index(fields=["workspace", "-opened_at", "-id"], name="task_recent"),
        ]

    def __str__(self) -> str:
        return self.title
