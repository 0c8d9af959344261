"""Take a backup of the whole installation."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from stackmemory.backup.commands import add_options, key_of, refuse, tell, teller
from stackmemory.backup.errors import BadBackup
from stackmemory.backup.places import place
from stackmemory.backup.taking import back_up, keep_newest


class Command(BaseCommand):
    help = "Write database and files into one file, to a directory or a storage (docs/backup.md)."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--to",
            metavar="PLACE",
            default=settings.BACKUP_TO,
            help="a directory, or storage:NAME; else BACKUP_TO",
        )
        parser.add_argument(
            "--keep", type=int, metavar="N", help="then delete all but the newest N"
        )
        parser.add_argument("--without-files", action="store_true", help="the database alone")
        parser.add_argument("--list", action="store_true", help="show what is there, and end")
        add_options(parser)

    def handle(self, **options: Any) -> None:
        try:
            if not options["to"]:
                raise BadBackup("Say where to with --to DIRECTORY, or set BACKUP_TO.")
            if options["keep"] is not None and options["keep"] < 1:
                raise BadBackup("--keep has to be 1 or more.")
            to = place(options["to"])
            if options["list"]:
                names = to.names()
                self.stdout.write(json.dumps(names) if options["json"] else "\n".join(names))
                return
            report = back_up(
                to=to,
                key=key_of(options),
                with_files=not options["without_files"],
                say=teller(self, options),
            )
            keep = options["keep"]
            report["deleted"] = keep_newest(to, keep) if keep is not None else []
        except BadBackup as problem:
            refuse(self, problem, options)
        said = (
            f"{report['place']}: {report['backup']}, {report['bytes']:,} bytes: {report['rows']:,}"
            f" rows in {report['tables']} tables and {report['files']:,} files, in"
            f" {report['seconds']} s{'' if report['encrypted'] else '; not encrypted'}."
        )
        deleted = [f"Deleted {name}" for name in report["deleted"]]
        tell(self, report, options, "\n".join([said, *deleted]))
