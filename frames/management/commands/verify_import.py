"""Check that a workspace holds every row of a local store as it is there."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from frames.management.commands.import_stackmemory import find_workspace, refuse
from frames.transfer.errors import BadStore
from frames.transfer.run import TABLES
from frames.transfer.verifying import verify_import


class Command(BaseCommand):
    help = "Compare a local store with what a workspace holds of it; exit 1 if a row differs."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("path", type=Path)
        parser.add_argument("--workspace", required=True, metavar="SLUG")
        parser.add_argument("--json", action="store_true", help="the report as the last line")

    def handle(self, **options: Any) -> None:
        try:
            workspace = find_workspace(options["workspace"])
            report = verify_import(workspace=workspace, path=options["path"])
        except BadStore as problem:
            refuse(self, str(problem), options)
        if options["json"]:
            self.stdout.write(json.dumps(report))
        else:
            self._tell(report)
        if report["status"] != "ok":
            sys.exit(1)

    def _tell(self, report: dict[str, Any]) -> None:
        names = ("read", "same", "changed", "conflict", "set_aside", "differs", "missing")
        header = "".join(f"{name.replace('_', ' '):>11}" for name in names)
        self.stdout.write(f"{'':12}{header}  checksum")
        for table in TABLES:
            row = report["tables"][table]
            mark = row["source_checksum"][:12]
            if row["source_checksum"] != row["workspace_checksum"]:
                mark += f" ≠ {row['workspace_checksum'][:12]}"
            self.stdout.write(
                f"{table:12}" + "".join(f"{row[n]:>11,}" for n in names) + f"  {mark}"
            )
        for row in report["differing"]:
            columns = f" in {', '.join(row['columns'])}" if row["columns"] else ""
            self.stdout.write(f"  {row['table']} {row['id']}: {row['outcome']}{columns}")
        if erased := sum(row.get("erased", 0) for row in report["tables"].values()):
            self.stdout.write(f"  {erased:,} rows are of what was erased here.")
        said = "Every row is here as it is there." if report["status"] == "ok" else "Rows differ."
        self.stdout.write(said)
