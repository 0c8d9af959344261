"""A context bundle: what an agent was given, word for word; and what people said of its parts."""

from __future__ import annotations

from typing import Any, ClassVar

from django.conf import settings
from django.db import models

from stackmemory.lib.jsontext import OrderedJSONField
from workspaces.models import TenantModel


class ContextBundle(TenantModel):
    """`items` are {kind, id, title, score, reason, tokens, from, to}: what stands in text[from:to]."""

    class Origin(models.TextChoices):
        API = "api", "API"
        TOOL = "tool", "Tool"
        HOOK = "hook", "Hook"
        PAGE = "page", "Page"

    project = models.ForeignKey(
        "frames.Project", on_delete=models.CASCADE, related_name="contexts", db_constraint=False
    )
    session = models.ForeignKey(
        "frames.AgentSession",
        on_delete=models.CASCADE,
        related_name="contexts",
        null=True,
        blank=True,
        db_constraint=False,
    )
    # For whom it was compiled: what they may see is in it.
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    # Something of the user's private frames is in it, so it is nobody else's to read.
    private = models.BooleanField(default=False)
    origin = models.CharField(max_length=10, choices=Origin.choices)
    query = models.TextField(blank=True)
    budget = models.PositiveIntegerField()
    tokens = models.PositiveIntegerField()
    as_of = models.DateTimeField(null=True, blank=True)
    items: Any = OrderedJSONField(default=list)
    text = models.TextField(blank=True)
    # SHA-256 over items and text: the same for the same state.
    hash = models.CharField(max_length=64)

    class Meta(TenantModel.Meta):
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["workspace", "id"], name="context_ws_id"),
        ]
        indexes: ClassVar = [
            # a session's, newest first
            models.Index(fields=["session", "-created_at", "-id"], name="context_of_session"),
            # a workspace's, and what is old enough to go
            models.Index(fields=["workspace", "-created_at", "-id"], name="context_recent"),
        ]

    def __str__(self) -> str:
        return f"{self.tokens} tokens, {self.hash[:12]}"


class ContextMark(TenantModel):
    """Whether a thing was of use to somebody's work, as one person says; the last word counts."""

    project = models.ForeignKey(
        "frames.Project", on_delete=models.CASCADE, related_name="+", db_constraint=False
    )
    bundle = models.ForeignKey(
        "search.ContextBundle",
        on_delete=models.SET_NULL,
        related_name="marks",
        null=True,
        blank=True,
        db_constraint=False,
    )
    kind = models.CharField(max_length=10)
    object_id = models.UUIDField()
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    useful = models.BooleanField()

    class Meta(TenantModel.Meta):
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["workspace", "object_id", "user"], name="context_mark_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.object_id}: {'useful' if self.useful else 'not useful'}"
