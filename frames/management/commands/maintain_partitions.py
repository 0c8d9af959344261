"""Make the months that events of the near future go to."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db import connection

from frames import partitions


class Command(BaseCommand):
    help = (
        "Makes the events table's partitions for this month and the next "
        f"{partitions.MONTHS_AHEAD}. Run it daily; a second run changes nothing. "
        "SQLite has one plain table, so there it has nothing to do."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="one line for programs")

    def handle(self, *args: Any, **options: Any) -> None:
        made = [f"{month:%Y-%m}" for month in partitions.make_ahead()]
        there = [f"{month:%Y-%m}" for month in sorted(partitions.existing())]
        if options["json"]:
            self.stdout.write(json.dumps({"status": "ok", "made": made, "existing": there}))
        elif connection.vendor != "postgresql":
            self.stdout.write("Nothing to do: on this database events are one plain table.")
        elif made:
            self.stdout.write(f"Made {', '.join(made)}.")
        else:
            self.stdout.write(f"Nothing to do: months up to {there[-1]} exist.")
