"""What a ChromaDB folder holds, brought into a workspace: for teams that leave it.

Its SQLite file is read directly; the package is not needed. Vectors are not taken over: documents
get those of the model that searches here.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.utils import timezone

from frames.appending import EventIn, append_batch
from frames.calls import start_frame
from frames.models import Frame, Project
from stackmemory.lib.tenancy import workspace_scope
from workspaces.access import PERMISSIONS
from workspaces.actor import Actor
from workspaces.models import Workspace

BATCH = 500
FILE = "chroma.sqlite3"
TEXT = "chroma:document"
# Under these names stores keep when something was; a number is seconds or milliseconds.
TIMES = ("timestamp", "created_at", "createdAt", "date", "time")
NEEDED = {"collections", "segments", "embeddings", "embedding_metadata"}


class BadChroma(Exception):
    """One sentence for a person."""


@dataclass
class Report:
    collections: int = 0
    documents: int = 0
    known: int = 0
    # Without a text there is nothing to find.
    silent: int = 0


def import_chroma(
    *, workspace: Workspace, path: Path, on_progress: Callable[[Report], None] | None = None
) -> Report:
    """Each collection becomes a frame, each document an event of it. Run again, it adds what is new."""
    file = path / FILE if path.is_dir() else path
    if not file.is_file():
        raise BadChroma(f"There is no {FILE} at {path}.")
    actor = Actor(workspace, None, PERMISSIONS["admin"])
    report = Report()
    try:
        with closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)) as store:
            store.text_factory = lambda data: data.decode("utf-8", "replace")
            tables = {name for (name,) in store.execute("SELECT name FROM sqlite_master")}
            if not tables >= NEEDED:
                raise BadChroma(f"{file} is no ChromaDB store of version 0.4 or later.")
            for id_, name in store.execute("SELECT id, name FROM collections").fetchall():
                report.collections += 1
                frame = _frame(actor, str(id_), str(name))
                for batch in _batches(store, id_):
                    _append(actor, frame, str(id_), batch, report)
                    if on_progress is not None:
                        on_progress(report)
    except sqlite3.DatabaseError as problem:
        raise BadChroma(f"{file} cannot be read: {problem}.") from problem
    return report


def _frame(actor: Actor, collection: str, name: str) -> Frame:
    with workspace_scope(actor.workspace.pk):
        project, _ = Project.unscoped.get_or_create(
            workspace=actor.workspace, slug="chroma", defaults={"name": "ChromaDB"}
        )
        frame, _ = start_frame(
            actor=actor, project=project, name=name or "Collection", type="collection",
            source_id=f"chroma:{collection}"[:500],
        )  # fmt: skip
        return frame


def _batches(
    store: sqlite3.Connection, collection: str
) -> Iterator[list[tuple[str, dict[str, Any]]]]:
    """(the document's own id, its metadata with its text), a batch at a time."""
    last = -1
    while True:
        rows = store.execute(
            "SELECT e.id, e.embedding_id FROM embeddings e JOIN segments s ON s.id = e.segment_id"
            " WHERE s.collection = ? AND e.id > ? ORDER BY e.id LIMIT ?",
            (collection, last, BATCH),
        ).fetchall()
        if not rows:
            return
        last = rows[-1][0]
        marks = ", ".join("?" * len(rows))
        values: dict[int, dict[str, Any]] = {row: {} for row, _ in rows}
        found = store.execute(
            "SELECT id, key, string_value, int_value, float_value, bool_value"
            f" FROM embedding_metadata WHERE id IN ({marks})",
            list(values),
        )
        for row, key, *kinds in found:
            values[row][key] = next((value for value in kinds if value is not None), None)
        yield [(own, values[row]) for row, own in rows]


def _append(
    actor: Actor,
    frame: Frame,
    collection: str,
    batch: list[tuple[str, dict[str, Any]]],
    report: Report,
) -> None:
    events = []
    for own, metadata in batch:
        text = metadata.pop(TEXT, None)
        if not text:
            report.silent += 1
            continue
        payload = {"content": str(text), "metadata": metadata}
        events.append(
            EventIn(
                str(frame.pk),
                "document",
                payload,
                source_id=f"chroma:{collection}:{own}"[:500],
                arrived_at=_time(metadata),
            )
        )
    with workspace_scope(actor.workspace.pk):
        answers = append_batch(actor=actor, events=events)
    created = sum(answer.outcome == "created" for answer in answers)
    report.documents += created
    report.known += len(answers) - created


def _time(metadata: dict[str, Any]) -> datetime | None:
    """When it was, if it says so in a way that can be believed."""
    for name in TIMES:
        value = metadata.get(name)
        try:
            if isinstance(value, int | float) and not isinstance(value, bool):
                at = datetime.fromtimestamp(value / 1000 if value > 1e11 else value, UTC)
            elif isinstance(value, str):
                at = datetime.fromisoformat(value)
                at = at if at.tzinfo else at.replace(tzinfo=UTC)
            else:
                continue
        except (ValueError, OverflowError, OSError):
            continue
        if datetime(2000, 1, 1, tzinfo=UTC) < at <= timezone.now():
            return at
    return None
