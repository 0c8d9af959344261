"""Backups by the clock, where BACKUP_TO says where to."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from django.conf import settings
from django.utils import timezone

from stackmemory.backup.places import place, taken_at
from stackmemory.backup.taking import back_up, keep_newest

logger = logging.getLogger(__name__)


def back_up_when_due(now: datetime | None = None) -> str | None:
    """Take a backup if the newest is BACKUP_EVERY_HOURS old, and let old ones go.

    When the last one was taken is read from where they are kept, so that nothing has to be
    remembered, and a second run finds nothing to do.
    """
    if not settings.BACKUP_TO:
        return None
    at, to = now or timezone.now(), place(settings.BACKUP_TO)
    names = to.names()
    if names and at - taken_at(names[-1]) < timedelta(hours=settings.BACKUP_EVERY_HOURS):
        return None
    report = back_up(to=to, key=settings.BACKUP_KEY, now=at)
    gone = keep_newest(to, settings.BACKUP_KEEP)
    logger.info(
        "backup taken name=%s bytes=%s rows=%s seconds=%s deleted=%s",
        report["backup"], report["bytes"], report["rows"], report["seconds"], len(gone),
    )  # fmt: skip
    if report["missing"]:
        logger.error("objects that rows name are missing: %s", ", ".join(report["missing"][:20]))
    return str(report["backup"])
