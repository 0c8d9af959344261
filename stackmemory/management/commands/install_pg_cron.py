"""Schedules that are SQL alone, run by PostgreSQL itself."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from stackmemory import pg_cron
from stackmemory.lib.tenancy import as_owner


class Command(BaseCommand):
    help = (
        "Hands the schedules that are SQL alone to pg_cron, which also runs them while no worker "
        "does; --remove takes them back. Again, it changes nothing."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--remove", action="store_true", help="have the worker run them again")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with as_owner():
                if options["remove"]:
                    for name in pg_cron.take_back():
                        self.stdout.write(f"the worker runs: {name}")
                else:
                    for handed in pg_cron.hand_over():
                        self.stdout.write(f"pg_cron runs: {handed.name} ({handed.clock})")
        except pg_cron.NoCron as reason:
            raise CommandError(str(reason), returncode=2) from reason
