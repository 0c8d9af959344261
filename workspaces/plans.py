"""What each plan may use. `migrate` makes the rows; from then on they are an operator's to change."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.db import connections

# plan → name of a limit (workspaces/models/limit.py) → amount, None for no limit
PLANS: dict[str, dict[str, int | None]] = {
    "standard": {"requests_per_minute": 12_000, "events_per_month": None},
}


def install(*, using: str, **kwargs: Any) -> None:
    """After `migrate`: make the rows that are missing. What an operator changed stays."""
    model = apps.get_model("workspaces", "PlanLimit")
    if model._meta.db_table not in connections[using].introspection.table_names():
        return
    rows = [
        model(plan=plan, name=name, amount=amount)
        for plan, amounts in PLANS.items()
        for name, amount in amounts.items()
    ]
    model._default_manager.using(using).bulk_create(rows, ignore_conflicts=True)
