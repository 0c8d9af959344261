"""The operators' admin: what a workspace holds. Events and whatever was kept word for word only read."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import admin
from django.db import models

from frames.models import (
    Activity,
    AgentSession,
    Anchor,
    ArchivedPeriod,
    Erased,
    Event,
    EventKey,
    Export,
    Frame,
    HandOff,
    KeptRow,
    PayloadUse,
    Project,
    Revision,
    StoredPayload,
    Task,
    Transfer,
    TransferItem,
)
from workspaces.operators import OperatorAdmin


@admin.register(Project)
class ProjectAdmin(OperatorAdmin):
    changeable = ("name", "repo_url")
    list_display = ("slug", "name", "workspace", "repo_url", "created_at")


@admin.register(AgentSession)
class AgentSessionAdmin(OperatorAdmin):
    changeable = ("ended_at",)
    raw_id_fields = ("project", "user")
    list_display = ("id", "client", "branch", "user", "workspace", "started_at", "ended_at")
    list_select_related = ("workspace", "user")


@admin.register(Frame)
class FrameAdmin(OperatorAdmin):
    changeable = ("owner", "retention")
    large = ("inputs", "outputs", "digest_text", "digest", "metadata", "source")
    raw_id_fields = ("owner",)
    list_display = (
        "id", "start_of_name", "type", "state", "workspace", "owner", "started_at", "event_count",
    )  # fmt: skip
    list_select_related = ("workspace", "owner")
    list_filter = ("visibility",)

    @admin.display(description="name")
    def start_of_name(self, frame: Frame) -> str:
        return frame.name[:100] or "(no name)"


@admin.register(Event)
class EventAdmin(OperatorAdmin):
    large = ("payload", "source")
    list_display = ("id", "type", "tool", "is_error", "occurred_at", "workspace", "frame_id")
    search_help_text = "The id of an event or of a frame."

    def by_id(self, queryset: models.QuerySet[Any], key: uuid.UUID) -> models.QuerySet[Any]:
        return queryset.filter(models.Q(pk=key) | models.Q(frame_id=key))

    def in_workspace(
        self, queryset: models.QuerySet[Any], slug: str, source_id: str = ""
    ) -> models.QuerySet[Any]:
        return queryset.none()  # no index of the largest table begins with the workspace


@admin.register(EventKey)
class EventKeyAdmin(OperatorAdmin):
    list_display = ("digest", "event_id", "occurred_at", "workspace")


@admin.register(Erased)
class ErasedAdmin(OperatorAdmin):
    list_display = ("kind", "digest", "workspace", "created_at")
    list_filter = ("kind",)


@admin.register(StoredPayload)
class StoredPayloadAdmin(OperatorAdmin):
    list_display = ("digest", "octets", "packed", "workspace", "seen_at")


@admin.register(PayloadUse)
class PayloadUseAdmin(OperatorAdmin):
    raw_id_fields = ("payload", "frame")
    list_display = ("event_id", "payload", "frame_id", "workspace")
    list_select_related = ("workspace", "payload")


@admin.register(ArchivedPeriod)
class ArchivedPeriodAdmin(OperatorAdmin):
    raw_id_fields = ("project",)
    list_display = (
        "id", "workspace", "project", "month", "part", "state", "events", "bytes", "moved_at",
    )  # fmt: skip
    list_select_related = ("workspace", "project")
    list_filter = ("state",)


@admin.register(HandOff)
class HandOffAdmin(OperatorAdmin):
    list_display = ("id", "from_user", "to_user", "state", "workspace", "answered_at")
    list_select_related = ("workspace", "from_user", "to_user")
    list_filter = ("state",)


@admin.register(Anchor)
class AnchorAdmin(OperatorAdmin):
    changeable = ("priority", "pinned")
    large = ("metadata", "source")
    list_display = ("__str__", "type", "priority", "pinned", "workspace", "noted_at")
    list_filter = ("pinned", "origin")


@admin.register(Task)
class TaskAdmin(OperatorAdmin):
    changeable = ("status", "priority", "assignee")
    large = ("description", "source")
    list_display = ("id", "start_of_title", "status", "priority", "assignee", "workspace")

    @admin.display(description="title")
    def start_of_title(self, task: Task) -> str:
        return task.title[:100]


@admin.register(KeptRow)
class KeptRowAdmin(OperatorAdmin):
    large = ("content",)
    list_display = ("id", "table", "source_id", "workspace")


@admin.register(Revision)
class RevisionAdmin(OperatorAdmin):
    large = ("data",)
    list_display = ("id", "kind", "object_id", "cause", "actor", "workspace", "valid_to")
    list_select_related = ("workspace", "actor")
    list_filter = ("cause",)


@admin.register(Activity)
class ActivityAdmin(OperatorAdmin):
    list_display = ("hour", "project", "workspace", "events", "errors", "frames")
    list_select_related = ("workspace", "project")


@admin.register(Transfer)
class TransferAdmin(OperatorAdmin):
    large = ("tables", "adjusted", "error")
    list_display = (
        "id",
        "kind",
        "state",
        "name",
        "workspace",
        "done_rows",
        "total_rows",
        "beat_at",
    )
    list_filter = ("kind", "state")


@admin.register(TransferItem)
class TransferItemAdmin(OperatorAdmin):
    large = ("content",)
    list_display = ("id", "category", "table", "source_id", "workspace")
    list_filter = ("category",)


@admin.register(Export)
class ExportAdmin(OperatorAdmin):
    large = ("report", "error")
    raw_id_fields = ("project", "created_by")
    list_display = ("id", "format", "state", "size", "workspace", "created_at", "finished_at")
