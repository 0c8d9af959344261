"""Every other table ↔ KeptRow: word for word."""

from __future__ import annotations

from collections.abc import Iterator

from frames.transfer.source import Source
from frames.transfer.values import Row, digest, identity_of, pack_row, unpack_row

# Tables whose id column is the row's own whatever the file declares.
OWN_ID = {"contexts": ["id"], "traces": ["id"], "tool_calls": ["id"]}


class Names:
    """Gives each row of a table its name: its key, or the digest of its content.

    A running number means nothing outside its file (two stores both begin at 1), so such rows go
    by content, and equal ones by how many there were before.
    """

    def __init__(self, source: Source, table: str) -> None:
        self.keys = OWN_ID.get(table) or source.keys.get(table, [])
        self.count = source.counter()

    def name(self, row: Row) -> str:
        if self.keys and all(row.get(key) is not None for key in self.keys):
            parts = [identity_of(row[key]) or "" for key in self.keys]
            return identity_of("\x1f".join(parts)) or "\x1f"
        content = digest(row)
        number = self.count(content)
        return f"sha256:{content}" if number == 1 else f"sha256:{content}#{number}"

    def skip(self, rows: Iterator[tuple[int, Row]], done: int) -> Iterator[tuple[int, Row]]:
        """The rows after position `done`; equal ones before it go on being counted."""
        for position, row in rows:
            if position > done:
                yield position, row
            else:
                self.name(row)


def kept_content(row: Row) -> Row:
    return pack_row(row)


def kept_row(content: Row) -> Row:
    """The source row again."""
    return unpack_row(content)


def label(table: str) -> str:
    """A table's name as it is kept; one too long for an index is cut and told apart."""
    return table if len(table.encode()) <= 200 else f"{table[:40]}…{digest({'name': table})}"
