"""Copy an installation from one database to another, with its files."""

from __future__ import annotations

import json
import sys
import time
from argparse import ArgumentParser
from typing import Any, NoReturn

from django.core.management.base import BaseCommand

from stackmemory.copying.errors import CannotCopy
from stackmemory.copying.running import copy_database
from stackmemory.copying.stores import Given
from stackmemory.management.commands.export_workspace import refuse

# So many files are named where somebody reads; all of them in the report.
NAMED = 20
STOPPED = "Stopped. What was copied stays; the same command goes on from here."


class Command(BaseCommand):
    help = (
        "Copy an installation into an empty database, SQLite or PostgreSQL either way: all rows,"
        " and the files that they name (docs/moving.md)."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--from", required=True, dest="source", metavar="URL")
        parser.add_argument("--to", required=True, dest="target", metavar="URL")
        for side in ("from", "to"):
            parser.add_argument(
                f"--{side}-objects", default="", metavar="PLACE",
                help="its object store: a folder, s3://BUCKET, or storage:objects for that of this"
                " environment",
            )  # fmt: skip
            parser.add_argument(
                f"--{side}-media", default="", metavar="FOLDER", help="its MEDIA_ROOT"
            )
        parser.add_argument("--without-files", action="store_true", help="the rows alone")
        parser.add_argument("--json", action="store_true", help="the report as the last line")

    def handle(self, **options: Any) -> None:
        try:
            report = copy_database(
                source=options["source"],
                target=options["target"],
                given=Given(
                    from_objects=options["from_objects"], to_objects=options["to_objects"],
                    from_media=options["from_media"], to_media=options["to_media"],
                    without=options["without_files"],
                ),
                on_progress=None if options["json"] else _Told(self),
            )  # fmt: skip
        except CannotCopy as problem:
            refuse(self, str(problem), options)
        except KeyboardInterrupt:
            self._stopped(options)
        if options["json"]:
            self.stdout.write(json.dumps(report))
        else:
            self._tell(report)
        if report["status"] != "done":
            sys.exit(1)

    def _stopped(self, options: dict[str, Any]) -> NoReturn:
        self.stderr.write(f"\n{STOPPED}", str)
        if options["json"]:
            self.stdout.write(json.dumps({"status": "stopped", "error": STOPPED}))
        sys.exit(130)

    def _tell(self, report: dict[str, Any]) -> None:
        self.stdout.write("")
        for label, table in report["tables"].items():
            same = "same" if table["same"] else f"differs: {table['target']['rows']:,} there"
            self.stdout.write(f"{label:32}{table['rows']:>12,}  {table['checksum'][:12]}  {same}")
        self._tell_files(report["files"])
        if report["faults"]:
            self._tell_faults(report["faults"])
        if report["differing"]:
            self.stdout.write(
                "Not the same: the source was written to while it was copied, or the target was."
                " Make the source read-only (READ_ONLY=1) and begin again with an empty target."
            )
        if report["status"] == "done":
            self.stdout.write(
                f"{report['rows']:,} rows copied and compared in {report['seconds']} s."
            )
            self.stdout.write(
                "Give the new place the same SECRET_KEY, and start it. Search is made anew by its"
                " worker."
            )

    def _tell_files(self, files: dict[str, Any]) -> None:
        if "left_behind" in files:
            for label, number in files["left_behind"].items():
                self.stdout.write(f"Left where they are: {number:,} of {label}, which rows name.")
            return
        for name, side in files.items():
            if side["files"]:
                self.stdout.write(
                    f"{name:8}{side['files']:,} files, {side['bytes']:,} bytes, compared:"
                    + (
                        f" in {side['to']}, which the new place has to be given, too"
                        f" (--to-{name} copies them elsewhere)."
                        if side["from"] == side["to"]
                        else f" {side['from']} → {side['to']} ({side['copied']:,} copied now)."
                    )
                )

    def _tell_faults(self, faults: list[dict[str, str]]) -> None:
        for fault in faults[:NAMED]:
            line = f"{fault['file']} {fault['problem']}; it is {fault['whose']}."
            # What people called their files may hold orders to the terminal.
            self.stderr.write("".join(c if c.isprintable() else "·" for c in line))
        if len(faults) > NAMED:
            self.stderr.write(f"… and {len(faults) - NAMED:,} more, which --json names.")
        self.stdout.write(
            f"{len(faults):,} files are not there; everything else is. Mend them, and the same"
            " command goes on with those alone; with --without-files it ends without them."
        )


class _Told:
    """Says how far it is, where somebody is looking."""

    def __init__(self, command: BaseCommand) -> None:
        self.command, self.at = command, 0.0

    def __call__(self, doing: str, done: int, total: int, unit: str) -> None:
        now = time.monotonic()
        if sys.stderr.isatty() and now - self.at > 0.2:
            self.at = now
            far = f"{done:,} of {total:,} {unit}"
            if unit == "bytes":
                far = f"{done / 1e6:,.1f} of {total / 1e6:,.1f} MB"
            self.command.stderr.write(f"\r{far} {doing}\033[K", str, ending="")
