"""Writing an archive's events: read, taken and encoded in a thread, while the database is busy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Any, NamedTuple

from frames import large
from frames.models import Event
from stackmemory.archive.container import Container, Told
from stackmemory.archive.event_rows import EventRows, Values
from stackmemory.archive.values import default_of
from stackmemory.lib.ahead import ahead
from stackmemory.lib.bulk import encoded, insert_all
from workspaces.models import Workspace

# Events that are written together.
AT_ONCE = 4_000
STORED = ("stored_digest", "stored_octets")


class Batch(NamedTuple):
    """Rows, encoded where no payload of theirs is large."""

    number: int
    rows: Sequence[Any]
    is_encoded: bool


def write_events(workspace: Workspace, container: Container, told: Told) -> Iterator[int]:
    """Write all of them in the caller's transaction; gives how many went with each step."""
    own = [name for name in told.fields if name != "workspace"]
    rest = [
        column
        for column in Event._meta.concrete_fields
        if column.name not in (*own, "workspace", *STORED)
    ]
    fields = [*own, "workspace", *(column.name for column in rest)]
    values = (workspace.pk, *map(default_of, rest))
    batches = ahead(_batches(EventRows(container, told), values, fields.index("payload")))
    with closing(batches):
        for batch in batches:
            if batch.is_encoded:
                insert_all(Event, fields, batch.rows)
            else:
                _insert(workspace, fields, batch.rows)
            yield batch.number


def _batches(found: EventRows, rest: Values, payload: int) -> Iterator[Batch]:
    """Of at least AT_ONCE rows, but for the last."""
    values: list[Values] = []
    for rows in found.batches():
        values += [row + rest for _, row in rows]
        if len(values) >= AT_ONCE:
            yield _batch(values, payload)
            values = []
    if values:
        yield _batch(values, payload)


def _batch(values: list[Values], payload: int) -> Batch:
    if large.is_any(row[payload] for row in values):
        return Batch(len(values), values, False)
    return Batch(len(values), encoded(values), True)


def _insert(workspace: Workspace, fields: list[str], rows: Sequence[Values]) -> None:
    """Large payloads go where this installation keeps them."""
    pk, frame, payload = (fields.index(name) for name in ("id", "frame", "payload"))
    stored = large.put_down(workspace.pk, [row[payload] for row in rows])
    whole, uses = [], []
    for number, row in enumerate(rows):
        if found := stored.get(number):
            uses.append((row[pk], row[frame], found.payload_id))
            before, after = row[:payload], row[payload + 1 :]
            whole.append((*before, found.preview, *after, found.digest, found.octets))
        else:
            whole.append((*row, None, None))
    insert_all(Event, [*fields, *STORED], whole)
    large.note_uses(workspace.pk, uses)
