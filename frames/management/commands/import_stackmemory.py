"""Bring a local StackMemory store into a workspace."""

from __future__ import annotations

import json
import sys
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from frames.transfer.adjust import REASONS
from frames.transfer.errors import BadStore, Cancelled
from frames.transfer.importing import Options, import_stackmemory
from frames.transfer.run import COUNTS, TABLES, Run
from workspaces.models import Workspace


class Command(BaseCommand):
    help = "Import a context.db, a .stackmemory folder or a repository into a workspace."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("path", type=Path)
        parser.add_argument("--workspace", required=True, metavar="SLUG")
        parser.add_argument("--project", metavar="SLUG", help="put everything into this project")
        parser.add_argument(
            "--keep-project-ids", action="store_true", help="one project for each id in the store"
        )
        parser.add_argument("--dry-run", action="store_true", help="report only, write nothing")
        parser.add_argument("--json", action="store_true", help="the report as the last line")

    def handle(self, **options: Any) -> None:
        try:
            report = import_stackmemory(
                workspace=find_workspace(options["workspace"]),
                path=options["path"],
                options=Options(
                    project=options["project"],
                    keep_project_ids=options["keep_project_ids"],
                    dry_run=options["dry_run"],
                ),
                on_progress=None if options["json"] else self._progress,
            )
        except (BadStore, Cancelled) as problem:
            refuse(
                self, str(problem) or "The import was cancelled; run it again to go on.", options
            )
        if options["json"]:
            self.stdout.write(json.dumps(report))
        else:
            self._tell(report)

    def _progress(self, run: Run) -> None:
        now = time.monotonic()
        if sys.stderr.isatty() and now - getattr(self, "_told", 0.0) > 0.2:
            self._told = now
            self.stderr.write(f"\r{run.done_rows:,} of {run.total_rows:,} rows", ending="")

    def _tell(self, report: dict[str, Any]) -> None:
        header = "".join(f"{name.replace('_', ' '):>11}" for name in COUNTS)
        self.stdout.write(f"\n{'':12}{header}")
        for table in TABLES:
            row = report["rows"][table]
            self.stdout.write(f"{table:12}" + "".join(f"{row[name]:>11,}" for name in COUNTS))
        for name, number in report["other_tables"].items():
            self.stdout.write(f"  other: {name} ({number:,})")
        for reason, number in sorted(report["adjusted"].items()):
            self.stdout.write(f"  adjusted {number:,} × {reason}: {REASONS[reason]}")
        if erased := sum(row.get("erased", 0) for row in report["rows"].values()):
            self.stdout.write(f"  not taken: {erased:,} rows of what was erased here")
        what = "Nothing was written (dry run)" if report["status"] == "dry-run" else "Imported"
        self.stdout.write(f"{what} in {report['seconds']} s.")


def find_workspace(slug: str) -> Workspace:
    """The workspace of this slug; BadStore with what there is instead."""
    workspace = Workspace.objects.live().filter(slug=slug).first()
    if workspace is None:
        raise BadStore(
            f"There is no workspace “{slug}”; make it with: manage.py create_workspace"
            f" --slug {slug} --name NAME --owner EMAIL"
        )
    return workspace


def refuse(command: BaseCommand, message: str, options: dict[str, Any]) -> None:
    """Say one sentence and exit 2."""
    command.stderr.write(message)
    if options["json"]:
        command.stdout.write(json.dumps({"status": "error", "error": message}))
    sys.exit(2)
