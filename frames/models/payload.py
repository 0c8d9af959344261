"""Large payloads: what of them lies in the object store, and which events are theirs."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils import timezone

from workspaces.models import TenantModel


class StoredPayload(TenantModel):
    """A text in the object store (lib/blobs.py), once however many events have it.

    Whoever makes, takes up or deletes the object holds this row's lock until the transaction ends, so
    that no object goes while an event of it comes (frames/large.py, frames/sweeping.py).
    """

    # SHA-256 of the text in UTF-8, in hex: the object's name.
    digest = models.CharField(max_length=64)
    octets = models.PositiveBigIntegerField()
    # How large the object is; 0 where that is not known.
    packed = models.PositiveBigIntegerField(default=0)
    # When an event of it last came.
    seen_at = models.DateTimeField(default=timezone.now)

    class Meta(TenantModel.Meta):
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["workspace", "digest"], name="stored_payload_once"),
            models.UniqueConstraint(fields=["workspace", "id"], name="stored_payload_in_workspace"),
        ]

    def __str__(self) -> str:
        return f"{self.digest[:8]}, {self.octets} bytes"


class PayloadUse(TenantModel):
    """That an event's payload is in the object store.

    It outlives the event's moving to cold storage, and goes with its frame, or when the event itself
    is erased (`frames.sweeping.forget_events`); what nothing uses any more is swept.
    """

    payload = models.ForeignKey(
        StoredPayload, on_delete=models.CASCADE, related_name="uses", db_constraint=False
    )
    frame = models.ForeignKey(
        "frames.Frame", on_delete=models.CASCADE, related_name="payload_uses", db_constraint=False
    )
    event_id = models.UUIDField()

    class Meta(TenantModel.Meta):
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["workspace", "event_id"], name="payload_use_once"),
        ]

    def __str__(self) -> str:
        return f"{self.event_id} uses {self.payload_id}"
