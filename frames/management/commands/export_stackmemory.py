"""Write a project as a local StackMemory store."""

from __future__ import annotations

import json
import sys
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from frames.management.commands.import_stackmemory import find_workspace, refuse
from frames.models import Project
from frames.transfer.errors import BadStore
from frames.transfer.exporting import Wanted, export_stackmemory
from stackmemory.lib.tenancy import workspace_scope


class Command(BaseCommand):
    help = (
        "Write a project of a workspace as a context.db that the local tool opens; exit 1 if something"
        " of it is lost."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--workspace", required=True, metavar="SLUG")
        parser.add_argument("--project", required=True, metavar="SLUG")
        parser.add_argument("--output", required=True, type=Path, metavar="context.db")
        parser.add_argument("--schema", choices=("old", "new"), default="new",
                            help="the tool's version: 0.x (old) or 1.x (new, the default)")  # fmt: skip
        parser.add_argument("--with-private", action="store_true", help="private frames too")
        parser.add_argument("--json", action="store_true", help="the report as the last line")

    def handle(self, **options: Any) -> None:
        try:
            workspace = find_workspace(options["workspace"])
            with workspace_scope(workspace.id):
                projects = Project.objects.in_workspace(workspace)
                project = projects.filter(slug=options["project"]).first()
                there = ", ".join(sorted(p.slug for p in projects)) or "none"
            if project is None:
                raise BadStore(f"There is no project “{options['project']}” there, but: {there}.")
            report = export_stackmemory(
                workspace=workspace,
                wanted=Wanted(project, options["schema"], with_private=options["with_private"]),
                output=options["output"],
                on_progress=None if options["json"] else self._progress,
            )
        except BadStore as problem:
            refuse(self, str(problem), options)
        if options["json"]:
            self.stdout.write(json.dumps(report))
        else:
            self._tell(report)
        if report["lost"]:
            sys.exit(1)

    def _progress(self, done: int, total: int) -> None:
        now = time.monotonic()
        if sys.stderr.isatty() and now - getattr(self, "_told", 0.0) > 0.2:
            self._told = now
            self.stderr.write(f"\r{done:,} of {total:,} rows", ending="")

    def _tell(self, report: dict[str, Any]) -> None:
        self.stdout.write("")
        for table, number in report["rows"].items():
            self.stdout.write(f"{table:20}{number:>12,}")
        for name in report["beside"]:
            self.stdout.write(f"  beside: {name}")
        for what, number in report["left_out"].items():
            self.stdout.write(f"  left out: {number:,} {what}")
        for name in report["lost"]:
            self.stderr.write(f"lost: {name}")
        size, seconds = report["bytes"], report["seconds"]
        self.stdout.write(f"Written to {report['file']}: {size:,} bytes in {seconds} s.")
