"""What the worker does by the clock. One list; `migrate` brings the database in line with it."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.db import connections

# name → function, and how often in minutes
SCHEDULES: dict[str, tuple[str, int]] = {
    "maintain partitions": ("frames.partitions.make_ahead", 24 * 60),
    "measure usage": ("frames.usage.measure_all", 60),
    "erase deleted workspaces": ("workspaces.jobs.erase_due", 60),
    "forget sessions": ("workspaces.jobs.forget_sessions", 24 * 60),
    "find what search has missed": ("search.jobs.find_missing", 10),
    "check that search is fresh": ("search.jobs.check_fresh", 24 * 60),
    "forget idempotency keys": ("workspaces.idempotency.forget", 60),
    "forget old news": ("workspaces.news.forget", 60),
}


def install(*, using: str, **kwargs: Any) -> None:
    """After `migrate`: make, correct and remove schedule rows. Runs in any order, any number of times."""
    model = apps.get_model("django_q", "Schedule")
    if model._meta.db_table not in connections[using].introspection.table_names():
        return
    rows = model.objects.using(using)
    for name, (function, minutes) in SCHEDULES.items():
        rows.update_or_create(
            name=name, defaults={"func": function, "schedule_type": "I", "minutes": minutes}
        )
    rows.exclude(name__in=SCHEDULES).delete()
