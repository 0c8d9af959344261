"""Put a backup into an empty installation."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from stackmemory.backup.errors import BadBackup
from stackmemory.backup.places import find
from stackmemory.backup.restoring import restore
from stackmemory.management.commands.backup import add_key, key_of, refuse, told


class Command(BaseCommand):
    help = "Put a backup into the database of DATABASE_URL, which has to be empty, and its files."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "backup", help="a file, or storage:NAME/FILE; of a directory or storage:NAME the newest"
        )
        add_key(parser)
        parser.add_argument("--json", action="store_true", help="the report as the last line")

    def handle(self, **options: Any) -> None:
        try:
            place, name = find(options["backup"])
            report = restore(place=place, name=name, key=key_of(options), say=told(self, options))
        except BadBackup as problem:
            refuse(self, problem, options)
        if options["json"]:
            self.stdout.write(json.dumps(report))
            return
        self.stdout.write(
            f"{name} of {report['created_at']} is back: {report['rows']:,} rows in"
            f" {report['tables']} tables as they were, {report['files']:,} files put down, in"
            f" {report['seconds']} s."
        )
        for weaker in report["weaker"]:
            self.stdout.write(self.style.WARNING(f"Weaker: {weaker}"))
        if report["to_migrate"]:
            self.stdout.write("It is of an older version. Now run: python manage.py migrate")
