"""What each plan may use, and how often strangers may try. `migrate` makes the rows; from then on they are an operator's to change."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.db import connections

# plan → name of a limit (workspaces/models/limit.py) → amount, None for no limit
PLANS: dict[str, dict[str, int | None]] = {
    "standard": {
        "requests_per_minute": 12_000,
        "requests_per_minute_person": None,
        "requests_per_minute_all": None,
        "events_per_month": None,
    },
}
# What strangers try (workspaces/throttle.py) → how often, in how many seconds
ATTEMPTS: dict[str, tuple[int, int]] = {
    "logins_per_account": (5, 300),
    # A whole office may be behind one address.
    "logins_per_network": (50, 300),
    "wrong_keys_per_address": (60, 60),
}


def install(*, using: str, **kwargs: Any) -> None:
    """After `migrate`: make the rows that are missing. What an operator changed stays."""
    model = apps.get_model("workspaces", "PlanLimit")
    there = connections[using].introspection.table_names()
    if not {model._meta.db_table, "workspaces_attemptlimit"} <= set(there):
        return
    rows = [
        model(plan=plan, name=name, amount=amount)
        for plan, amounts in PLANS.items()
        for name, amount in amounts.items()
    ]
    model._default_manager.using(using).bulk_create(rows, ignore_conflicts=True)
    limit = apps.get_model("workspaces", "AttemptLimit")
    limits = [limit(name=n, amount=amount, seconds=s) for n, (amount, s) in ATTEMPTS.items()]
    limit._default_manager.using(using).bulk_create(limits, ignore_conflicts=True)
