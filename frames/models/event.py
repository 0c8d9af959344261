"""An event: one thing said or done inside a frame. Append-only."""

from __future__ import annotations

import json
import logging
from typing import Any, ClassVar

from django.db import models
from django.utils.functional import cached_property

from stackmemory.lib import blobs
from stackmemory.lib.jsontext import OrderedJSONField
from workspaces.models import TenantModel

logger = logging.getLogger(__name__)
# Whose objects large payloads are, in the object store.
PAYLOADS = "payloads"


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
    # refuse \u0000 (docs/decisions/0003-verbatim-text.md). Of a large one only a preview, shortened
    # JSON: the whole text is in the object store. Read it through `text` or `data`.
    payload = models.TextField(default="{}")
    occurred_at = models.DateTimeField()
    tool = models.TextField(default="", blank=True)
    is_error = models.BooleanField(default=False)
    score = models.FloatField(null=True, blank=True)
    redactions = models.PositiveSmallIntegerField(default=0)
    # Of a large payload alone: its SHA-256 and its bytes (frames/large.py).
    stored_digest = models.CharField(max_length=64, null=True, blank=True)
    stored_octets = models.BigIntegerField(null=True, blank=True)
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

    @cached_property
    def text(self) -> str:
        """The whole payload. Raises blobs.Lost where the object store does not have it."""
        if self.stored_digest is None:
            return self.payload
        return blobs.get(PAYLOADS, self.workspace_id, self.stored_digest, self.stored_octets or 0)

    @property
    def data(self) -> Any:
        """The payload parsed, or the raw text where it is not JSON. Raises blobs.Lost."""
        return _parsed(self.text)

    @property
    def data_at_hand(self) -> Any:
        """As `data`; of what the object store has lost, the preview, and the log says so."""
        try:
            return self.data
        except blobs.Lost as lost:
            logger.error("event %s: %s", self.pk, lost)
            return _parsed(self.payload)


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
