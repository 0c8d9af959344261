"""Take a workspace from an archive."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from stackmemory.archive.errors import BadArchive
from stackmemory.archive.reading import import_workspace
from stackmemory.management.commands.export_workspace import Told, refuse, tell_rows


class Command(BaseCommand):
    help = "Take a workspace from a file that export_workspace wrote: all of it, or nothing."
    # They import every page and route: 0.6 s, of which nothing here depends on.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("path", type=Path)
        parser.add_argument("--as", dest="slug", metavar="SLUG", help="its address here")
        parser.add_argument("--json", action="store_true", help="the report as the last line")

    def handle(self, **options: Any) -> None:
        tellers = {doing: Told(self, doing) for doing in ("checking", "writing")}

        def progress(phase: str, done: int, total: int) -> None:
            tellers[phase].progress(done, total)

        try:
            report = import_workspace(
                path=options["path"],
                slug=options["slug"],
                on_progress=None if options["json"] else progress,
            )
        except BadArchive as problem:
            refuse(self, f"Nothing was written. {problem}", options)
        if options["json"]:
            self.stdout.write(json.dumps(report))
            return
        tell_rows(self, report["rows"])
        self.stdout.write(f"Workspace hash {report['workspace_hash']}, the same as the archive’s.")
        if made := report["people"]["made inactive"]:
            self.stdout.write(
                "Not known here, so made without a way in until an operator activates them: "
                + ", ".join(made)
            )
        if lost := report.get("lost"):
            self.stdout.write(
                f"It was made without {lost:,} objects that its installation had lost: of large"
                " payloads there is the preview, of months in cold storage nothing."
            )
        if not report["owners"]:
            self.stdout.write(
                "Nobody owns it, so nobody can administer it: in the admin, under Memberships, give one"
                " of its members the role of owner."
            )
        self.stdout.write(f"Workspace “{report['workspace']}” is in, in {report['seconds']} s.")
