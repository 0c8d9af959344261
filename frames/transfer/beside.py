"""The files beside a local store's database, written with it."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from typing import Any

from frames.transfer.errors import BadStore
from frames.transfer.locate import FOLDER
from frames.transfer.remembering import DECISIONS, decisions_in
from frames.transfer.rows.tasks import packable
from frames.transfer.tasks import LOG, parsed
from frames.transfer.timeline import differences
from frames.transfer.values import Row, digest, identity_of, js

FILES = "files"
# What a file of the folder may be called to be written again: nothing that leads out of it.
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9 _.@+-]{0,99}")


class Beside:
    """Collects what is no table. Nothing is written over."""

    def __init__(self, database: Path) -> None:
        self.database, self.folder = database, database.parent
        self.lines: list[bytes] = []
        self.broken: list[tuple[int, bytes]] = []
        # Snapshots of tasks that were changed here.
        self.newer: list[Row] = []
        self.decisions: list[Row] = []
        self.decision_files: list[bytes] = []
        self.files: dict[str, bytes] = {}
        # Files that a folder of another name, or none, would not be theirs to lie in.
        self.left_out = 0
        self._written: list[Path] = []

    def check_free(self) -> None:
        """Raise BadStore where the database would be written over something."""
        beside = [self.folder / self._called(name) for name in (LOG, DECISIONS)]
        of_it = [Path(f"{self.database}{end}") for end in ("", "-wal", "-journal")]
        for path in (*of_it, *beside):
            if path.exists():
                raise BadStore(f"{path} is there already; move it away or write somewhere else.")

    def takes(self, table: str) -> bool:
        return table in (LOG, DECISIONS, FILES)

    def keep(self, table: str, row: Row) -> None:
        if table == LOG:
            self.lines.append(_bytes(row.get("line")))
        elif table == DECISIONS:
            self.decision_files.append(_bytes(row.get("text")))
        else:
            self._file(str(row.get("path")), _bytes(row.get("text")))

    def snapshots(self) -> frozenset[str]:
        """The digests of the log's snapshots, by which a task knows its line."""
        rows = (parsed(line)[0] for line in self.lines)
        return frozenset(digest(packable(row)) for row in rows if row is not None)

    def set_aside(self, table: str, name: str, row: Row) -> None:
        if table == LOG:
            number = name.rpartition(" ")[2]
            self.broken.append(
                (int(number) if number.isdecimal() else 2**31, _bytes(row.get("line")))
            )

    def write(self) -> list[str]:
        """Write the files; their names in the folder."""
        files = dict(self.files)
        if lines := self._log():
            files[self._called(LOG)] = lines
        if decisions := self._decisions():
            files[self._called(DECISIONS)] = decisions
        for name in files:
            if (self.folder / name).exists():
                raise BadStore(
                    f"{self.folder / name} is there already; write the store to an empty folder."
                )
        for name, content in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            self._written.append(path)
            path.write_bytes(content)
        return sorted(files)

    def remove(self) -> None:
        for path in self._written:
            path.unlink(missing_ok=True)

    def _called(self, name: str) -> str:
        """The name under which an import finds it: that of a copy follows the copy's."""
        if self.database.name == "context.db":
            return name
        return f"{self.database.stem}.{name}"

    def _log(self) -> bytes:
        lines = list(self.lines)
        for number, line in sorted(self.broken):
            lines.insert(min(number - 1, len(lines)), line)
        lines += [js(row).encode() for row in self.newer]
        return b"".join(line + b"\n" for line in lines)

    def _decisions(self) -> bytes:
        """The newest file as it was, unless a decision here is none of it."""
        if self.decision_files and _all_said(self.decisions, self.decision_files[-1]):
            return self.decision_files[-1]
        return js({"decisions": self.decisions}).encode() if self.decisions else b""

    def _file(self, name: str, content: bytes) -> None:
        path = PurePosixPath(name)
        inside = not path.is_absolute() and all(NAME.fullmatch(part) for part in path.parts)
        free = path.name not in (LOG, DECISIONS, self.database.name)
        if inside and free and self.folder.name == FOLDER:
            self.files[name] = content
        else:
            self.left_out += 1


def _bytes(value: Any) -> bytes:
    if isinstance(value, bytes):
        return bytes(value)
    return str(value or "").encode("utf-8", "surrogatepass")


def _all_said(rows: list[Row], content: bytes) -> bool:
    """Whether each row is an entry of the file, which may say less of it than we can."""
    entries = {identity_of(entry.get("id")): entry for entry in decisions_in(content)}
    found = ((row, entries.get(identity_of(row["id"]))) for row in rows)
    return all(entry is not None and not differences(row, entry) for row, entry in found)
