"""Importing tasks: from task_cache and from the log beside the database.

A task is its newest snapshot. The log is in order of writing, so the last line of an id counts; the
cache mirrors the log and wins where it is no older. Every line of the log is kept besides.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from frames.models import Task
from frames.transfer.draft import Draft
from frames.transfer.history import edited_ids
from frames.transfer.keeping import Keeper
from frames.transfer.meeting import again
from frames.transfer.rows.tasks import is_newer, packable, task_fields, task_row, written
from frames.transfer.run import Run, chunks
from frames.transfer.source import Source
from frames.transfer.stacks import Stacks
from frames.transfer.values import BadText, Row, digest, identity_of, storable, text_or_bad
from stackmemory.lib.uuid7 import derived

LOG, CACHE = "tasks.jsonl", "task_cache"


class TaskSource:
    """The snapshots of one store: which of them count, and where they are."""

    def __init__(self, source: Source, log: Path | None) -> None:
        self.source, self.log = source, log
        self.twins = source.twins(CACHE, "id")
        # Numbers of lines that are no object, as after a crash while one was written.
        self.broken: set[int] = set()
        # Tasks whose last line in the log is what counts: id → number and place of that line.
        self.logged = self._newest_lines()

    def _newest_lines(self) -> dict[str, tuple[int, int]]:
        newest: dict[str, tuple[int, int]] = {}
        times: dict[str, float] = {}
        for number, place, row, _ in self.lines():
            name = identity_of(row.get("id")) if row is not None else None
            if row is None:
                self.broken.add(number)
            elif name is not None:
                newest.pop(name, None)
                newest[name], times[name] = (number, place), written(row)
        for position, row in self.source.rows(CACHE):
            name = identity_of(row["id"])
            if name in newest and position not in self.twins and times[name] <= written(row):
                del newest[name]
        return newest

    def lines(self) -> Iterator[tuple[int, int, Row | None, str | BadText]]:
        """(number, place in the file, snapshot or None, text) of each line that is not blank."""
        if self.log is None:
            return
        place = 0
        with self.log.open("rb") as file:
            for number, raw in enumerate(file, start=1):
                if raw.strip():
                    yield number, place, *parsed(raw)
                place += len(raw)

    def cached(self) -> Iterator[tuple[int, Row, bool]]:
        """(position, row, whether it counts) of the cache."""
        for position, row in self.source.rows(CACHE):
            yield position, row, identity_of(row["id"]) not in self.logged

    def newest_lines(self) -> Iterator[tuple[int, Row]]:
        """(number, snapshot) of the lines of the log that count."""
        if self.log is None:
            return
        with self.log.open("rb") as file:
            for number, place in self.logged.values():
                file.seek(place)
                row, _ = parsed(file.readline())
                if row is not None:
                    yield number, row


class Tasks:
    """Imports the tasks of one store."""

    def __init__(
        self, run: Run, source: Source, stacks: Stacks, keeper: Keeper, log: Path | None
    ) -> None:
        self.run, self.stacks, self.keeper = run, stacks, keeper
        self.snapshots = TaskSource(source, log)
        self.source, self.main = source, stacks.projects.main

    def import_tasks(self) -> None:
        self._import_cache()
        done = self.run.position("tasks") or 0
        rows = (item for item in self.snapshots.newest_lines() if item[0] > done)
        for chunk in chunks(rows):
            with self.run.batch("tasks", chunk[-1][0], 0):
                self._write(chunk)
        self._keep_lines()

    def _import_cache(self) -> None:
        done = self.run.position(CACHE)
        verdicts = {position: good for position, _, good in self.snapshots.cached()}
        for chunk in chunks(self.source.rows(CACHE, after=done)):
            with self.run.batch(CACHE, chunk[-1][0], len(chunk)):
                self._write([item for item in chunk if verdicts[item[0]]])
                passed_over = [(cache_name(row), row) for p, row in chunk if not verdicts[p]]
                self.keeper.keep("other", passed_over, CACHE)

    def _write(self, rows: list[tuple[int, Row]]) -> None:
        run = self.run
        names = [identity_of(row.get("id")) for _, row in rows]
        query = Task.objects.in_workspace(run.workspace).filter(source_id__in=filter(None, names))
        there = {task.source_id: task for task in query}
        edited = edited_ids(run, [task.id for task in there.values()])
        new = []
        for name, (position, row) in zip(names, rows, strict=True):
            run.count("tasks", "read")
            draft = Draft(row, run.now)
            if name is None:
                run.count("tasks", "set_aside")
                run.set_aside("tasks", f"row {position}", "no_id", packable(row))
                continue
            if self.stacks.gone.has_task(name, row):
                run.count("tasks", "erased")
                continue
            if self._is_twin(name, position, row):
                continue
            fields = self._fields(draft)
            if known := there.get(name):
                newer = is_newer(row, task_row(known))
                again(run, ("tasks", "tasks"), known, draft, fields,
                      newer=newer, edited=known.id in edited)  # fmt: skip
                continue
            part = (str(run.workspace.id), "task", name)
            new.append(
                Task(id=derived(fields["opened_at"], *part), workspace=run.workspace, **fields)
            )
            run.count("tasks", "imported")
            run.note("tasks", name, draft)
        if run.writes:
            Task.unscoped.bulk_create(new, batch_size=500)

    def _is_twin(self, name: str, position: int, row: Row) -> bool:
        """Whether the cache had a row of this id before; such a row is counted here."""
        twins = self.snapshots.twins
        if position not in twins or name in self.snapshots.logged:
            return False
        same = digest(row) == digest(self.source.row(CACHE, twins[position]))
        self.run.count("tasks", "existing" if same else "conflict")
        if not same:
            self.run.conflict("tasks", name, "twice", row)
        return True

    def _fields(self, draft: Draft) -> dict[str, Any]:
        fields = task_fields(draft)
        place = self.stacks.places.get(identity_of(draft.row.get("frame_id")) or "")
        fields["frame_id"] = place.id if place else None
        fields["project_id"] = place.project_id if place else self.main.id
        return fields

    def _keep_lines(self) -> None:
        lines = ((number, {"line": text}) for number, _, _, text in self.snapshots.lines())
        for chunk, named in self.keeper.named(LOG, lines, LOG):
            whole = []
            with self.run.batch(LOG, chunk[-1][0], len(chunk)):
                for (number, row), item in zip(chunk, named, strict=True):
                    if number in self.snapshots.broken:
                        self.run.count("other", "read")
                        self.run.count("other", "set_aside")
                        self.run.set_aside(LOG, f"line {number}", "broken_line", row)
                    else:
                        whole.append(item)
                self.keeper.keep("other", whole, LOG)


def cache_name(row: Row) -> str:
    """What a row of the cache that a newer line replaces is kept under."""
    return identity_of(row["id"]) or f"sha256:{digest(row)}"


def parsed(raw: bytes) -> tuple[Row | None, str | BadText]:
    text = text_or_bad(raw.rstrip(b"\n"))
    try:
        data = None if isinstance(text, BadText) else json.loads(text)
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict):
        return None, text
    return {key: storable(value) for key, value in data.items()}, text
