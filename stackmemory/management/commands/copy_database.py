"""Copy an installation from one database to another."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from stackmemory.copying.errors import CannotCopy
from stackmemory.copying.running import copy_database
from stackmemory.management.commands.export_workspace import Told, refuse


class Command(BaseCommand):
    help = (
        "Copy all rows of one database into another, empty one: SQLite or PostgreSQL, either way."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--from", required=True, dest="source", metavar="URL")
        parser.add_argument("--to", required=True, dest="target", metavar="URL")
        parser.add_argument("--json", action="store_true", help="the report as the last line")

    def handle(self, **options: Any) -> None:
        told = Told(self, "")

        def progress(doing: str, done: int, total: int) -> None:
            told.doing = doing
            told.progress(done, total)

        try:
            report = copy_database(
                source=options["source"],
                target=options["target"],
                on_progress=None if options["json"] else progress,
            )
        except CannotCopy as problem:
            refuse(self, str(problem), options)
        if options["json"]:
            self.stdout.write(json.dumps(report))
        else:
            self._tell(report)
        if report["status"] != "done":
            sys.exit(1)

    def _tell(self, report: dict[str, Any]) -> None:
        self.stdout.write("")
        for label, table in report["tables"].items():
            same = "same" if table["same"] else f"differs: {table['target']['rows']:,} there"
            self.stdout.write(f"{label:32}{table['rows']:>12,}  {table['checksum'][:12]}  {same}")
        if report["differing"]:
            self.stdout.write(
                "Not the same: the source was written to while it was copied, or the target was."
                " Make the source read-only (READ_ONLY=1) and begin again with an empty target."
            )
            return
        self.stdout.write(f"{report['rows']:,} rows copied and compared in {report['seconds']} s.")
        self.stdout.write(
            "Copy MEDIA_ROOT too, give the new place the same SECRET_KEY, and start it. Search is"
            " made anew by its worker."
        )
