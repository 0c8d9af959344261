"""What happens by the clock. One list; `migrate` brings the database in line with it.

The worker runs a schedule as a job of which one at most is waiting or running, however many
clusters look at the clock. What is SQL alone can be handed to pg_cron (`install_pg_cron`), and then
happens while no worker runs, too.
"""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.db import connections

# name → function, and how often in minutes
SCHEDULES: dict[str, tuple[str, int]] = {
    "maintain partitions": ("frames.partitions.make_ahead", 24 * 60),
    "let events age": ("frames.retention.apply_everywhere", 24 * 60),
    "sweep large payloads": ("frames.sweeping.sweep_everywhere", 24 * 60),
    # Where COLD_STORAGE is off, it only ends what was begun.
    "move old events out": ("frames.cold.moving.archive_everywhere", 24 * 60),
    # Does nothing where BACKUP_TO is not set.
    "back up": ("stackmemory.backup.schedule.back_up_when_due", 60),
    "measure usage": ("frames.usage.measure_all", 60),
    "erase deleted workspaces": ("workspaces.jobs.erase_due", 60),
    "forget sessions": ("workspaces.jobs.forget_sessions", 24 * 60),
    "find what search has missed": ("search.jobs.find_missing", 10),
    "check that search is fresh": ("search.jobs.check_fresh", 24 * 60),
    "forget vectors of former models": ("search.jobs.prune_vectors", 60),
    "let old exports go": ("stackmemory.exports.making.expire", 60),
    "let archives go that nobody sent on": ("stackmemory.arrivals.arriving.forget", 24 * 60),
    "forget idempotency keys": ("workspaces.idempotency.forget", 60),
    "forget old news": ("workspaces.news.forget", 60),
    "forget old pulses": ("workspaces.pulse.forget", 60),
    "roll up usage": ("frames.rollup.roll_up_all", 60),
    "forget ended jobs": ("stackmemory.lib.queue.forget_ended", 60),
    "forget expired cache entries": ("stackmemory.lib.cache.forget_expired", 10),
    "forget full buckets": ("workspaces.buckets.forget_full", 60),
    "expire invitations": ("workspaces.jobs.expire_invitations", 24 * 60),
    "close idle sessions": ("frames.idle.close_idle", 60),
    "score frames that came closed": ("frames.jobs.score_missing", 60),
    "forget old contexts": ("search.context.forgetting.forget_old", 24 * 60),
}

# What PostgreSQL can do by itself: the same as the function, and as harmless when done twice.
IN_SQL: dict[str, str] = {
    "forget sessions": (
        "DELETE FROM django_session WHERE expire_date < now();"
        " DELETE FROM workspaces_loginattempts WHERE since < now() - interval '10 minutes';"
        " DELETE FROM usersessions_usersession u WHERE NOT EXISTS"
        " (SELECT 1 FROM django_session s WHERE s.session_key = u.session_key)"
    ),
    "forget idempotency keys": (
        "DELETE FROM workspaces_idempotencykey WHERE created_at <= now() - interval '1 day'"
    ),
    # a day, and an hour more
    "forget old news": (
        "DELETE FROM workspaces_news WHERE position < (extract(epoch FROM now()) - 90000) * 1000000"
    ),
    "forget old pulses": "DELETE FROM workspaces_pulse WHERE minute < now() - interval '2 days'",
    "forget ended jobs": (
        "DELETE FROM stackmemory_job WHERE state = 'done' AND ended_at < now() - interval '7 days'"
    ),
    "forget expired cache entries": (
        "DELETE FROM stackmemory_cacheentry WHERE expires <= extract(epoch FROM now())"
    ),
    "forget full buckets": (
        "DELETE FROM workspaces_bucket WHERE full_at < extract(epoch FROM now())"
    ),
    "expire invitations": (
        "UPDATE workspaces_invitation SET revoked_at = now() WHERE accepted_at IS NULL"
        " AND revoked_at IS NULL AND expires_at < now() - interval '30 days'"
    ),
    "close idle sessions": (
        "UPDATE frames_agentsession SET ended_at = last_seen_at WHERE ended_at IS NULL"
        " AND last_seen_at < now() - interval '1 day'"
    ),
}


def install(*, using: str, **kwargs: Any) -> None:
    """After `migrate`: make, correct and remove schedule rows. Runs in any order, any number of times.

    What pg_cron runs is marked by `repeats` (stackmemory/pg_cron.py), which stays as it is.
    """
    model = apps.get_model("django_q", "Schedule")
    if model._meta.db_table not in connections[using].introspection.table_names():
        return
    rows = model.objects.using(using)
    for name, (function, minutes) in SCHEDULES.items():
        rows.update_or_create(
            name=name, defaults={"func": function, "schedule_type": "I", "minutes": minutes}
        )
    rows.exclude(name__in=SCHEDULES).delete()
