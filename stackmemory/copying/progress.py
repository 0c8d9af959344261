"""How far a copy is: a table of the target, in step with what has been copied, dropped at the end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from stackmemory.copying.errors import CannotCopy

TABLE = "stackmemory_copy"


@dataclass
class Mark:
    """Of a table, or of files of one kind: the last key copied, how many, and whether that is all."""

    last: str | None = None
    rows: int = 0
    done: bool = False
    octets: int = 0


class Marks:
    """The marks of a copy; a changed one is kept when it is saved, with the transaction it is in."""

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        self.connection = connection
        self.found: dict[str, Mark] = {}

    def take_up(self, source: str) -> bool:
        """Whether a copy of `source` was begun here. Raises CannotCopy where it was another's."""
        with self.connection.cursor() as cursor:
            if TABLE not in self.connection.introspection.table_names(cursor):
                return False
            cursor.execute(f"SELECT name, last, rows, done, octets FROM {TABLE}")
            self.found = {
                name: Mark(last, rows, bool(done), octets)
                for name, last, rows, done, octets in cursor
            }
        begun = self.found.pop("", Mark()).last
        if begun != source:
            raise CannotCopy(f"The target holds half a copy of {begun}; give an empty database.")
        return True

    def begin(self, source: str) -> None:
        with self.connection.cursor() as cursor:
            cursor.execute(
                f"CREATE TABLE {TABLE} (name text PRIMARY KEY, last text, rows bigint,"
                " done boolean, octets bigint)"
            )
        self._write("", Mark(source))

    def of(self, name: str) -> Mark:
        return self.found.setdefault(name, Mark())

    def save(self, name: str) -> None:
        self._write(name, self.of(name))

    def end(self) -> None:
        with self.connection.cursor() as cursor:
            cursor.execute(f"DROP TABLE {TABLE}")

    def _write(self, name: str, mark: Mark) -> None:
        values: list[Any] = [name, mark.last, mark.rows, mark.done, mark.octets]
        with self.connection.cursor() as cursor:
            cursor.execute(
                f"INSERT INTO {TABLE} (name, last, rows, done, octets)"
                " VALUES (%s, %s, %s, %s, %s) ON CONFLICT (name) DO UPDATE SET"
                " last = excluded.last, rows = excluded.rows, done = excluded.done,"
                " octets = excluded.octets",
                values,
            )
