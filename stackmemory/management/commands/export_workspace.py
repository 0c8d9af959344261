"""Write a workspace into one file."""

from __future__ import annotations

import json
import sys
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from stackmemory.archive.errors import BadArchive
from stackmemory.archive.writing import export_workspace
from workspaces.models import Workspace


class Command(BaseCommand):
    help = (
        "Write all that a workspace has into one file, an open format (docs/archive-format.md); exit 1"
        " if something of it is lost."
    )
    # They import every page and route: 0.6 s, of which nothing here depends on.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("slug")
        parser.add_argument("--output", required=True, type=Path, metavar="FILE")
        parser.add_argument("--without-private", action="store_true", help="no private frames")
        parser.add_argument("--json", action="store_true", help="the report as the last line")

    def handle(self, **options: Any) -> None:
        workspace = Workspace.objects.live().filter(slug=options["slug"]).first()
        try:
            if workspace is None:
                raise BadArchive(f"There is no workspace “{options['slug']}”.")
            report = export_workspace(
                workspace=workspace,
                output=options["output"],
                private=not options["without_private"],
                on_progress=None if options["json"] else Told(self, "written").progress,
            )
        except BadArchive as problem:
            refuse(self, str(problem), options)
        if options["json"]:
            self.stdout.write(json.dumps(report))
        else:
            tell_rows(self, report["rows"])
            self.stdout.write(f"Workspace hash {report['workspace_hash']}")
            self.stdout.write(
                f"Written to {report['file']}: {report['bytes']:,} bytes in {report['seconds']} s."
            )
        if report["lost"]:
            for name in report["lost"] if not options["json"] else ():
                self.stderr.write(f"lost: {name}")
            sys.exit(1)


class Told:
    """Says how far it is, where somebody is looking."""

    def __init__(self, command: BaseCommand, doing: str) -> None:
        self.command, self.doing, self.at = command, doing, 0.0

    def progress(self, done: int, total: int) -> None:
        now = time.monotonic()
        if sys.stderr.isatty() and now - self.at > 0.2:
            self.at = now
            self.command.stderr.write(f"\r{done:,} of {total:,} rows {self.doing}", ending="")


def tell_rows(command: BaseCommand, rows: dict[str, int]) -> None:
    command.stdout.write("")
    for name, number in rows.items():
        command.stdout.write(f"{name:28}{number:>12,}")


def refuse(command: BaseCommand, message: str, options: dict[str, Any]) -> None:
    """Say one sentence and exit 2."""
    command.stderr.write(message)
    if options["json"]:
        command.stdout.write(json.dumps({"status": "error", "error": message}))
    sys.exit(2)
