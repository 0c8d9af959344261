"""The operators' admin of what runs in the background: jobs and schedules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.db import models
from django.db.models import OuterRef, Subquery
from django.http import HttpRequest
from django_q.models import Failure, Schedule, Success

from stackmemory import schedules
from stackmemory.lib import queue
from stackmemory.models import ArchiveImport, CacheEntry, Job
from workspaces.operators import OperatorAdmin

# django-q2's own keeping is not used: its tables stay empty.
admin.site.unregister([Failure, Success, Schedule])


@admin.register(ArchiveImport)
class ArchiveImportAdmin(OperatorAdmin):
    list_display = ("id", "name", "state", "size", "created_by", "created_at", "finished_at")
    list_filter = ("state",)
    list_select_related = ("created_by",)
    large = ("report", "error")


@admin.register(Job)
class JobAdmin(OperatorAdmin):
    """What waits, runs, has run and was given up; the last an operator retries or discards."""

    list_display = ("id", "name", "state", "attempts", "due_at", "ended_at", "last_line")
    list_filter = ("state",)
    list_select_related = False
    search_fields = ("name",)
    search_help_text = "An id, or the beginning of a job's name."
    large = ("error",)
    actions: Any = ("retry", "discard")

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Any]:
        return admin.ModelAdmin.get_queryset(self, request)

    def get_search_results(
        self, request: HttpRequest, queryset: models.QuerySet[Any], search_term: str
    ) -> tuple[models.QuerySet[Any], bool]:
        if search_term.isdecimal():
            return queryset.filter(pk=min(int(search_term), 2**63 - 1)), False
        return queryset.filter(name__startswith=search_term), False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # The list with its actions is for who may change; a row's own page shows and no more.
        return obj is None and admin.ModelAdmin.has_change_permission(self, request)

    @admin.display(description="What went wrong")
    def last_line(self, job: Job) -> str:
        return job.error.strip().rpartition("\n")[2][:200]

    @admin.action(description="Retry what was given up", permissions=["change"])
    def retry(self, request: HttpRequest, chosen: models.QuerySet[Job]) -> None:
        self._told(request, chosen, queue.retry, "begins again", "begin again")

    @admin.action(description="Discard what was given up", permissions=["change"])
    def discard(self, request: HttpRequest, chosen: models.QuerySet[Job]) -> None:
        self._told(request, chosen, queue.discard, "was discarded", "were discarded")

    def _told(
        self,
        request: HttpRequest,
        chosen: models.QuerySet[Job],
        do: Callable[[list[int]], int],
        one: str,
        many: str,
    ) -> None:
        count = do(list(chosen.values_list("pk", flat=True)))
        left = chosen.count() if do is queue.discard else len(chosen) - count
        self.message_user(request, f"{count} job {one}." if count == 1 else f"{count} jobs {many}.")
        if left:
            self.message_user(
                request, f"{left} had not been given up and stayed as they are.", messages.WARNING
            )


@admin.register(Schedule)
class ScheduleAdmin(OperatorAdmin):
    """What happens by the clock. The list is code (stackmemory/schedules.py); here it is seen and run."""

    list_display = ("name", "every", "next_run", "by", "last_state", "last_ended")
    list_select_related = False
    ordering = ("name",)
    search_fields = ()
    actions: Any = ("run_now",)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        return ["name", "every", "next_run", "by", "last_state", "last_ended"]

    get_readonly_fields = get_fields

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Any]:
        last = Job.objects.filter(once=OuterRef("name")).order_by("-id")
        return (
            admin.ModelAdmin.get_queryset(self, request)
            .filter(name__in=schedules.SCHEDULES)
            .annotate(
                job_state=Subquery(last.values("state")[:1]),
                job_ended=Subquery(last.values("ended_at")[:1]),
            )
        )

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return obj is None and admin.ModelAdmin.has_change_permission(self, request)

    @admin.display(description="Every")
    def every(self, row: Schedule) -> str:
        minutes = row.minutes or 0
        for size, word in ((24 * 60, "day"), (60, "hour"), (1, "minute")):
            if minutes % size == 0:
                number = minutes // size
                return f"{number} {word}s" if number != 1 else word
        return ""

    @admin.display(description="Run by")
    def by(self, row: Schedule) -> str:
        return "pg_cron" if row.repeats == 0 else "the worker"

    @admin.display(description="Last run")
    def last_state(self, row: Any) -> str:
        return str(dict(Job.State.choices).get(row.job_state, "")) or "not yet"

    @admin.display(description="Ended")
    def last_ended(self, row: Any) -> Any:
        return row.job_ended

    @admin.action(description="Run now", permissions=["change"])
    def run_now(self, request: HttpRequest, chosen: models.QuerySet[Schedule]) -> None:
        for name in chosen.values_list("name", flat=True):
            if queue.enqueue_once(str(name), schedules.SCHEDULES[str(name)][0]):
                self.message_user(request, f"“{name}” runs as soon as a worker is free.")
            else:
                self.message_user(
                    request, f"“{name}” is waiting or running already.", messages.WARNING
                )


@admin.register(CacheEntry)
class CacheEntryAdmin(OperatorAdmin):
    """Whose keys there are and when they end; what they hold is nobody's to read."""

    hidden = ("value", "number")
    list_display = ("key", "expires")
    list_select_related = False
    ordering = ("key",)
    search_fields = ()
