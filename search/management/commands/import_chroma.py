"""`manage.py import_chroma PATH --workspace SLUG`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from search.chroma import BadChroma, Report, import_chroma
from workspaces.models import Workspace


class Command(BaseCommand):
    help = "Brings the collections of a ChromaDB folder into a workspace. Run again, it adds what is new."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("path", type=Path, help="the folder, or its chroma.sqlite3")
        parser.add_argument("--workspace", required=True, metavar="SLUG")

    def handle(self, *args: Any, path: Path, workspace: str, **options: Any) -> None:
        found = Workspace.objects.filter(slug=workspace, deleted_at=None).first()
        if found is None:
            raise CommandError(f"There is no workspace “{workspace}”.")
        try:
            report = import_chroma(workspace=found, path=path, on_progress=self._tell)
        except BadChroma as problem:
            raise CommandError(str(problem)) from problem
        self._tell(report)

    def _tell(self, report: Report) -> None:
        self.stdout.write(
            f"{report.collections} collections, {report.documents} documents brought in,"
            f" {report.known} known already, {report.silent} without a text"
        )
