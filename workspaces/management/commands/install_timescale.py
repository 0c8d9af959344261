"""The history of usage as a TimescaleDB hypertable, and back."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from stackmemory.lib.tenancy import as_owner
from workspaces import hypertable


class Command(BaseCommand):
    help = (
        "Makes the history of usage a hypertable where TimescaleDB is installed; refuses, and "
        "changes nothing, elsewhere. Again, it changes nothing. --undo partitions it by year again."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--undo", action="store_true", help="back to partitions by year")

    def handle(self, *args: Any, undo: bool, **options: Any) -> None:
        with as_owner():
            try:
                rows = hypertable.undo() if undo else hypertable.make()
            except hypertable.NotPossible as why:
                raise CommandError(str(why)) from why
        shape = "partitioned by year" if undo else "a hypertable"
        if rows is None:
            self.stdout.write(f"The history of usage is {shape} already.")
        else:
            self.stdout.write(f"The history of usage is {shape} now; {rows} rows came along.")
