"""A document: what search knows of one frame, anchor, task or event."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from django.conf import settings
from django.db import models

from search.fields import TermsField
from workspaces.models import TenantManager, TenantModel, TenantQuerySet, User


class DocumentQuerySet(TenantQuerySet):
    def visible_to(self, user: User | None) -> Self:
        """Those of team frames and of none, and the person's own private ones."""
        seen = models.Q(private_to=None)
        return self.filter(seen | models.Q(private_to=user) if user else seen)


class Document(TenantModel):
    class Kind(models.TextChoices):
        FRAME = "frame"
        ANCHOR = "anchor"
        TASK = "task"
        EVENT = "event"

    kind = models.CharField(max_length=10, choices=Kind.choices)
    object_id = models.UUIDField()
    project = models.ForeignKey(
        "frames.Project", on_delete=models.CASCADE, related_name="documents", db_constraint=False
    )
    frame = models.ForeignKey(
        "frames.Frame",
        on_delete=models.CASCADE,
        related_name="documents",
        null=True,
        blank=True,
        db_constraint=False,
    )
    session_id = models.UUIDField(null=True, blank=True)
    private_to = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, null=True, blank=True, related_name="+"
    )
    # Whose work it is of: the frame's owner, or the person whose run it was.
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    # Still to be done or worked on; None for what has no such state by itself.
    is_open = models.BooleanField(null=True, blank=True)
    # What kind of thing exactly: an anchor's type, an event's type, a frame's type.
    type = models.TextField(blank=True)
    title = models.TextField(blank=True)
    text = models.TextField()
    who = models.TextField(blank=True)
    at = models.DateTimeField()
    # The number among its neighbours in the frame (an event's seq); others have none.
    place = models.BigIntegerField(null=True, blank=True)
    superseded = models.BooleanField(default=False)
    pinned = models.BooleanField(default=False)
    aliases = models.JSONField(default=list, blank=True)
    score = models.FloatField(null=True, blank=True)
    terms = TermsField()
    length = models.PositiveIntegerField(default=0)
    # SHA-256 over what the document was made of: unchanged content is not indexed again.
    content_hash = models.CharField(max_length=64)
    # The beginning of the text, of documents that a search has read.
    head: str

    objects = TenantManager.from_queryset(DocumentQuerySet)()
    unscoped: ClassVar[Any] = models.Manager.from_queryset(DocumentQuerySet)()

    class Meta(TenantModel.Meta):
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["workspace", "id"], name="document_ws_id"),
            models.UniqueConstraint(
                fields=["workspace", "kind", "object_id"], name="document_object_once"
            ),
        ]
        indexes: ClassVar = [
            # neighbours in a frame
            models.Index(fields=["frame", "place"], name="document_neighbours"),
            # newest of a project
            models.Index(fields=["workspace", "project", "-at"], name="document_recent"),
        ]

    def __str__(self) -> str:
        return self.title or self.text[:80]
