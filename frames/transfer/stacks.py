"""Importing frames: the shape that events hang on."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from django.db.models import Count, OuterRef, Subquery
from django.db.models.functions import Coalesce

from frames.ingest import count_activity
from frames.models import Anchor, Frame, Project
from frames.transfer.draft import Draft
from frames.transfer.gone import Gone
from frames.transfer.history import edited_ids, replace
from frames.transfer.plan import Node, Plan
from frames.transfer.projects import Projects
from frames.transfer.rows.frames import frame_fields, frame_hash, is_newer
from frames.transfer.run import Run
from frames.transfer.sessions import Sessions
from frames.transfer.source import Source
from frames.transfer.values import Row
from stackmemory.lib.uuid7 import derived

LOOKUP = 5000
BATCH, BATCH_SIZE = 500, 4_000_000


@dataclass(slots=True)
class Place:
    """Where a frame of the store is here. `new`: made by this run, so without earlier events."""

    id: uuid.UUID
    project_id: uuid.UUID
    session_id: uuid.UUID | None
    started: datetime
    new: bool


class Stacks:
    """Imports frames in batches and knows, for the phases after it, where each one went."""

    def __init__(self, run: Run, source: Source, plan: Plan, projects: Projects) -> None:
        self.run, self.source, self.plan, self.projects = run, source, plan, projects
        self.places: dict[str, Place] = {}
        for part in _parts(list(plan.nodes)):
            self._find(part)
        self.gone = Gone(run.workspace, source, plan, projects)
        self.gone.settle(self.places)
        runs = {node.run_id for node in plan.order if node.run_id is not None}
        self.sessions = Sessions(run, runs)

    def import_frames(self) -> None:
        done = self.run.position("frames") or 0
        for start in range(done, len(self.plan.order), BATCH):
            for group in self._by_size(self.plan.order[start : start + BATCH]):
                done += len(group)
                with self.run.batch("frames", done, len(group)):
                    self._write(
                        [(node, self.source.row("frames", node.position)) for node in group]
                    )
                    self.sessions.save()

    def _by_size(self, nodes: list[Node]) -> Iterator[list[Node]]:
        """Digests can be megabytes each: few of those at a time."""
        sizes = self.source.sizes("frames", [node.position for node in nodes])
        group: list[Node] = []
        total = 0
        for node in nodes:
            if group and total + sizes.get(node.position, 0) > BATCH_SIZE:
                yield group
                group, total = [], 0
            group.append(node)
            total += sizes.get(node.position, 0)
        if group:
            yield group

    def _write(self, batch: list[tuple[Node, Row]]) -> None:
        run = self.run
        run.count("frames", "read", len(batch))
        there = self._there(batch)
        gone = {n.frame_id for n, _ in batch if n.frame_id in self.gone.frames and n.frame_id}
        if run.writes and gone:  # with what hung below it and came only later
            self.gone.tombstones.add("frame", gone)
        edited = edited_ids(run, [frame.id for frame in there.values()])
        new: list[Frame] = []
        for node, row in batch:
            if node.frame_id is None:
                run.count("frames", "set_aside")
                run.set_aside("frames", f"row {node.position}", "no_id", row)
                continue
            if node.frame_id in self.gone.frames:
                run.count("frames", "erased")
                continue
            if first := self.plan.twin_of(node):
                self._twice(node.frame_id, row, self.source.row("frames", first.position))
                continue
            frame = there.get(node.frame_id)
            draft = Draft(row, run.now)
            draft.identity("frame_id")
            for reason in node.notes:
                draft.note(reason)
            if frame is None or (frame.metadata or {}).get("placeholder"):
                new.append(self._frame(node, draft, frame))
                run.note("frames", node.frame_id, draft)
                run.count("frames", "imported")
            else:
                self._again(frame, node, draft, edited=frame.id in edited)
        self._save(new)

    def _there(self, batch: list[tuple[Node, Row]]) -> dict[str, Frame]:
        """Frames of this batch that are here already. Looked for anew, as others import too."""
        ids = [node.frame_id for node, _ in batch if node.frame_id is not None]
        query = Frame.objects.in_workspace(self.run.workspace).filter(source_id__in=ids)
        there = {f.source_id: f for f in query.select_related("session", "parent")}
        self._find([frame_id for frame_id in there if frame_id not in self.places])
        return there

    def _twice(self, frame_id: str, row: Row, first: Row) -> None:
        same = frame_hash(row) == frame_hash(first)
        self.run.count("frames", "existing" if same else "conflict")
        if not same:
            self.run.conflict("frames", frame_id, "twice", row)

    def _again(self, frame: Frame, node: Node, draft: Draft, *, edited: bool) -> None:
        """A frame that was imported before: unchanged, continued, or in conflict."""
        run, row = self.run, draft.row
        if (frame.source or {}).get("hash") == frame_hash(row):
            run.count("frames", "existing")
        elif is_newer(row, frame) and not edited:
            run.count("frames", "updated")
            # Its place stays, so whatever the row says otherwise of that is kept beside.
            fields = self._fields(
                draft,
                depth=frame.depth,
                parent=frame.parent.source_id if frame.parent else None,
                run_id=frame.session.source_id if frame.session else None,
            )
            replace(run, "frame", frame, fields)
            run.note("frames", node.frame_id or "", draft)
        else:
            run.count("frames", "conflict")
            reason = "edited_here" if edited else "other_content"
            run.conflict("frames", node.frame_id or "", reason, row)

    def _fields(self, draft: Draft, **place: Any) -> dict[str, Any]:
        return frame_fields(draft, events=self.events_of(draft.row["frame_id"]), **place)

    def events_of(self, frame_id: object) -> Callable[[], Mapping[str, Row]]:
        return cache(lambda: self.source.events_of(frame_id))

    def _frame(self, node: Node, draft: Draft, placeholder: Frame | None) -> Frame:
        fields = self._fields(draft, depth=node.depth, parent=node.parent, run_id=node.run_id)
        workspace = self.run.workspace
        project = self.projects.of(node.project)
        session = self.sessions.of(project, node.run_id, node.started, node.ended)
        frame_id = node.frame_id or ""
        new_id = derived(fields["started_at"], str(workspace.id), "frame", frame_id)
        frame = placeholder or Frame(id=new_id, workspace=workspace)
        session_id = session.id if session else None
        self.places[frame_id] = Place(
            frame.id, project.id, session_id, node.started, new=placeholder is None
        )
        frame.project, frame.session, frame.metadata = project, session, {}
        frame.parent_id = self.places[node.parent].id if node.parent else None
        frame.root_id = frame.id if node.root in (None, frame_id) else self.places[node.root].id
        for name, value in fields.items():
            setattr(frame, name, value)
        return frame

    def _save(self, frames: list[Frame]) -> None:
        if not self.run.writes or not frames:
            return
        fresh = [frame for frame in frames if frame._state.adding]
        filled = [frame for frame in frames if not frame._state.adding]
        Frame.unscoped.bulk_create(fresh, batch_size=200)
        for frame in filled:
            frame.save()
        count_activity(self.run.workspace, frames=[(f.project_id, f.started_at) for f in frames])

    def project(self, project_id: uuid.UUID) -> Project:
        made = {p.id: p for p in (self.projects.main, *self.projects.by_old_id.values())}
        return made.get(project_id) or Project(id=project_id, workspace=self.run.workspace)

    def placeholder(self, frame_id: str, *, project: Project, at: datetime) -> Place:
        """A frame that stands in for one that events or anchors speak of and the store lacks.

        An empty `frame_id` stands for none at all.
        """
        if not self._find([frame_id]):
            workspace = self.run.workspace
            new_id = derived(at, str(workspace.id), "frame", frame_id)
            self.places[frame_id] = Place(new_id, project.id, None, at, new=True)
            if self.run.writes:
                Frame.unscoped.create(
                    id=new_id, root_id=new_id, workspace=workspace, project=project,
                    source_id=frame_id, started_at=at, type="", name="(frame missing in its store)",
                    state="", metadata={"placeholder": True},
                )  # fmt: skip
        return self.places[frame_id]

    def _find(self, frame_ids: list[str]) -> int:
        """Remember the places of those frames that are here already; how many are."""
        query = Frame.objects.in_workspace(self.run.workspace).filter(source_id__in=frame_ids)
        rows = query.values_list("source_id", "id", "project_id", "session_id", "started_at")
        found = {
            source_id: Place(id_, project_id, session_id, started, new=False)
            for source_id, id_, project_id, session_id, started in rows
        }
        self.places |= found
        return len(found)

    def finish(self) -> None:
        """Counters that depend on the whole."""
        ids = [place.id for place in self.places.values()]
        workspace = self.run.workspace
        children = Frame.objects.in_workspace(workspace).filter(parent=OuterRef("pk"))
        anchors = Anchor.objects.in_workspace(workspace).filter(frame=OuterRef("pk"))
        for part in _parts(ids):
            Frame.objects.in_workspace(workspace).filter(pk__in=part).update(
                child_count=_number(children, "parent"), anchor_count=_number(anchors, "frame")
            )
        self.sessions.finish()


def _number(rows: Any, by: str) -> Coalesce:
    counted = rows.order_by().values(by).annotate(n=Count("pk")).values("n")
    return Coalesce(Subquery(counted), 0)


def _parts(items: list[Any]) -> Iterator[list[Any]]:
    return (items[start : start + LOOKUP] for start in range(0, len(items), LOOKUP))
