"""Importing what was to be remembered: anchors, decisions in contexts and in a file beside."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from frames.models import Anchor
from frames.transfer.draft import Draft
from frames.transfer.history import edited_ids
from frames.transfer.keeping import Keeper
from frames.transfer.meeting import again
from frames.transfer.rows import anchors
from frames.transfer.run import Run, chunks
from frames.transfer.source import Source
from frames.transfer.stacks import Stacks
from frames.transfer.values import Row, digest, identity_of, storable, text_or_bad
from stackmemory.lib.uuid7 import derived

DECISIONS = "session-decisions.json"
Fields = Callable[[Draft], dict[str, Any]]


class Remembering:
    """Imports rows that become anchors."""

    def __init__(self, run: Run, source: Source, stacks: Stacks, keeper: Keeper) -> None:
        self.run, self.source, self.stacks, self.keeper = run, source, stacks, keeper
        self.main = stacks.projects.main
        self.twins: dict[int, int] = {}

    def import_anchors(self) -> None:
        self.twins = self.source.twins("anchors", "anchor_id")
        rows = self.source.rows("anchors", after=self.run.position("anchors"))
        for chunk in chunks(rows):
            with self.run.batch("anchors", chunk[-1][0], len(chunk)):
                self._remember("anchors", Anchor.Origin.ANCHOR, chunk, self._anchor_fields)

    def import_contexts(self) -> None:
        """Decisions become anchors; captured surroundings (readme, history …) are kept as rows."""
        self.twins = self.source.twins("contexts", "id")
        rows = self.source.rows("contexts")
        for chunk, named in self.keeper.named("contexts", rows, "contexts"):
            told, rest = [], []
            with self.run.batch("contexts", chunk[-1][0], len(chunk)):
                for (position, row), item in zip(chunk, named, strict=True):
                    if position in self.twins:
                        first = self.source.row("contexts", self.twins[position])
                        self.keeper.twin("contexts", "contexts", item, first)
                    elif is_told(row):
                        told.append((position, row))
                    else:
                        rest.append(item)
                self._remember("contexts", Anchor.Origin.CONTEXT, told, anchors.context_fields)
                self.keeper.keep("contexts", rest, "contexts")

    def import_decisions(self, path: Path) -> None:
        """Each decision an anchor, and the file itself as a row."""
        if self.run.position(DECISIONS) is not None:
            return
        rows = list(enumerate(decision_rows(path), start=1))
        with self.run.batch(DECISIONS, len(rows), len(rows) + 1):
            self.twins = _twins(rows)
            origin = Anchor.Origin.SESSION_DECISION
            self._remember("other", origin, rows, anchors.decision_fields, label=DECISIONS)
            self.run.other[DECISIONS] = self.run.other.get(DECISIONS, 0) + len(rows)
            self.keeper.keep("other", [decision_file(path)], DECISIONS)

    def _anchor_fields(self, draft: Draft) -> dict[str, Any]:
        frame_id = identity_of(draft.row["frame_id"])
        fields = anchors.anchor_fields(draft, frame_id=frame_id)
        place = self.stacks.places.get(frame_id or "") if frame_id else None
        if place is None and frame_id is not None:
            project = self.stacks.projects.of(fields["source_project"])
            place = self.stacks.placeholder(frame_id, project=project, at=fields["noted_at"])
        if frame_id not in self.stacks.plan.nodes:
            draft.note("missing_frame")
        project_id = place.project_id if place else self.main.id
        return fields | {"frame_id": place.id if place else None, "project_id": project_id}

    def _remember(
        self,
        table: str,
        origin: str,
        chunk: list[tuple[int, Row]],
        fields_of: Fields,
        label: str | None = None,
    ) -> None:
        run, label = self.run, label or table
        key = "anchor_id" if origin == Anchor.Origin.ANCHOR else "id"
        names = [name for _, row in chunk if (name := identity_of(row.get(key)))]
        query = Anchor.objects.in_workspace(run.workspace).filter(origin=origin)
        there = {a.source_id: a for a in query.filter(source_id__in=names)}
        edited = edited_ids(run, [anchor.id for anchor in there.values()])
        rows = dict(chunk)
        new = []
        for position, row in chunk:
            run.count(table, "read")
            draft = Draft(row, run.now)
            name = draft.identity(key, uuid=key == "anchor_id")
            if name is None:
                run.count(table, "set_aside")
                run.set_aside(label, f"row {position}", "no_id", row)
                continue
            if self.stacks.gone.has_anchor(origin, name, row):
                run.count(table, "erased")
                continue
            if position in self.twins:
                first = self.twins[position]
                self._twice(table, label, name, row, rows.get(first) or self._row(table, first))
                continue
            fields: dict[str, Any] = {"project_id": self.main.id} | fields_of(draft)
            if known := there.get(name):
                newer = anchors.is_newer(row, known)
                again(run, (table, label), known, draft, fields,
                      newer=newer, edited=known.id in edited)  # fmt: skip
                continue
            part = (str(run.workspace.id), "anchor", origin, name)
            new.append(
                Anchor(id=derived(fields["noted_at"], *part), workspace=run.workspace, **fields)
            )
            run.count(table, "imported")
            run.note(label, name, draft)
        if run.writes:
            Anchor.unscoped.bulk_create(new, batch_size=500)

    def _row(self, table: str, position: int) -> Row:
        return self.source.row(table, position)

    def _twice(self, table: str, label: str, name: str, row: Row, first: Row) -> None:
        same = digest(row) == digest(first)
        self.run.count(table, "existing" if same else "conflict")
        if not same:
            self.run.conflict(label, name, "twice", row)


def is_told(row: Row) -> bool:
    """Whether somebody meant a row of `contexts` to be remembered."""
    return str(row["type"]).lower() in anchors.REMEMBERED


def decision_rows(path: Path) -> Iterator[Row]:
    """The entries of session-decisions.json that are objects; none where it has another shape."""
    yield from decisions_in(path.read_bytes())


def decisions_in(content: bytes) -> Iterator[Row]:
    try:
        data = json.loads(content)
    except (ValueError, RecursionError):
        return
    entries = data.get("decisions") if isinstance(data, dict) else None
    for entry in entries if isinstance(entries, list) else []:
        if isinstance(entry, dict):
            yield {
                key: json.dumps(v) if isinstance(v, dict | list) else storable(v)
                for key, v in entry.items()
            }


def decision_file(path: Path) -> tuple[str, Row]:
    """The whole file, named after its content: it changes with every decision."""
    row = {"text": text_or_bad(path.read_bytes())}
    return f"sha256:{digest(row)}", row


def _twins(rows: list[tuple[int, Row]]) -> dict[int, int]:
    first: dict[str, int] = {}
    twins = {}
    for position, row in rows:
        name = identity_of(row.get("id"))
        if name is not None and first.setdefault(name, position) != position:
            twins[position] = first[name]
    return twins
