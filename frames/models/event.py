"""An event: one thing said or done inside a frame. Append-only."""

from __future__ import annotations

import json
from typing import Any, ClassVar

from django.db import models

from stackmemory.lib.jsontext import OrderedJSONField
from workspaces.models import TenantModel


class Event(TenantModel):
    """One row of the timeline.

    The table is partitioned by month on PostgreSQL, by the time inside the id (frames/
    partitions.py), so every insert needs its month to exist. Order is (occurred_at, seq, id): many
    events of a local store share a second.
    """

    frame = models.ForeignKey(
        "frames.Frame",
        on_delete=models.CASCADE,
        related_name="events",
        db_index=False,
        db_constraint=False,
    )
    session = models.ForeignKey(
        "frames.AgentSession",
        on_delete=models.CASCADE,
        related_name="events",
        null=True,
        blank=True,
        db_index=False,
        db_constraint=False,
    )
    workspace = models.ForeignKey(
        "workspaces.Workspace",
        on_delete=models.CASCADE,
        related_name="events",
        db_index=False,
        db_constraint=False,
    )
    seq = models.BigIntegerField(default=0)
    type = models.TextField()
    # The payload as its writer wrote it, JSON or not: text, because jsonb would reorder keys and
    # refuse \u0000 (docs/decisions/0003-verbatim-text.md). Read it through `data`.
    payload = models.TextField(default="{}")
    occurred_at = models.DateTimeField()
    tool = models.TextField(default="", blank=True)
    is_error = models.BooleanField(default=False)
    score = models.FloatField(null=True, blank=True)
    redactions = models.PositiveSmallIntegerField(default=0)
    source_id = models.TextField(null=True, blank=True)
    source = OrderedJSONField(null=True, blank=True)

    append_only: ClassVar = True

    class Meta(TenantModel.Meta):
        indexes: ClassVar = [
            # a frame's timeline, forwards and backwards
            models.Index(fields=["frame", "occurred_at", "seq", "id"], name="event_timeline"),
        ]

    def __str__(self) -> str:
        return f"{self.type} #{self.seq}"

    @property
    def data(self) -> Any:
        """The payload parsed, or the raw text where it is not JSON."""
        try:
            return json.loads(self.payload)
        except (ValueError, RecursionError):
            return self.payload
