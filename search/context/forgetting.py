"""Letting go of what agents were given long ago: the marks stay, and what it was made of."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from search.models import ContextBundle
from stackmemory.lib.tenancy import system_scope

BATCH = 2_000


def forget_old() -> int:
    """By the clock: delete bundles older than CONTEXT_DAYS, some at a time; how many."""
    if settings.CONTEXT_DAYS <= 0:
        return 0
    limit, total = timezone.now() - timedelta(days=settings.CONTEXT_DAYS), 0
    while True:
        with system_scope():
            old = ContextBundle.unscoped.filter(created_at__lt=limit).order_by("pk")
            ids = list(old.values_list("pk", flat=True)[:BATCH])
            ContextBundle.unscoped.filter(pk__in=ids).delete()
        total += len(ids)
        if len(ids) < BATCH:
            return total
