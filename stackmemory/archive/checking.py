"""Looking an archive through before anything is written: every row, every id, every reference.

Of its events, event_staging.py does.
"""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from frames.models import Event, Frame
from frames.partitions import month_of
from frames.transfer.reading import parts as in_parts
from stackmemory.archive.container import Container, Told
from stackmemory.archive.contents import Part
from stackmemory.archive.errors import BadArchive
from stackmemory.archive.taking import taken, takers
from stackmemory.archive.values import taker
from stackmemory.lib.bulk import present
from stackmemory.lib.tenancy import system_scope
from workspaces.models import User, Workspace

MOST_PEOPLE = 100_000
Progress = Callable[[int, int], None]


@dataclass
class Checked:
    """What a sound archive holds, besides its rows; within the block of checked()."""

    ids: Ids
    workspace: dict[str, Any] = field(default_factory=dict)
    # E-mail address → (id, name) where it came from.
    people: dict[str, tuple[UUID, str]] = field(default_factory=dict)
    # In which events are to be expected, by what the frames say of theirs.
    months: set[date] = field(default_factory=set)


@contextmanager
def checked(container: Container, on_progress: Progress) -> Iterator[Checked]:
    """Read all of it but its events; raises BadArchive at the first thing that is wrong."""
    with _ids() as ids:
        found = Checked(ids)
        for told in _in_order(container.parts):
            if told.name == "workspace":
                found.workspace = _workspace(container, told)
            elif told.name == "people":
                found.people = _people(container, told)
            elif told.part is not None and told.part.model is not Event:
                _Table(container, told, found).check(on_progress)
        ids.check_references()
        yield found


class Ids:
    """Ids and references of an archive, in a file of their own: millions take no memory."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.db = connection
        self.db.execute("CREATE TABLE ids (part, id, PRIMARY KEY (part, id)) WITHOUT ROWID")
        self.db.execute("CREATE TABLE refs (part, id, said, PRIMARY KEY (part, id)) WITHOUT ROWID")
        self.known = lru_cache(20_000)(self._known)

    def add(self, part: str, found: list[UUID]) -> None:
        before = self.db.total_changes
        try:
            self.db.executemany("INSERT INTO ids VALUES (?, ?)", [(part, i.bytes) for i in found])
        except sqlite3.IntegrityError:
            twice = found[self.db.total_changes - before]
            raise BadArchive(f"{part} {twice} stands there twice.") from None

    def refer(self, part: str, target: UUID, said: str) -> None:
        if not self.known(part, target):
            self.db.execute(
                "INSERT OR IGNORE INTO refs VALUES (?, ?, ?)", [part, target.bytes, said]
            )

    def check_references(self) -> None:
        lacking = self.db.execute(
            "SELECT said, refs.id FROM refs LEFT JOIN ids USING (part, id)"
            " WHERE ids.id IS NULL LIMIT 1"
        ).fetchone()
        if lacking:
            raise BadArchive(f"{lacking[0]} names {UUID(bytes=lacking[1])}, which is not in it.")
        self.known.cache_clear()  # rows may have been named before they came

    def _known(self, part: str, target: UUID) -> bool:
        row = self.db.execute("SELECT 1 FROM ids WHERE part = ? AND id = ?", [part, target.bytes])
        return row.fetchone() is not None


class _Table:
    def __init__(self, container: Container, told: Told, checked: Checked) -> None:
        assert told.part is not None
        self.container, self.told, self.checked = container, told, checked
        self.part, self.take = told.part, takers(told)
        self.references = self.part.named()
        self.people = [name for name in self.part.people() if name in told.fields]

    def check(self, on_progress: Progress) -> None:
        numbered = enumerate(self.container.rows(self.told), start=1)
        for rows in in_parts(numbered, 1000):
            found = [taken(self.told, self.take, number, row) for number, row in rows]
            for (number, _), row in zip(rows, found, strict=True):
                self._check_row(number, row)
            pks = [row["id"] for row in found]
            self.checked.ids.add(self.told.name, pks)
            refuse_present(self.part, pks)
            on_progress(len(rows), 0)

    def _check_row(self, number: int, row: dict[str, Any]) -> None:
        for name, target in self.references.items():
            if row.get(name) is not None:
                said = f"Line {number} of {self.told.file}, “{name}”,"
                self.checked.ids.refer(target, row[name], said)
        for name in ("first_event_at", "last_event_at") if self.part.model is Frame else ():
            if row.get(name) is not None:
                self.checked.months.add(month_of(row[name]))
        for name in self.people:
            if row[name] is not None and row[name] not in self.checked.people:
                raise BadArchive(f"Line {number} of {self.told.file} names nobody of the people.")


def refuse_present(part: Part, pks: list[UUID]) -> None:
    """Raise BadArchive where a row of these ids is here."""
    with system_scope():
        if there := present(part.model, pks):
            raise BadArchive(
                f"{part.name} {min(there)} is here already, in this or another workspace: an archive is"
                " taken once by an installation."
            )


def _in_order(parts: list[Told]) -> list[Told]:
    """Workspace and people before what names them."""
    first = {"workspace": 0, "people": 1}
    return sorted(parts, key=lambda told: first.get(told.name, 2))


def _workspace(container: Container, told: Told) -> dict[str, Any]:
    rows = list(container.rows(told))
    if len(rows) != 1:
        raise BadArchive("An archive holds one workspace.")
    take = {name: taker(Workspace._meta.get_field(name)) for name in told.fields}
    found = taken(told, take, 1, rows[0])
    if not isinstance(rows[0].get("settings", {}), dict):
        raise BadArchive("The workspace’s settings are no object.")
    if str(found["id"]) != (container.manifest.get("workspace") or {}).get("id"):
        raise BadArchive("The manifest speaks of another workspace than the rows.")
    return found | {"settings": rows[0].get("settings", {})}


def _people(container: Container, told: Told) -> dict[str, tuple[UUID, str]]:
    take = {name: taker(User._meta.get_field(name)) for name in told.fields}
    found: dict[str, tuple[UUID, str]] = {}
    for number, row in enumerate(container.rows(told), start=1):
        person = taken(told, take, number, row)
        address = person["email"]
        try:
            validate_email(address)
        except ValidationError:
            raise BadArchive(f"Line {number} of {told.file} has no e-mail address.") from None
        if address in found or len(found) >= MOST_PEOPLE:
            raise BadArchive(f"Line {number} of {told.file} names somebody a second time.")
        found[address] = (person["id"], person.get("name", ""))
    return found


@contextmanager
def _ids() -> Iterator[Ids]:
    with tempfile.TemporaryDirectory(prefix="stackmemory-archive-") as folder:
        connection = sqlite3.connect(Path(folder) / "ids", isolation_level=None)
        try:
            connection.execute("PRAGMA journal_mode=OFF")
            connection.execute("PRAGMA synchronous=OFF")
            connection.execute("BEGIN")
            yield Ids(connection)
        finally:
            connection.close()
