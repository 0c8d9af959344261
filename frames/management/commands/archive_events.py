"""Move old events out to cold storage."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from frames import partitions
from frames.cold import choosing
from frames.cold.errors import ColdLost
from frames.cold.moving import archive, outlook
from frames.models import Project
from frames.retention import MOST_DAYS
from stackmemory.lib.tenancy import system_scope


class Command(BaseCommand):
    help = (
        "Moves events older than their project's hot days to the object store, month by month."
        " Killed at any moment, run it again. See docs/cold-storage.md."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_choice(parser)
        parser.add_argument(
            "--older-than",
            type=int,
            metavar="DAYS",
            help="instead of each project's own, and whether their month is over or not",
        )
        parser.add_argument("--dry-run", action="store_true", help="say what would go, and end")
        parser.add_argument("--json", action="store_true", help="the report as the last line")

    def handle(self, **options: Any) -> None:
        days = options["older_than"]
        if days is not None and not choosing.LEAST_DAYS <= days <= MOST_DAYS:
            raise CommandError(f"--older-than has to be {choosing.LEAST_DAYS} to {MOST_DAYS} days.")
        told: list[dict[str, Any]] = []
        say = (lambda line: None) if options["json"] else self.stdout.write
        for project in chosen(options):
            name = f"{project.workspace.slug}/{project.slug}"
            try:
                if options["dry_run"]:
                    for month, events in outlook(project, days=days):
                        told.append({"project": name, "month": f"{month:%Y-%m}", "events": events})
                        say(f"{name} {month:%Y-%m}: {events:,} events would go")
                    continue
                for moved in archive(project, days=days):
                    period = moved.period
                    told.append(
                        {"project": name, "month": f"{period.month:%Y-%m}", "events": moved.events,
                         "bytes": period.bytes, "object": period.object}
                    )  # fmt: skip
                    say(
                        f"{name} {period.month:%Y-%m}: {moved.events:,} events to {period.object},"
                        f" {period.bytes:,} bytes"
                    )
            except ColdLost as problem:
                raise CommandError(str(problem)) from problem
        if not options["dry_run"]:
            for month in partitions.drop_empty():
                say(f"Dropped the empty month {month:%Y-%m}.")
        total = sum(each["events"] for each in told)
        if options["json"]:
            self.stdout.write(json.dumps({"status": "ok", "events": total, "objects": told}))
        elif options["dry_run"]:
            self.stdout.write(f"{total:,} events would leave.")
        else:
            self.stdout.write(f"{total:,} events left." if total else "Nothing to move.")


def add_choice(parser: ArgumentParser) -> None:
    parser.add_argument("--workspace", metavar="SLUG", help="this one only")
    parser.add_argument("--project", metavar="SLUG", help="this one only")


def chosen(options: dict[str, Any]) -> list[Project]:
    """The projects that --workspace and --project name; all, without."""
    with system_scope():
        found = Project.unscoped.filter(workspace__deleted_at=None).select_related("workspace")
        if options["workspace"]:
            found = found.filter(workspace__slug=options["workspace"])
        if options["project"]:
            found = found.filter(slug=options["project"])
        projects = list(found.order_by("workspace__slug", "slug"))
    if not projects and (options["workspace"] or options["project"]):
        raise CommandError("There is no such project; --workspace and --project take slugs.")
    return projects
