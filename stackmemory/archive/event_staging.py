"""An archive's events: looked through while they are put down beside their table, then moved into it.

Most of an archive is these, so they are read once. Read, taken and encoded in threads, while the
database is busy with the last of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, date, datetime
from itertools import islice
from typing import Any, NamedTuple
from uuid import UUID

from django.db import DataError

from frames import large
from frames.models import Event
from frames.partitions import month_of, next_month
from frames.transfer.reading import parts as in_parts
from stackmemory.archive.checking import Ids
from stackmemory.archive.container import Container, Told
from stackmemory.archive.errors import BadArchive
from stackmemory.archive.event_rows import ALTERED, EventRows, Rows
from stackmemory.archive.rows import Reader, line, plain
from stackmemory.archive.values import default_of
from stackmemory.lib.ahead import ahead
from stackmemory.lib.bulk import insert_all
from stackmemory.lib.staging import MANY, Encoded, Staging
from stackmemory.lib.uuid7 import CEILING, FLOOR, first_at, time_of
from workspaces.models import Workspace

STORED = ("stored_digest", "stored_octets")


class Batch(NamedTuple):
    """Rows ready to be put down, and what they name."""

    rows: Rows
    small: Encoded | None
    # Those whose payloads are large go another way.
    large: Encoded | None
    named: dict[str, set[str]]


class StagedEvents:
    """All of them, within one transaction: take_in(), move(), verify(), in this order.

    What is in the table in the end is known to be what the archive says, though its lines are not all
    spelled again from there: each was in the one spelling of its values (event_rows.py), every stored
    value is compared as it was sent, and of some rows of each batch the line itself.
    """

    def __init__(self, workspace_id: UUID, container: Container, told: Told, ids: Ids) -> None:
        assert told.part is not None
        self.told, self.part, self.ids = told, told.part, ids
        self.workspace_id = workspace_id
        self.months: set[date] = set()
        self._rows = EventRows(container, told)
        own = self._rows.fields
        rest = [
            column
            for column in Event._meta.concrete_fields
            if column.name not in (*own, "workspace", *STORED)
        ]
        fields = (*own, "workspace", *(column.name for column in rest))
        constant = (workspace_id, *(plain(default_of(column)) for column in rest))
        self.small = Staging("events", Event, fields, constant)
        self.large = Staging("large_events", Event, fields, constant)
        # Hashes of lines, by id: of samples, and of all that are large, of which a preview is stored.
        self.lines: dict[UUID, int] = {}
        self.large_lines: dict[UUID, int] = {}

    def take_in(self) -> Iterator[int]:
        """Put all of them down; gives how many at a time. Raises BadArchive where one is wrong."""
        try:
            with closing(ahead(self._batches())) as batches:
                for batch in batches:
                    for name, found in batch.named.items():
                        self._check_named(name, found, batch.rows)
                    for staging, rows in ((self.small, batch.small), (self.large, batch.large)):
                        if rows is not None:
                            staging.add(rows)
                    yield len(batch.rows.columns[0])
            self.small.flush()
            self.large.flush()
        except DataError as problem:
            said = str(problem).partition("\n")[0][:200]
            raise BadArchive(f"{self.told.file} holds what no row does ({said}).") from None
        if not self._rows.in_order:
            raise BadArchive(ALTERED)

    def move(self) -> Iterator[int]:
        """Into the table, and large payloads to where this installation keeps them."""
        yield from self.small.move()
        for rows in self.large.take():
            self._insert(rows)
            yield len(rows)

    def verify(self, workspace: Workspace) -> None:
        """That what is in the table is what was put down, value for value. Raises BadArchive."""
        reader = Reader(workspace)
        number = total = 0
        for frames in in_parts(reader.frames(), 500):
            named = [pk for pk, _ in frames]
            query = Event._base_manager.filter(workspace=workspace, frame__in=named)
            found = self.small.sum_of(query.filter(stored_digest=None))
            number, total = number + found[0], total + found[1]
        if (number, total % MANY) != (self.small.rows, self.small.sum):
            raise BadArchive(ALTERED)
        for lines in (self.lines, self.large_lines):
            found_lines = reader.lines_of(self.part, self.told.fields, list(lines))
            if {pk: hash(text) for pk, text in found_lines} != lines:
                raise BadArchive(ALTERED)

    def _batches(self) -> Iterator[Batch]:
        fields = self._rows.fields
        payload = fields.index("payload") if "payload" in fields else None
        references = {n: fields.index(n) for n in self.part.references() if n in fields}
        for rows in self._rows.batches():
            columns = rows.columns
            self._note_months(rows)
            named = {name: set(columns[at]) - {None} for name, at in references.items()}
            if payload is None or not large.is_any(columns[payload]):
                self._sample(columns)
                yield Batch(rows, self.small.encoded(columns), None, named)
                continue
            of = list(zip(*columns, strict=True))
            some = [row for row in of if large.is_any([row[payload]])]
            rest = [row for row in of if not large.is_any([row[payload]])]
            for row in some:
                self._note(self.large_lines, row)
            small = None
            if rest:
                columns = list(zip(*rest, strict=True))
                self._sample(columns)
                small = self.small.encoded(columns)
            yield Batch(rows, small, self.large.encoded(list(zip(*some, strict=True))), named)

    def _sample(self, columns: Sequence[Sequence[Any]]) -> None:
        """Note one row, and one that has what not every row has."""
        ids = columns[self._rows.fields.index("id")]
        some = {hash(ids[0]) % len(ids)}
        for values in columns:
            if None in values:
                some |= set(islice((at for at, v in enumerate(values) if v is not None), 1))
        for at in some:
            self._note(self.lines, [values[at] for values in columns])

    def _note(self, lines: dict[UUID, int], row: Sequence[Any]) -> None:
        values = dict(zip(self._rows.fields, row, strict=True))
        lines[UUID(values["id"])] = hash(line(values))

    def _check_named(self, name: str, found: set[str], rows: Rows) -> None:
        target = self.part.references()[name]
        for each in found:
            if not self.ids.known(target, UUID(each)):
                number = rows.first + rows.columns[self._rows.fields.index(name)].index(each)
                raise BadArchive(
                    f"Line {number} of {self.told.file}, “{name}”, names {each}, which is not in it."
                )

    def _note_months(self, rows: Rows) -> None:
        ids: Sequence[str] = rows.columns[self._rows.fields.index("id")]
        least, most = UUID(min(ids)), UUID(max(ids))
        if time_of(least) < FLOOR or time_of(most) >= CEILING:
            wrong = next(n for n, pk in enumerate(ids) if not FLOOR <= time_of(UUID(pk)) < CEILING)
            raise BadArchive(
                f"Line {rows.first + wrong} of {self.told.file}: its id carries no sane time."
            )
        month = month_of(time_of(least))
        while month <= month_of(time_of(most)):
            ends = next_month(month)
            begin, end = (
                str(first_at(datetime(m.year, m.month, 1, tzinfo=UTC))) for m in (month, ends)
            )
            if month not in self.months and any(begin <= pk < end for pk in ids):
                self.months.add(month)
            month = ends

    def _insert(self, rows: Sequence[tuple[Any, ...]]) -> None:
        fields = list(self.large.fields)
        pk, frame, payload = (fields.index(name) for name in ("id", "frame", "payload"))
        stored = large.put_down(self.workspace_id, [row[payload] for row in rows])
        whole, uses = [], []
        for number, row in enumerate(rows):
            found = stored[number]
            uses.append((row[pk], row[frame], found.payload_id))
            before, after = row[:payload], row[payload + 1 :]
            whole.append((*before, found.preview, *after, found.digest, found.octets))
        insert_all(Event, [*fields, *STORED], whole)
        large.note_uses(self.workspace_id, uses)
