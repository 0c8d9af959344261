"""Verifying an import: every source row is rebuilt from ours and compared, value by value."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from copy import copy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.db.models import Q

from frames.ingest import event_id
from frames.models import Anchor, Event, Frame, KeptRow, Revision, Task, TransferItem
from frames.transfer.documents import EVENT
from frames.transfer.importing import open_store
from frames.transfer.locate import Store, locate
from frames.transfer.notes import OWN_PHASE, decision_rows, newest_tasks, task_lines
from frames.transfer.rows import anchors, kept, tasks
from frames.transfer.rows.frames import frame_row
from frames.transfer.run import TABLES, chunks
from frames.transfer.source import Source
from frames.transfer.timeline import differences, source_row
from frames.transfer.values import Row, digest, identity_of, moment, pack_row, text_or_bad, whole
from stackmemory.lib.tenancy import workspace_scope
from workspaces.models import Workspace

NAMED = 100


@dataclass
class Verdict:
    """What came of one table. `differing` names at most NAMED rows; `differs` counts all."""

    read: int = 0
    same: int = 0
    changed: int = 0
    conflict: int = 0
    set_aside: int = 0
    differs: int = 0
    missing: int = 0
    named: list[dict[str, Any]] = field(default_factory=list)
    theirs: Any = field(default_factory=hashlib.sha256)
    ours: Any = field(default_factory=hashlib.sha256)

    def as_json(self) -> dict[str, Any]:
        counts = ("read", "same", "changed", "conflict", "set_aside", "differs", "missing")
        return {name: getattr(self, name) for name in counts} | {
            "source_checksum": self.theirs.hexdigest(),
            "workspace_checksum": self.ours.hexdigest(),
        }


def verify_import(*, workspace: Workspace, path: Path) -> dict[str, Any]:
    """Compare the store at `path` with what `workspace` holds of it.

    The report's status is "ok" when every source row is here as it is there: in its own row, in
    an earlier revision of one that people have since changed (`changed`), or kept beside as a
    conflict or set aside. Otherwise it is "differs" and the rows are named. Raises BadStore like
    the import.
    """
    store = locate(path)
    with ExitStack() as stack, workspace_scope(workspace.id):
        sources = [source for source, _ in open_store(store, stack)]
        check = _Check(workspace)
        for number, source in enumerate(sources):
            check.store(source, store if number == 0 else None)
    bad = any(v.differs or v.missing for v in check.verdicts.values())
    return {
        "status": "differs" if bad else "ok",
        "tables": {name: verdict.as_json() for name, verdict in check.verdicts.items()},
        "differing": [row for verdict in check.verdicts.values() for row in verdict.named],
    }


class _Check:
    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.verdicts = {table: Verdict() for table in TABLES}

    def store(self, source: Source, store: Store | None) -> None:
        self.frames(source)
        self.events(source)
        self.anchors(source, "anchors", Anchor.Origin.ANCHOR, source.rows("anchors"))
        told = (r for r in source.rows("contexts") if _is_told(r[1]))
        self.anchors(source, "contexts", Anchor.Origin.CONTEXT, told)
        names = kept.Names(source, "contexts")
        rest = (
            (position, names.name(row), row)
            for position, row in source.rows("contexts")
            if not _is_told(row)
        )
        self.kept("contexts", "contexts", rest)
        self.tasks(source, store.tasks if store else None)
        for table, kind in [("traces", "traces"), ("tool_calls", "tool_calls")] + [
            (table, "other") for table in sorted(set(source.tables) - OWN_PHASE - {"task_cache"})
        ]:
            names = kept.Names(source, table)
            rows = ((position, names.name(row), row) for position, row in source.rows(table))
            self.kept(kind, table, rows)
        if store is not None:
            self.companions(source, store)

    def companions(self, source: Source, store: Store) -> None:
        if store.decisions is not None:
            rows = enumerate(decision_rows(store.decisions), start=1)
            self.anchors(source, "other", Anchor.Origin.SESSION_DECISION, rows)
        files = [(n, {"text": text_or_bad(p.read_bytes())}) for n, p in store.side_files.items()]
        self.kept("other", "files", ((i, name, row) for i, (name, row) in enumerate(files)))

    # --- each table: find ours, rebuild, compare ------------------------------------------------

    def frames(self, source: Source) -> None:
        query = Frame.objects.in_workspace(self.workspace).select_related("session", "parent")
        for chunk in chunks(source.rows("frames"), most=100):
            ids = [identity_of(row["frame_id"]) for _, row in chunk]
            found = {f.source_id: f for f in query.filter(source_id__in=filter(None, ids))}
            for (position, row), frame_id in zip(chunk, ids, strict=True):
                frame = found.get(frame_id)
                ours = self._frame_row(frame) if frame else None
                self._judge("frames", "frames", position, frame_id, row, ours, frame)

    def _frame_row(self, frame: Frame) -> Row:
        events: dict[str, Row] = {}
        if (frame.source or {}).get("keys"):
            wanted = set(_references([frame.digest, frame.outputs]))
            query = Event.objects.in_workspace(self.workspace).filter(frame=frame)
            events = {
                event.source_id: source_row(event)
                for event in query.select_related("frame__session").iterator(chunk_size=500)
                if event.source_id in wanted
            }
        return frame_row(frame, events=events)

    def events(self, source: Source) -> None:
        query = Event.objects.in_workspace(self.workspace).select_related("frame__session")
        for chunk in chunks(source.rows("events"), most=1000):
            ids = [identity_of(row["event_id"]) for _, row in chunk]
            named = [(n, row) for n, (_, row) in zip(ids, chunk, strict=True) if n]
            by_id = {
                event_id(self.workspace, name, at, whole(row["seq"]) or 0): name
                for name, row in named
                if (at := moment(row["ts"])) is not None
            }
            found = {e.source_id: e for e in query.filter(pk__in=by_id)}
            rest = [(name, row) for name, row in named if name not in found]
            if rest:
                frames = {identity_of(row["frame_id"]) for _, row in rest} - {None}
                moved = query.filter(
                    frame__source_id__in=frames, source_id__in=[name for name, _ in rest]
                )
                found |= {event.source_id: event for event in moved}
            for (position, row), name in zip(chunk, ids, strict=True):
                event = found.get(name)
                ours = source_row(event) if event else None
                self._judge("events", "events", position, name, row, ours, event)

    def anchors(
        self, source: Source, table: str, origin: str, rows: Iterable[tuple[int, Row]]
    ) -> None:
        key = "anchor_id" if origin == Anchor.Origin.ANCHOR else "id"
        query = Anchor.objects.in_workspace(self.workspace).filter(origin=origin)
        for chunk in chunks(iter(rows)):
            ids = [identity_of(row.get(key)) for _, row in chunk]
            found = {
                a.source_id: a
                for a in query.filter(source_id__in=filter(None, ids)).select_related("frame")
            }
            for (position, row), name in zip(chunk, ids, strict=True):
                anchor = found.get(name)
                ours = anchors.anchor_row(anchor) if anchor else None
                self._judge(table, table, position, name, row, ours, anchor)

    def tasks(self, source: Source, lines: Path | None) -> None:
        cache = [row for _, row in source.rows("task_cache")]
        logged = list(task_lines(lines)) if lines else []
        chosen, passed_over = newest_tasks(cache, [row for row, _ in logged if row is not None])
        ids = [identity_of(row.get("id")) for row in chosen]
        query = Task.objects.in_workspace(self.workspace)
        found = {t.source_id: t for t in query.filter(source_id__in=filter(None, ids))}
        for number, (row, name) in enumerate(zip(chosen, ids, strict=True), start=1):
            task = found.get(name)
            ours = tasks.packable(tasks.task_row(task)) if task else None
            self._judge("tasks", "tasks", number, name, tasks.packable(row), ours, task)
        rows = ((n, str(row.get("id")), row) for n, row in enumerate(passed_over))
        self.kept("other", "task_cache", rows)
        names = kept.Names(source, "tasks.jsonl")
        texts = [(row, {"line": text}) for row, text in logged]
        whole_lines = (
            (n, names.name(line), line) for n, (row, line) in enumerate(texts) if row is not None
        )
        self.kept("other", "tasks.jsonl", whole_lines)
        for number, (row, line) in enumerate(texts, start=1):
            if row is None:
                self._judge("other", "tasks.jsonl", number, f"line {number}", line, None, None)

    def kept(self, kind: str, table: str, rows: Iterable[tuple[int, str, Row]]) -> None:
        query = KeptRow.objects.in_workspace(self.workspace).filter(table=kept.label(table))
        batch: list[tuple[int, str, Row]] = []
        size = 0
        for item in rows:
            batch.append(item)
            size += sum(len(v) for v in item[2].values() if isinstance(v, str | bytes))
            if len(batch) >= 500 or size > 4_000_000:
                self._kept_batch(kind, table, batch, query)
                batch, size = [], 0
        self._kept_batch(kind, table, batch, query)

    def _kept_batch(
        self, kind: str, table: str, batch: list[tuple[int, str, Row]], query: Any
    ) -> None:
        # One name may stand in several projects; the one with this very content is meant.
        found: dict[str, list[Row]] = {}
        for row in query.filter(source_id__in=[name for _, name, _ in batch]):
            found.setdefault(row.source_id, []).append(kept.kept_row(row.content))
        for position, name, row in batch:
            candidates = found.get(name, [])
            ours = next((c for c in candidates if not differences(c, row)), None)
            ours = ours or (candidates[0] if candidates else None)
            self._judge(kind, table, position, name, row, ours, None)

    # --- the verdict ----------------------------------------------------------------------------

    def _judge(
        self,
        kind: str,
        table: str,
        position: int,
        name: str | None,
        row: Row,
        ours: Row | None,
        found: Any,
    ) -> None:
        verdict = self.verdicts[kind]
        verdict.read += 1
        expected = digest(row)
        verdict.theirs.update(expected.encode())
        columns = [] if ours is None else differences(ours, row)
        if ours is not None and not columns:
            verdict.same += 1
            verdict.ours.update(expected.encode())
        elif self._is_kept(table, name or f"row {position}", row):
            kept_as = "conflict" if name is not None and ours is not None else "set_aside"
            setattr(verdict, kept_as, getattr(verdict, kept_as) + 1)
            verdict.ours.update(expected.encode())
        elif isinstance(found, Frame | Anchor | Task) and self._was_once(found, row):
            verdict.changed += 1
            verdict.ours.update(expected.encode())
        else:
            outcome = "missing" if ours is None else "differs"
            setattr(verdict, outcome, getattr(verdict, outcome) + 1)
            if ours is not None:
                picked = {column: ours[column] for column in row if column in ours}
                verdict.ours.update(digest(picked).encode())
            if len(verdict.named) < NAMED:
                where = {"table": table, "id": name or f"row {position}", "outcome": outcome}
                verdict.named.append(where | {"columns": columns})

    def _is_kept(self, table: str, name: str, row: Row) -> bool:
        """Whether a transfer keeps exactly this row beside: as a conflict, or set aside."""
        items = TransferItem.objects.in_workspace(self.workspace).filter(
            Q(category=TransferItem.Category.CONFLICT)
            | Q(category=TransferItem.Category.SET_ASIDE),
            table=kept.label(table),
            source_id=name,
        )
        packed = json.dumps(pack_row(row), sort_keys=True)
        return any(json.dumps(item.content, sort_keys=True) == packed for item in items)

    def _was_once(self, found: Any, row: Row) -> bool:
        """Whether the row was changed here since, and an earlier state of it is the source's."""
        revisions = Revision.objects.in_workspace(self.workspace).filter(object_id=found.pk)
        past = copy(found)
        for revision in revisions.order_by("-valid_to", "-id"):
            for name, value in revision.data.items():
                setattr(past, name, past._meta.get_field(name).to_python(value))
            if not differences(self._rebuilt(past), row):
                return True
        return False

    def _rebuilt(self, found: Any) -> Row:
        if isinstance(found, Frame):
            return self._frame_row(found)
        if isinstance(found, Anchor):
            return anchors.anchor_row(found)
        return tasks.packable(tasks.task_row(found))


def _is_told(row: Row) -> bool:
    return str(row["type"]).lower() in anchors.REMEMBERED


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for item in value:
            yield from _references(item)
    elif isinstance(value, dict):
        if list(value) == [EVENT]:
            yield str(value[EVENT])
        else:
            yield from _references(list(value.values()))
