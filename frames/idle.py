"""Sessions whose agent went away without a word."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import F
from django.utils import timezone

from frames.models import AgentSession
from stackmemory.lib.tenancy import system_scope

IDLE = timedelta(days=1)


def close_idle(now: datetime | None = None) -> int:
    """For the worker: end sessions unheard of for a day, as of when they were last seen.

    An event that comes after all opens its session again (frames/appending.py).
    """
    with system_scope():
        rows = AgentSession.objects.across_workspaces().filter(ended_at=None)
        idle = rows.filter(last_seen_at__lt=(now or timezone.now()) - IDLE)
        return int(idle.update(ended_at=F("last_seen_at")))
