"""System checks: what an operator should know before it hurts, each with an id and the mend.

`manage.py check --deploy --database default` runs all of them.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register


@register(Tags.security)
def debug_in_production(**kwargs: Any) -> list[CheckMessage]:
    if not (settings.DEBUG and settings.PRODUCTION):
        return []
    return [
        Error(
            "DEBUG is on and SITE_URL is public: any error page shows settings and data.",
            hint="Unset DEBUG.",
            id="stackmemory.E001",
        )
    ]


@register(Tags.security, deploy=True)
def no_https(**kwargs: Any) -> list[CheckMessage]:
    if settings.SECURE:
        return []
    return [
        Warning(
            f"SITE_URL is {settings.SITE_URL}, without TLS: passwords and cookies travel in clear.",
            hint="Set SITE_URL to the https:// address that people open.",
            id="stackmemory.W001",
        )
    ]


@register(Tags.database, deploy=True)
def sqlite_in_production(**kwargs: Any) -> list[CheckMessage]:
    if not settings.PRODUCTION or not settings.DATABASES["default"]["ENGINE"].endswith("sqlite3"):
        return []
    return [
        Warning(
            "The database is SQLite: one machine, one writer at a time, and gone with its disk.",
            hint="Set DATABASE_URL to a PostgreSQL 15 or newer with pgvector.",
            id="stackmemory.W002",
        )
    ]


@register(deploy=True)
def mail_to_console(**kwargs: Any) -> list[CheckMessage]:
    if not settings.PRODUCTION or "console" not in settings.EMAIL_BACKEND:
        return []
    return [
        Warning(
            "E-mail goes to the log: invitations and password resets reach nobody.",
            hint="Set EMAIL_URL, for example smtp+tls://user:password@smtp.example.com:587.",
            id="stackmemory.W003",
        )
    ]


@register(deploy=True)
def files_not_writable(**kwargs: Any) -> list[CheckMessage]:
    """Uploads wait under MEDIA_ROOT; the first existing folder above it decides."""
    folder = Path(settings.MEDIA_ROOT)
    while not folder.exists():
        folder = folder.parent
    if os.access(folder, os.W_OK | os.X_OK):
        return []
    return [
        Warning(
            f"{settings.MEDIA_ROOT} cannot be written: uploaded stores have nowhere to wait.",
            hint="Set MEDIA_ROOT to a folder that web and worker share and may write.",
            id="stackmemory.W005",
        )
    ]


@register()
def cold_storage_unknown(**kwargs: Any) -> list[CheckMessage]:
    if settings.COLD_STORAGE in ("on", "off", "auto"):
        return []
    return [
        Error(
            f"COLD_STORAGE is “{settings.COLD_STORAGE}”, which is taken as off.",
            hint="Set it to on, off, or auto (docs/cold-storage.md).",
            id="stackmemory.E003",
        )
    ]
