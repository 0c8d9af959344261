"""Try a backup: restore it into a scratch database and compare."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from stackmemory.backup.commands import add_options, key_of, refuse, tell, teller
from stackmemory.backup.errors import BadBackup
from stackmemory.backup.places import find
from stackmemory.backup.restoring import verify
from stackmemory.lib.database_url import database_settings


class Command(BaseCommand):
    help = "Restore a backup into a database made for it, compare every table, and drop it again."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "backup",
            nargs="?",
            default=settings.BACKUP_TO,
            help="as for restore; else the newest in BACKUP_TO",
        )
        parser.add_argument("--database", metavar="URL", help="an empty one to use instead")
        add_options(parser)

    def handle(self, **options: Any) -> None:
        try:
            if not options["backup"]:
                raise BadBackup("Say which backup, or set BACKUP_TO.")
            place, name = find(options["backup"])
            url = options["database"]
            into = database_settings(url, require_tls=settings.PRODUCTION) if url else None
            report = verify(
                place=place,
                name=name,
                key=key_of(options),
                into=into,
                say=teller(self, options),
            )
        except BadBackup as problem:
            refuse(self, problem, options)
        said = (
            f"{name} of {report['created_at']} can be put back: {report['rows']:,} rows in"
            f" {report['tables']} tables and {report['files']:,} files are as they were, tried in"
            f" {report['seconds']} s."
        )
        tell(self, report, options, said)
