"""Put a backup into an empty installation."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from stackmemory.backup.commands import add_options, key_of, refuse, tell, teller
from stackmemory.backup.errors import BadBackup
from stackmemory.backup.places import find
from stackmemory.backup.restoring import restore, restore_files


class Command(BaseCommand):
    help = "Put a backup into the database of DATABASE_URL, which has to be empty, and its files."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "backup", help="a file, or storage:NAME/FILE; of a directory or storage:NAME the newest"
        )
        parser.add_argument(
            "--files-only",
            action="store_true",
            help="the files that are not there, for a database that came back otherwise",
        )
        add_options(parser)

    def handle(self, **options: Any) -> None:
        try:
            place, name = find(options["backup"])
            given: Any = {"place": place, "name": name, "key": key_of(options)}
            given["say"] = teller(self, options)
            report = restore_files(**given) if options["files_only"] else restore(**given)
        except BadBackup as problem:
            refuse(self, problem, options)
        if options["files_only"]:
            said = f"{report['files']:,} files of {name} were put down in {report['seconds']} s."
            tell(self, report, options, said)
            return
        said = (
            f"{name} of {report['created_at']} is back: {report['rows']:,} rows in"
            f" {report['tables']} tables as they were, {report['files']:,} files put down, in"
            f" {report['seconds']} s."
        )
        lines = [said, *(self.style.WARNING(f"Weaker: {weaker}") for weaker in report["weaker"])]
        if report["to_migrate"]:
            lines.append("It is of an older version. Now run: python manage.py migrate")
        lines.append(
            "What was erased since is back; if the former database answers yet, erase it again by:"
            " python manage.py erase_again --former URL"
        )
        tell(self, report, options, "\n".join(lines))
