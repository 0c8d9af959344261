"""A month of a project's events that lies in the object store instead of in the table."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils import timezone

from workspaces.models import TenantModel


class ArchivedPeriod(TenantModel):
    """The manifest of one object: what is in it, and how far its moving is (frames/cold/).

    A month may have several, as events may come late and an object holds so many at most.
    """

    class State(models.TextChoices):
        # being made: nothing counts on the object, and whoever finds it left begins anew
        WRITING = "writing"
        # whole and read back; its events are in the table as well, until they are deleted
        WRITTEN = "written"
        # in the object alone
        COLD = "cold"
        # in the table again, and so is what is read; the object waits to be deleted
        RESTORED = "restored"
        # in an object of several that were small; this one waits to be deleted
        REPLACED = "replaced"

    # In these, events are to be looked for in the object.
    HOLDING: ClassVar = (State.WRITTEN, State.COLD)
    # In these, the object is kept for a while for whoever began to read it.
    LEFT: ClassVar = (State.RESTORED, State.REPLACED)

    project = models.ForeignKey(
        "frames.Project",
        on_delete=models.CASCADE,
        related_name="archived_periods",
        db_constraint=False,
    )
    # By the time inside the events' ids, as partitions are.
    month = models.DateField()
    part = models.PositiveIntegerField()
    state = models.CharField(max_length=10, choices=State.choices, default=State.WRITING)
    # Its name in the object store, below cold/<workspace>/.
    object = models.TextField()
    bytes = models.PositiveBigIntegerField(default=0)
    sha256 = models.CharField(max_length=64, blank=True)
    events = models.PositiveIntegerField(default=0)
    frames = models.PositiveIntegerField(default=0)
    payload_bytes = models.PositiveBigIntegerField(default=0)
    first_id = models.UUIDField(null=True, blank=True)
    last_id = models.UUIDField(null=True, blank=True)
    # Written while it is worked on: one that has been silent for long has died.
    beat_at = models.DateTimeField(default=timezone.now)
    moved_at = models.DateTimeField(null=True, blank=True)
    # While events are in cold storage still: that they are being brought back, as of when.
    restored_at = models.DateTimeField(null=True, blank=True)

    class Meta(TenantModel.Meta):
        constraints: ClassVar = [
            # also serves the question which objects hold events of some months
            models.UniqueConstraint(
                fields=["workspace", "project", "month", "part"], name="archived_period_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.month:%Y-%m} part {self.part}, {self.state}"
