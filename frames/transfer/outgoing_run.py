"""One writing of a project as a local store: each table in turn, in parts that fit in memory."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, Max, Q

from frames.cold.container import as_event
from frames.losses import SAID, Losses
from frames.models import Anchor, Event, Frame, KeptRow, Project, Revision, Task, TransferItem
from frames.transfer.beside import Beside
from frames.transfer.comparing import events_of as copies_of
from frames.transfer.comparing import referred
from frames.transfer.local_schema import DERIVED, Generation
from frames.transfer.outgoing import (
    Names,
    anchor_out,
    event_out,
    frame_out,
    needs_frame,
    run_of,
    spare_frame,
    task_out,
)
from frames.transfer.reading import events_of, groups, parts
from frames.transfer.rows import kept
from frames.transfer.rows.events import give_origin, with_origin
from frames.transfer.rows.frames import RETENTION, frame_hash
from frames.transfer.sharing import hidden_from, share
from frames.transfer.values import Row, unpack_row
from frames.transfer.writing import Writer
from stackmemory.lib.tenancy import workspace_scope
from workspaces.models import User, Workspace

# (rows done, rows in all); may raise Cancelled.
Progress = Callable[[int, int], None]
EVENT_ORDER = ("frame_id", "occurred_at", "seq", "id")
# Names the frame that holds what belongs to a project as a whole.
SPARE = uuid.UUID("b6d6a7a4-7f0f-5d0c-8d35-000000000000")


@dataclass(frozen=True)
class Wanted:
    """What to write. Without `with_private`, only `user`'s own private frames are in it."""

    project: Project
    generation: Generation = "new"
    user: User | None = None
    with_private: bool = False

    @property
    def hidden(self) -> Q:
        return Q(pk__in=()) if self.with_private else hidden_from(self.user)

    def as_json(self) -> dict[str, Any]:
        return {
            "project": self.project.slug,
            "schema": self.generation,
            "with_private": self.with_private,
        }


class Outgoing:
    def __init__(
        self,
        workspace: Workspace,
        wanted: Wanted,
        writer: Writer,
        beside: Beside,
        on_progress: Progress | None,
    ) -> None:
        self.workspace, self.wanted, self.project = workspace, wanted, wanted.project
        self.writer, self.beside, self.on_progress = writer, beside, on_progress
        self.left_out: dict[str, int] = {}
        self.losses = Losses()
        self.full_text = False
        self.done = self.total = 0

    def run(self) -> None:
        left = self._read(share, self.workspace, self.wanted.hidden)
        self.names = Names(self._read(self._local_id), left)
        hidden = self._mine(Frame).filter(self.wanted.hidden)
        self._leave_out("private frames of others", self._read(hidden.count))
        named = self._mine(Task).exclude(source_id=None).values_list("pk", "source_id")
        self.names.tasks = {str(pk): source_id for pk, source_id in self._read(list, named)}
        self.edited = self._read(self._edited)
        frames = self._read(self._frame_ids)
        self.total = len(frames) + sum(number for _, number in frames)
        self._frames([pk for pk, _ in frames])
        self._events([frame for frame in frames if frame[1]])
        self._anchors()
        self._kept()
        self._tasks()
        self._set_aside()
        self._leave_out(SAID, len(self.losses.names))

    def _read(self, fetch: Callable[..., Any], *what: Any) -> Any:
        with workspace_scope(self.workspace.id, reading=True):
            return fetch(*what)

    def _mine(self, model: Any) -> Any:
        return model.objects.in_workspace(self.workspace).filter(project=self.project)

    def _tick(self, rows: int) -> None:
        self.done += rows
        if self.on_progress is not None:
            self.on_progress(self.done, self.total)

    def _local_id(self) -> str:
        """The id local tools know the repository by: its commonest, or the one they would make."""
        common = (
            self._mine(Frame).exclude(source_project="").values("source_project")
            .annotate(n=Count("pk")).order_by("-n", "source_project").first()
        )  # fmt: skip
        if common:
            return str(common["source_project"])
        address = re.sub(r"\.git$", "", self.project.repo_url.strip())
        return re.sub(r"[^A-Za-z0-9-]", "-", address).lower()[-50:] or self.project.slug

    def _edited(self) -> dict[uuid.UUID, datetime]:
        """Tasks that were changed here, and when last."""
        revisions = Revision.objects.in_workspace(self.workspace).filter(kind="task")
        by_people = revisions.exclude(cause=Revision.Cause.IMPORT).order_by()
        rows = by_people.values_list("object_id").annotate(at=Max("valid_to"))
        return dict(rows)

    def _frame_ids(self) -> list[tuple[uuid.UUID, int]]:
        """In the order in which they were made: a parent always before its children."""
        rows = self._mine(Frame).exclude(self.wanted.hidden).order_by("created_at", "pk")
        return list(rows.values_list("pk", "event_count"))

    def _frames(self, ids: list[uuid.UUID]) -> None:
        for part in parts(ids, 100):
            rows = self._read(self._frame_rows, part)
            self.writer.add("frames", rows)
            self._tick(len(part))

    def _frame_rows(self, ids: list[uuid.UUID]) -> list[Row]:
        query = Frame.objects.in_workspace(self.workspace).select_related("session", "parent")
        found, rows = query.in_bulk(ids), []
        for pk in ids:
            frame = found.get(pk)
            if frame is None or (frame.metadata or {}).get("placeholder"):
                continue
            row = self._frame_row(frame)
            if self.wanted.generation == "old" and row.get("retention_policy") == RETENTION:
                del row["retention_policy"]
            rows.append(row)
        return rows

    def _frame_row(self, frame: Frame) -> Row:
        source = dict(frame.source or {})
        wanted = set(referred([frame.digest, frame.outputs])) if source.get("keys") else set()
        row = frame_out(frame, self.names, self._copies(frame, wanted))
        if wanted and frame_hash(row) != source.get("hash"):
            # A copy of an event that is in conflict is kept beside as it was.
            frame.source = source
            copies = self._copies(frame, wanted, beside=True)
            other = frame_out(frame, self.names, copies)
            row = other if frame_hash(other) == source.get("hash") else row
        return row

    def _copies(self, frame: Frame, wanted: set[str], *, beside: bool = False) -> Mapping[str, Row]:
        return self.losses.of(lambda: copies_of(self.workspace, frame, wanted, beside=beside), {})

    def _events(self, frames: list[tuple[uuid.UUID, int]]) -> None:
        seqs: dict[uuid.UUID, int] = {}
        for group in groups(frames):
            about = self._read(self._about, group)
            found = events_of(
                self._event_query(), group, EVENT_ORDER, workspace_id=self.workspace.pk,
                cold=lambda row: as_event(row, self.workspace.pk), losses=self.losses,
            )  # fmt: skip
            events = map(give_origin, found)
            while rows := self._read(next, events, None):
                self.writer.add("events", [self._event_row(e, about, seqs) for e in rows])
                self._tick(len(rows))

    def _event_query(self) -> Any:
        return with_origin(Event.objects.in_workspace(self.workspace))

    def _about(self, ids: list[uuid.UUID]) -> dict[uuid.UUID, tuple[bool, str]]:
        """Frame → whether it was made here, and the run its events are of where they say none."""
        frames = Frame.objects.in_workspace(self.workspace).filter(pk__in=ids)
        frames = frames.select_related("session").only(
            "root_id", "source", "metadata", "session", "session__source_id"
        )
        return {
            f.pk: (
                f.source is None and not (f.metadata or {}).get("placeholder"),
                run_of(f.session) or str(f.root_id),
            )
            for f in frames
        }

    def _event_row(
        self,
        event: Event,
        about: dict[uuid.UUID, tuple[bool, str]],
        seqs: dict[uuid.UUID, int],
    ) -> Row:
        made_here, run_id = about[event.frame_id]
        if made_here:
            # Batches number their events from 0; the tool reads a frame in the order of these.
            event.seq = seqs[event.frame_id] = max(event.seq, seqs.get(event.frame_id, 0) + 1)
        return event_out(self.losses.whole(event), frame_made_here=made_here, run_id=run_id)

    def _each(self, rows: Any, size: int = 500) -> Iterator[Any]:
        """The rows of a queryset in the order in which they were made."""
        ids = self._read(list, rows.order_by("created_at", "pk").values_list("pk", flat=True))
        for part in parts(ids, size):
            found = self._read(rows.order_by().in_bulk, part)
            yield from (found[pk] for pk in part if pk in found)

    def _shown(self, model: Any) -> Any:
        hidden = Frame.objects.in_workspace(self.workspace).filter(self.wanted.hidden)
        return self._mine(model).exclude(frame__in=hidden.values("pk"))

    def _anchors(self) -> None:
        for anchor in self._each(self._shown(Anchor).select_related("frame", "superseded_by")):
            if needs_frame(anchor) and self.names.spare is None:
                self._add_spare_frame()
            table, row = anchor_out(anchor, self.names)
            if table == Anchor.Origin.SESSION_DECISION:
                self.beside.decisions.append(row)
            else:
                self.writer.add(table, [row])

    def _add_spare_frame(self) -> None:
        self.names.spare = str(uuid.uuid5(SPARE, str(self.project.pk)))
        row = spare_frame(self.names.spare, self.names, self.project.created_at)
        if self.wanted.generation == "old":
            del row["retention_policy"]
        self.writer.add("frames", [row])

    def _tasks(self) -> None:
        lines = self.beside.snapshots()
        for task in self._each(self._shown(Task).select_related("frame")):
            is_line, row = task_out(task, self.names, self.edited, lines)
            if not is_line:
                self.writer.add("task_cache", [row])
            elif task.pk in self.edited:  # else its line is among those kept
                self.beside.newer.append(row)

    def _kept(self) -> None:
        rows = self._mine(KeptRow)
        tables = rows.order_by().values_list("table", flat=True).distinct()
        for table in sorted(self._read(set, tables)):
            if table.startswith(DERIVED):
                continue
            for row in self._each(rows.filter(table=table)):
                self._keep(table, kept.kept_row(row.content))

    def _keep(self, table: str, row: Row) -> None:
        if self.beside.takes(table):
            self.beside.keep(table, row)
        elif "…" in table:  # a name cut short
            self._leave_out(f"rows of {table}")
        elif not self.writer.add_if_free(table, row):
            self._leave_out(f"rows of {table} that are there twice")
        elif table == "schema_version":
            self.full_text |= row.get("version") == 2

    def _set_aside(self) -> None:
        """Rows without an id, as they were."""
        items = TransferItem.objects.in_workspace(self.workspace).filter(
            transfer__project=self.project
        )
        for item in self._each(items.filter(category=TransferItem.Category.SET_ASIDE)):
            row = unpack_row(item.content or {})
            table = {"tasks": "task_cache"}.get(item.table, item.table)
            if self.beside.takes(table):
                self.beside.set_aside(table, item.source_id, row)
            else:
                self._keep(table, row)
        conflicts = items.filter(category=TransferItem.Category.CONFLICT)
        self._leave_out("other contents of rows in conflict", self._read(conflicts.count))
        self._leave_out("files of the folder", self.beside.left_out)

    def _leave_out(self, what: str, number: int = 1) -> None:
        if number:
            self.left_out[what] = self.left_out.get(what, 0) + number
