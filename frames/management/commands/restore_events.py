"""Bring events back from cold storage."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from frames.cold.losing import give_up
from frames.cold.restoring import restore
from frames.management.commands.archive_events import add_choice, chosen
from frames.models import ArchivedPeriod
from stackmemory.lib.refusal import Refusal
from stackmemory.lib.tenancy import system_scope


class Command(BaseCommand):
    help = (
        "Puts months of events back into the database and verifies them by count and SHA-256."
        " Killed at any moment, run it again. See docs/cold-storage.md."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_choice(parser)
        parser.add_argument("--month", metavar="YYYY-MM", help="this one only")
        parser.add_argument(
            "--give-up-lost",
            action="store_true",
            help="instead, forget the events of objects that cannot be read and never will be",
        )
        parser.add_argument("--json", action="store_true", help="the report as the last line")

    def handle(self, **options: Any) -> None:
        if not options["workspace"]:
            raise CommandError("Say which workspace with --workspace SLUG.")
        month = month_of(options["month"])
        if options["give_up_lost"]:
            self._give_up(month, options)
            return
        told: list[dict[str, Any]] = []
        for project in chosen(options):
            with system_scope():
                rows = ArchivedPeriod.unscoped.filter(
                    workspace=project.workspace, project=project, state__in=ArchivedPeriod.HOLDING
                ).select_related("workspace", "project")
                rows = rows.filter(month=month) if month else rows
                periods = list(rows.order_by("month", "part"))
            for period in periods:
                try:
                    events = restore(period)
                except Refusal as problem:
                    raise CommandError(str(problem)) from problem
                name = f"{project.workspace.slug}/{project.slug}"
                told.append({"project": name, "month": f"{period.month:%Y-%m}", "events": events})
                if not options["json"]:
                    self.stdout.write(f"{name} {period.month:%Y-%m}: {events:,} events are back")
        if options["json"]:
            total = sum(each["events"] for each in told)
            self.stdout.write(json.dumps({"status": "ok", "events": total, "objects": told}))
        elif not told:
            self.stdout.write("Nothing of it is in cold storage.")

    def _give_up(self, month: date | None, options: dict[str, Any]) -> None:
        told: list[dict[str, Any]] = []
        for project in chosen(options):
            try:
                lost = give_up(project, month)
            except Refusal as problem:
                raise CommandError(str(problem)) from problem
            for period in lost:
                name = f"{project.workspace.slug}/{project.slug}"
                told.append({"project": name, "month": f"{period.month:%Y-%m}",
                             "events": period.events, "object": period.object})  # fmt: skip
                if not options["json"]:
                    self.stdout.write(
                        f"{name} {period.month:%Y-%m}: {period.events:,} events given up"
                    )
        if options["json"]:
            total = sum(each["events"] for each in told)
            self.stdout.write(json.dumps({"status": "ok", "events": total, "objects": told}))
        elif not told:
            self.stdout.write("Every object of it can be read.")


def month_of(text: str | None) -> date | None:
    if text is None:
        return None
    try:
        return date.fromisoformat(f"{text}-01")
    except ValueError:
        raise CommandError("--month takes a month as 2026-06.") from None
