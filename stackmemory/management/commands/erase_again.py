"""Erase again what was erased since a backup was taken that is restored now."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from stackmemory.backup.engines import engine_of
from stackmemory.backup.errors import BadBackup
from stackmemory.erasing.again import erase_again, former
from stackmemory.lib.database_url import database_settings


class Command(BaseCommand):
    help = (
        "After a restore: erase what was erased in the former database since. Killed at any moment,"
        " run it again. See docs/backup.md."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--former",
            required=True,
            metavar="URL",
            help="the database that was, which is only read",
        )
        parser.add_argument("--dry-run", action="store_true", help="say what would go, and end")
        parser.add_argument("--json", action="store_true", help="the report as the last line")

    def handle(self, **options: Any) -> None:
        try:
            url = database_settings(options["former"], require_tls=settings.PRODUCTION)
            told = erase_again(former(engine_of(url)), dry_run=options["dry_run"])
        except BadBackup as problem:
            raise CommandError(str(problem)) from problem
        if options["json"]:
            self.stdout.write(
                json.dumps({"status": "stuck" if told.stuck else "ok", **asdict(told)})
            )
        else:
            self.stdout.write(
                f"{told.workspaces:,} workspaces, {told.people:,} accounts, {told.sessions:,} sessions"
                f" and {told.frames:,} frames {'would go' if options['dry_run'] else 'are erased'}."
            )
            for each in told.stuck:
                self.stderr.write(f"Not erased: {each}")
        if told.stuck:
            sys.exit(1)
