"""Importing what has no table of its own here: every other table and file, word for word."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from frames.models import KeptRow, Project
from frames.transfer.gone import Gone
from frames.transfer.rows import kept
from frames.transfer.run import Run, chunks
from frames.transfer.source import Source
from frames.transfer.values import Row, identity_of, text_or_bad

# Tables that other modules import.
OWN_PHASE = frozenset({"frames", "events", "anchors", "contexts", "traces", "tool_calls"})
COVERED = OWN_PHASE | {"task_cache"}
Named = tuple[str, Row]


class Keeper:
    """Keeps rows of one store under its main project."""

    def __init__(self, run: Run, source: Source, main: Project, gone: Gone) -> None:
        self.run, self.source, self.main, self.gone = run, source, main, gone

    def import_table(self, table: str, kind: str) -> None:
        """`kind` is the line of the report that its rows count under."""
        twins = self.source.twins(table, "id") if table in kept.OWN_ID else {}
        for chunk, named in self.named(table, self.source.rows(table), f"kept {table}"):
            rest = []
            with self.run.batch(f"kept {table}", chunk[-1][0], len(chunk)):
                for (position, _), item in zip(chunk, named, strict=True):
                    if position in twins:
                        self.twin(kind, table, item, self.source.row(table, twins[position]))
                    else:
                        rest.append(item)
                self.keep(kind, rest, table)

    def import_others(self) -> None:
        for table in sorted(set(self.source.tables) - COVERED):
            self.import_table(table, "other")
        for table in self.source.virtual:
            self.run.other.setdefault(f"{table} (virtual: kept as its own tables)", 0)

    def import_files(self, files: dict[str, Path]) -> None:
        """Keep the other text files of the folder, by their names in it."""
        if files and self.run.position("files") is None:
            with self.run.batch("files", len(files), len(files)):
                for item in file_rows(files):
                    self.keep("other", [item], "files")

    def named(
        self, table: str, rows: Iterator[tuple[int, Row]], phase: str
    ) -> Iterator[tuple[list[tuple[int, Row]], list[Named]]]:
        """Chunks of rows not done yet, each with the names its rows are kept under."""
        names, done = kept.Names(self.source, table), self.run.position(phase)
        if done is not None:
            rows = names.skip(rows, done)
        for chunk in chunks(rows):
            yield chunk, [(names.name(row), row) for _, row in chunk]

    def twin(self, kind: str, table: str, item: Named, first: Row) -> None:
        """A row whose id an earlier one of the table has."""
        name, row = item
        same = same_content(kept.kept_content(row), kept.kept_content(first))
        self.run.count(kind, "read")
        self.run.count(kind, "existing" if same else "conflict")
        if not same:
            self.run.conflict(kept.label(table), name, "twice", row)

    def keep(self, kind: str, rows: list[Named], table: str) -> None:
        """Write KeptRows, skipping equal ones and reporting different ones as conflicts."""
        run, gone = self.run, [item for item in rows if self.gone.has_row(table, item[1])]
        if gone:
            names = {name for name, _ in gone}
            rows = [item for item in rows if item[0] not in names]
            run.count(kind, "read", len(gone))
            run.count(kind, "erased", len(gone))
        table = kept.label(table)
        query = KeptRow.objects.in_workspace(run.workspace).filter(
            project_id=self.main.id, table=table, source_id__in=[name for name, _ in rows]
        )
        there = {row.source_id: row.content for row in query}
        new: dict[str, KeptRow] = {}
        for name, row in rows:
            run.count(kind, "read")
            content = kept.kept_content(row)
            known = new[name].content if name in new else there.get(name)
            if known is None:
                new[name] = KeptRow(
                    workspace=run.workspace, project_id=self.main.id, table=table,
                    source_id=name, content=content,
                )  # fmt: skip
                run.count(kind, "imported")
            elif same_content(known, content):
                run.count(kind, "existing")
            else:
                run.count(kind, "conflict")
                run.conflict(table, name, "twice" if name in new else "other_content", row)
        if kind == "other" and rows:
            run.other[table] = run.other.get(table, 0) + len(rows)
        if run.writes:
            KeptRow.unscoped.bulk_create(new.values(), batch_size=500)


def same_content(a: Row, b: Row) -> bool:
    return json.dumps(a, sort_keys=True) == json.dumps(b, sort_keys=True)


def file_rows(files: dict[str, Path]) -> Iterable[Named]:
    """Each file as a row, named after its place in the folder."""
    for name, path in files.items():
        where = text_or_bad(os.fsencode(name))
        yield identity_of(where) or "?", {"path": where, "text": text_or_bad(path.read_bytes())}
