"""Copying an installation: table after table, in batches that each commit with their progress; files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.core.management.color import no_style
from django.db import connections, transaction
from django.utils import timezone

from frames import partitions
from frames.models import Event
from stackmemory.copying import files
from stackmemory.copying.places import (
    SOURCE,
    TARGET,
    check_empty,
    check_source,
    opened,
    place,
    prepare_target,
)
from stackmemory.copying.progress import Marks
from stackmemory.copying.stores import Given
from stackmemory.copying.tables import SEEDED, Table, digest, tables
from stackmemory.lib.uuid7 import time_of

# (what is being done, how much so far, how much in all, of what: rows or bytes)
Progress = Callable[[str, int, int, str], None]
NO_FILES_SAID = Given()


def copy_database(
    *,
    source: str,
    target: str,
    given: Given = NO_FILES_SAID,
    on_progress: Progress | None = None,
) -> dict[str, Any]:
    """Copy one installation into another, empty one: every row, and every file that a row names.

    Both stay open for whoever uses them, but what is written to the source meanwhile may be lost:
    make it read-only first. Killed at any moment, the same call goes on where it stopped. At the
    end every table of both is read and compared, as each file was. Raises CannotCopy.
    """
    began = timezone.now()
    with opened(source, target):
        check_source()
        found = files.looked_for(given, source, target)
        prepare_target(target)
        copying = _Copying(tables(), place(source), found, on_progress)
        copying.begin()
        for table in copying.tables:
            copying.copy(table)
        _set_sequences(copying.tables)
        copying.copy_files()
        report = copying.compare()
        if report["status"] == "done":
            copying.end()
    return report | {"seconds": round((timezone.now() - began).total_seconds(), 3)}


class _Copying:
    def __init__(
        self, found: list[Table], source: str, beside: files.Files, on_progress: Progress | None
    ) -> None:
        self.tables, self.source, self.on_progress = found, source, on_progress
        self.files = beside
        self.target = connections[TARGET]
        self.marks = Marks(self.target)
        self.total = sum(table.model._base_manager.using(SOURCE).count() for table in found)
        self.done = 0

    def begin(self) -> None:
        """Take up a copy that was broken off, or begin one in an empty target."""
        if self.marks.take_up(self.source):
            return
        check_empty(self.tables)
        with transaction.atomic(using=TARGET), self._cursor() as cursor:
            for table in reversed(self.tables):
                if table.label in SEEDED:
                    cursor.execute(f"DELETE FROM {self.target.ops.quote_name(table.name)}")
            self.marks.begin(self.source)

    def copy(self, table: Table) -> None:
        mark = self.marks.of(table.label)
        self.done += mark.rows
        if mark.done:
            return
        for rows in self._batches(table, mark.last):
            if table.model is Event:
                # Outside of the transaction: making a month locks the whole table.
                months = {partitions.month_of(time_of(table.key(row))) for row in rows}
                partitions.ensure(months, using=TARGET)
            with transaction.atomic(using=TARGET):
                self._insert(table, rows)
                mark.last, mark.rows = str(table.key(rows[-1])), mark.rows + len(rows)
                self.marks.save(table.label)
            self._tick(f"copying {table.label}", len(rows))
        with transaction.atomic(using=TARGET):
            if table.own:
                self._point(table)
            mark.done = True
            self.marks.save(table.label)

    def copy_files(self) -> None:
        done = 0

        def tick(doing: str, octets: int) -> None:
            nonlocal done
            done += octets
            if self.on_progress is not None:
                self.on_progress(doing, done, max(done, self.files.octets), "bytes")

        files.copy(self.files, self.marks, tick)

    def compare(self) -> dict[str, Any]:
        """Read both sides of every table: how many rows, and whether they are the same ones."""
        told: dict[str, dict[str, Any]] = {}
        self.done = 0
        for table in self.tables:
            found: list[dict[str, Any]] = []
            for using in (SOURCE, TARGET):
                rows, total = 0, 0
                for batch in self._batches(table, None, using):
                    rows, total = rows + len(batch), total + sum(map(digest, batch))
                found.append({"rows": rows, "checksum": f"{total % 2**256:064x}"})
            self._tick(f"comparing {table.label}", found[0]["rows"])
            if found[0]["rows"] or found[0] != found[1]:
                told[table.label] = found[0] | {"same": found[0] == found[1]}
                if found[0] != found[1]:
                    told[table.label]["target"] = found[1]
        differing = [label for label, table in told.items() if not table["same"]]
        return {
            "status": "differs" if differing else "lost" if self.files.faults else "done",
            "rows": sum(table["rows"] for table in told.values()),
            "tables": told,
            "differing": differing,
            "files": self.files.report(),
            "faults": self.files.faults,
        }

    def end(self) -> None:
        self.marks.end()
        with self._cursor() as cursor:
            cursor.execute("ANALYZE")

    def _batches(
        self, table: Table, last: str | None, using: str = SOURCE
    ) -> Iterator[list[tuple[Any, ...]]]:
        rows = table.rows(using)
        after = table.pk.to_python(last) if last is not None else None
        while True:
            batch = list((rows.filter(pk__gt=after) if after is not None else rows)[: table.size])
            if batch:
                yield batch
            if len(batch) < table.size:
                return
            after = table.key(batch[-1])

    def _insert(self, table: Table, rows: list[tuple[Any, ...]]) -> None:
        name, columns = self.target.ops.quote_name(table.name), table.columns(self.target)
        values = [table.stored(row, self.target) for row in rows]
        with self._cursor() as cursor:
            if self.target.vendor == "postgresql":
                with cursor.copy(f"COPY {name} ({columns}) FROM STDIN") as copy:
                    for row in values:
                        copy.write_row(row)
            else:
                marks = ", ".join(["%s"] * len(table.fields))
                cursor.executemany(f"INSERT INTO {name} ({columns}) VALUES ({marks})", values)

    def _point(self, table: Table) -> None:
        """Let rows name rows of their own table, now that all are there."""
        q = self.target.ops.quote_name
        places = [table.fields.index(field) for field in table.own]
        settings = ", ".join(f"{q(field.column)} = %s" for field in table.own)
        sql = f"UPDATE {q(table.name)} SET {settings} WHERE {q(table.pk.column)} = %s"
        for rows in self._batches(table, None):
            named = [row for row in rows if any(row[place] is not None for place in places)]
            with self._cursor() as cursor:
                cursor.executemany(
                    sql, [[self._id(table, v) for v in (*(row[p] for p in places), table.key(row))]
                          for row in named],
                )  # fmt: skip

    def _id(self, table: Table, value: Any) -> Any:
        return None if value is None else table.pk.get_db_prep_value(value, self.target)

    @contextmanager
    def _cursor(self) -> Iterator[Any]:
        with self.target.cursor() as cursor:
            yield cursor

    def _tick(self, doing: str, rows: int) -> None:
        self.done += rows
        if self.on_progress is not None:
            self.on_progress(doing, self.done, self.total, "rows")


def _set_sequences(found: list[Table]) -> None:
    """New rows of numbered tables come after those that were copied."""
    connection = connections[TARGET]
    statements = connection.ops.sequence_reset_sql(no_style(), [table.model for table in found])
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
