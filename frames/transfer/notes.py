"""Importing what was to be remembered and done: anchors, contexts, tasks; and all other rows."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from frames.models import Anchor, KeptRow, Task
from frames.transfer.draft import Draft
from frames.transfer.rows import anchors, kept, tasks
from frames.transfer.run import Run, chunks
from frames.transfer.source import Source
from frames.transfer.stacks import Stacks, edited_ids, keep_revision
from frames.transfer.values import BadText, Row, digest, identity_of, storable, text_or_bad
from stackmemory.lib.uuid7 import derived

# Tables that have a phase of their own.
OWN_PHASE = frozenset({"frames", "events", "anchors", "contexts", "traces", "tool_calls"})
Fields = Callable[[Draft], dict[str, Any]]


class Notes:
    """Imports everything but frames and events."""

    def __init__(self, run: Run, source: Source, stacks: Stacks) -> None:
        self.run, self.source, self.stacks = run, source, stacks
        self.main = stacks.projects.main

    # --- anchors --------------------------------------------------------------------------------

    def import_anchors(self) -> None:
        for chunk in self._chunks("anchors"):
            with self.run.batch("anchors", chunk[-1][0], len(chunk)):
                self._remember("anchors", Anchor.Origin.ANCHOR, chunk, self._anchor_fields)

    def import_contexts(self) -> None:
        """Decisions become anchors; captured surroundings (readme, history …) are kept as rows."""
        names = kept.Names(self.source, "contexts")
        for chunk in self._chunks("contexts"):
            told = [c for c in chunk if str(c[1]["type"]).lower() in anchors.REMEMBERED]
            rest = [c for c in chunk if str(c[1]["type"]).lower() not in anchors.REMEMBERED]
            with self.run.batch("contexts", chunk[-1][0], len(chunk)):
                self._remember("contexts", Anchor.Origin.CONTEXT, told, anchors.context_fields)
                self.keep("contexts", [(names.name(row), row) for _, row in rest])

    def import_decisions(self, path: Path) -> None:
        rows = list(enumerate(decision_rows(path), start=1))
        if rows and not self.run.position("session-decisions.json"):
            with self.run.batch("session-decisions.json", len(rows), len(rows)):
                origin = Anchor.Origin.SESSION_DECISION
                self._remember("other", origin, rows, anchors.decision_fields)
                self._count_other("session-decisions.json", len(rows))

    def _anchor_fields(self, draft: Draft) -> dict[str, Any]:
        frame_id = identity_of(draft.row["frame_id"])
        fields = anchors.anchor_fields(draft, frame_id=frame_id)
        place = self.stacks.places.get(frame_id or "")
        if place is None and frame_id is not None:
            project = self.stacks.projects.of(fields["source_project"])
            place = self.stacks.placeholder(frame_id, project=project, at=fields["noted_at"])
        if place is None or frame_id not in self.stacks.plan.nodes:
            draft.note("missing_frame")
        if place is not None:
            fields |= {"frame_id": place.id, "project_id": place.project_id}
        return fields

    def _remember(
        self, table: str, origin: str, chunk: list[tuple[int, Row]], fields_of: Fields
    ) -> None:
        ids = {row.get("anchor_id", row.get("id")) for _, row in chunk}
        query = Anchor.objects.in_workspace(self.run.workspace).filter(origin=origin)
        names = [name for name in map(identity_of, ids) if name]
        there = {a.source_id: a for a in query.filter(source_id__in=names)}
        edited = edited_ids(self.run, [anchor.id for anchor in there.values()])
        new: dict[str, Anchor] = {}
        for position, row in chunk:
            key = "anchor_id" if origin == Anchor.Origin.ANCHOR else "id"
            draft = Draft(row, self.run.now)
            name = draft.identity(key, uuid=key == "anchor_id")
            if not self._countable(table, name, position, row):
                continue
            known = there.get(name) or new.get(name)  # type: ignore[arg-type]
            if known is not None:
                newer = name in there and anchors.is_newer(row, known) and known.id not in edited
                self._again(table, known, draft, fields_of, newer=newer, twice=name in new)
                continue
            fields = fields_of(draft)
            fields.setdefault("project_id", self.main.id)
            part = (str(self.run.workspace.id), "anchor", origin, name or "")
            anchor = Anchor(
                id=derived(fields["noted_at"], *part), workspace=self.run.workspace, **fields
            )
            new[name or ""] = anchor
            self.run.count(table, "imported")
            self.run.note(table, name or "", draft)
        if self.run.writes:
            Anchor.unscoped.bulk_create(new.values(), batch_size=500)

    def _again(
        self, table: str, known: Any, draft: Draft, fields_of: Fields, *, newer: bool, twice: bool
    ) -> None:
        run, row = self.run, draft.row
        content = digest(tasks.packable(row))
        if (known.source or {}).get("hash") == content:
            run.count(table, "existing")
        elif newer:
            run.count(table, "updated")
            if run.writes:
                fields = fields_of(draft)
                changed = {n: v for n, v in fields.items() if getattr(known, n) != v}
                old = {name: getattr(known, name) for name in changed}
                keep_revision(run, known._meta.model_name, known, old)
                for field, value in changed.items():
                    setattr(known, field, value)
                known.save(update_fields=list(changed))
        else:
            run.count(table, "conflict")
            edited = bool(edited_ids(run, [known.id]))
            reason = "twice" if twice else "edited_here" if edited else "other_content"
            run.conflict(table, known.source_id, reason, tasks.packable(row))

    # --- tasks ----------------------------------------------------------------------------------

    def import_tasks(self, lines: Path | None) -> None:
        """One task per id: the newest snapshot of it; every line of the log is kept besides."""
        cache = [row for _, row in self.source.rows("task_cache")]
        logged = list(task_lines(lines)) if lines else []
        chosen, passed_over = newest_tasks(cache, [row for row, _ in logged if row is not None])
        if chosen and not self.run.position("tasks"):
            with self.run.batch("tasks", len(chosen), len(cache) + len(logged)):
                self._write_tasks(chosen)
                self.keep("other", [(str(row.get("id")), row) for row in passed_over], "task_cache")
        if logged and not self.run.position("tasks.jsonl"):
            with self.run.batch("tasks.jsonl", len(logged), 0):
                self._keep_lines(logged)

    def _write_tasks(self, rows: list[Row]) -> None:
        run = self.run
        names = [identity_of(row.get("id")) for row in rows]
        query = Task.objects.in_workspace(run.workspace).filter(source_id__in=filter(None, names))
        there = {task.source_id: task for task in query}
        edited = edited_ids(run, [task.id for task in there.values()])
        new = []
        for number, (name, row) in enumerate(zip(names, rows, strict=True), start=1):
            draft = Draft(row, run.now)
            if not self._countable("tasks", name, number, tasks.packable(row)):
                continue
            known = there.get(name)  # type: ignore[arg-type]
            if known is not None:
                newer = tasks.is_newer(row, known, tasks.task_row(known))
                newer = newer and known.id not in edited
                self._again("tasks", known, draft, self._task_fields, newer=newer, twice=False)
                continue
            fields = self._task_fields(draft)
            part = (str(run.workspace.id), "task", name or "")
            new.append(
                Task(id=derived(fields["opened_at"], *part), workspace=run.workspace, **fields)
            )
            run.count("tasks", "imported")
            run.note("tasks", name or "", draft)
        if run.writes:
            Task.unscoped.bulk_create(new, batch_size=500)

    def _task_fields(self, draft: Draft) -> dict[str, Any]:
        fields = tasks.task_fields(draft)
        place = self.stacks.places.get(identity_of(draft.row.get("frame_id")) or "")
        fields["frame_id"] = place.id if place else None
        fields["project_id"] = place.project_id if place else self.main.id
        return fields

    def _keep_lines(self, logged: list[tuple[Row | None, str | BadText]]) -> None:
        names = kept.Names(self.source, "tasks.jsonl")
        whole = []
        for number, (row, text) in enumerate(logged, start=1):
            if row is None:
                self.run.count("other", "read")
                self.run.count("other", "set_aside")
                broken = {"line": text}
                self.run.set_aside("tasks.jsonl", f"line {number}", "broken_line", broken)
            else:
                line = {"line": text}
                whole.append((names.name(line), line))
        self.keep("other", whole, "tasks.jsonl")

    # --- everything else --------------------------------------------------------------------------

    def import_kept(self, table: str, kind: str) -> None:
        """Keep a table's rows word for word; `kind` is the line of the report they count under."""
        names = kept.Names(self.source, table)
        done = self.run.position(f"kept {table}")
        if done:  # names of equal rows are counted from the first
            for position, row in self.source.rows(table):
                if position > done:
                    break
                names.name(row)
        for chunk in chunks(self.source.rows(table, after=done)):
            with self.run.batch(f"kept {table}", chunk[-1][0], len(chunk)):
                self.keep(kind, [(names.name(row), row) for _, row in chunk], table)

    def import_others(self) -> None:
        covered = OWN_PHASE | {"task_cache"}
        for table in sorted(set(self.source.tables) - covered):
            self.import_kept(table, "other")
        for table in self.source.virtual:
            self.run.other.setdefault(f"{table} (virtual: kept as its own tables)", 0)

    def import_files(self, files: dict[str, Path]) -> None:
        """Keep the other text files of the folder, by their names in it."""
        rows = [(n, {"text": text_or_bad(p.read_bytes())}) for n, p in files.items()]
        if rows and not self.run.position("files"):
            with self.run.batch("files", len(rows), len(rows)):
                self.keep("other", rows, "files")

    def keep(self, kind: str, rows: list[tuple[str, Row]], table: str | None = None) -> None:
        """Write KeptRows, skipping equal ones and reporting different ones as conflicts."""
        run = self.run
        table = kept.label(table or kind)
        query = KeptRow.objects.in_workspace(run.workspace).filter(
            project_id=self.main.id, table=table, source_id__in=[name for name, _ in rows]
        )
        there = {row.source_id: row.content for row in query}
        new = []
        for name, row in rows:
            run.count(kind, "read")
            content = kept.kept_content(row)
            if name not in there:
                there[name] = content
                new.append(
                    KeptRow(
                        workspace=run.workspace, project_id=self.main.id, table=table,
                        source_id=name, content=content,
                    )
                )  # fmt: skip
                run.count(kind, "imported")
            elif same_content(there[name], content):
                run.count(kind, "existing")
            else:
                run.count(kind, "conflict")
                run.conflict(table, name, "other_content", row)
        if kind == "other" and rows:
            self._count_other(table, len(rows))
        if run.writes:
            KeptRow.unscoped.bulk_create(new, batch_size=500)

    def _count_other(self, table: str, number: int) -> None:
        self.run.other[table] = self.run.other.get(table, 0) + number

    def _countable(self, table: str, name: str | None, position: int, row: Row) -> bool:
        self.run.count(table, "read")
        if name is not None:
            return True
        self.run.count(table, "set_aside")
        self.run.set_aside(table, f"row {position}", "no_id", row)
        return False

    def _chunks(self, table: str) -> Iterator[list[tuple[int, Row]]]:
        return chunks(self.source.rows(table, after=self.run.position(table)))


def same_content(a: Row, b: Row) -> bool:
    return json.dumps(a, sort_keys=True) == json.dumps(b, sort_keys=True)


def task_lines(path: Path) -> Iterator[tuple[Row | None, str | BadText]]:
    """(snapshot, text) of each line; None where the line is no object, as after a crash."""
    with path.open("rb") as file:
        for raw in file:
            if not raw.strip():
                continue
            text = text_or_bad(raw.rstrip(b"\n"))
            try:
                data = None if isinstance(text, BadText) else json.loads(text)
            except (ValueError, RecursionError):
                data = None
            if isinstance(data, dict):
                yield {key: storable(value) for key, value in data.items()}, text
            else:
                yield None, text


def newest_tasks(cache: list[Row], logged: list[Row]) -> tuple[list[Row], list[Row]]:
    """One row per task id, the newest snapshot; and the cache's rows that a newer line replaces.

    The log is in order of writing, so its last line of an id counts; the cache mirrors the log
    and wins where it is no older.
    """
    last = {str(row.get("id")): row for row in logged}
    chosen, passed_over = [], []
    for row in cache:
        line = last.pop(str(row.get("id")), None)
        if line is not None and tasks.written(line) > tasks.written(row):
            chosen.append(line)
            passed_over.append(row)
        else:
            chosen.append(row)
    return chosen + list(last.values()), passed_over


def decision_rows(path: Path) -> Iterator[Row]:
    """The entries of session-decisions.json; nothing where the file is not of that shape."""
    try:
        data = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        return
    entries = data.get("decisions") if isinstance(data, dict) else None
    for entry in entries if isinstance(entries, list) else []:
        if isinstance(entry, dict):
            yield {
                key: json.dumps(v) if isinstance(v, dict | list) else storable(v)
                for key, v in entry.items()
            }
