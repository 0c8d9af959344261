"""Importing frames, and with them sessions: the shape that events hang on."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, OuterRef, Subquery
from django.db.models.functions import Coalesce
from django.utils import timezone

from frames.ingest import count_activity
from frames.models import AgentSession, Anchor, Frame, Project, Revision
from frames.transfer.draft import Draft
from frames.transfer.plan import Node, Plan
from frames.transfer.projects import Projects
from frames.transfer.rows.frames import frame_fields, frame_hash, is_newer
from frames.transfer.run import Run
from frames.transfer.source import Source
from frames.transfer.values import YEAR_2000, Row
from stackmemory.lib.uuid7 import derived

IDLE = timedelta(hours=24)
LOOKUP = 5000


@dataclass(slots=True)
class Place:
    """Where a frame of the store is here. `new`: made by this run, so without earlier events."""

    id: uuid.UUID
    project_id: uuid.UUID
    session_id: uuid.UUID | None
    run_id: str | None
    started: datetime
    new: bool


class Stacks:
    """Imports frames in batches and knows, for the phases after it, where each one went."""

    def __init__(self, run: Run, source: Source, plan: Plan, projects: Projects) -> None:
        self.run, self.source, self.plan, self.projects = run, source, plan, projects
        self.places: dict[str, Place] = dict(self._existing(plan.nodes))
        self.sessions: dict[tuple[uuid.UUID, str], AgentSession] = {}
        self._load_sessions()

    def import_frames(self) -> None:
        done = self.run.position("frames")
        for start in range(done, len(self.plan.order), 200):
            nodes = self.plan.order[start : start + 200]
            for group in self._by_size(nodes):
                done += len(group)
                with self.run.batch("frames", done, len(group)):
                    self._write(
                        [(node, self.source.row("frames", node.position)) for node in group]
                    )

    def _by_size(self, nodes: list[Node]) -> Iterator[list[Node]]:
        """Digests can be megabytes each: few of those at a time."""
        sizes = self.source.sizes("frames", [node.position for node in nodes])
        group: list[Node] = []
        total = 0
        for node in nodes:
            group.append(node)
            total += sizes.get(node.position, 0)
            if total > 4_000_000:
                yield group
                group, total = [], 0
        if group:
            yield group

    def _write(self, batch: list[tuple[Node, Row]]) -> None:
        run = self.run
        ids = [node.frame_id for node, _ in batch if node.frame_id in self.places]
        theirs = Frame.objects.in_workspace(run.workspace).filter(source_id__in=ids)
        there = {f.source_id: f for f in theirs.select_related("session", "parent")}
        edited = edited_ids(run, [frame.id for frame in there.values()])
        new: list[Frame] = []
        made: dict[str, str] = {}
        for node, row in batch:
            run.count("frames", "read")
            if node.frame_id is None:
                run.count("frames", "set_aside")
                run.set_aside("frames", f"row {node.position}", "no_id", row)
                continue
            frame = there.get(node.frame_id)
            draft = Draft(row, run.now)
            draft.identity("frame_id")
            for reason in node.notes:
                draft.note(reason)
            if frame is None and node.frame_id in made:
                same = made[node.frame_id] == frame_hash(row)
                self._twice(node.frame_id, row, same=same)
            elif frame is None or (frame.metadata or {}).get("placeholder"):
                made[node.frame_id] = frame_hash(row)
                new.append(self._frame(node, draft, frame))
                run.note("frames", node.frame_id, draft)
                run.count("frames", "imported")
            else:
                self._again(frame, node, draft, edited=frame.id in edited)
        self._save(new)

    def _twice(self, frame_id: str, row: Row, *, same: bool) -> None:
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
            self._update(frame, node, draft)
            run.note("frames", node.frame_id or "", draft)
        else:
            run.count("frames", "conflict")
            reason = "edited_here" if edited else "other_content"
            run.conflict("frames", node.frame_id or "", reason, row)

    def _fields(self, node: Node, draft: Draft) -> dict[str, Any]:
        frame_id = draft.row["frame_id"]
        return frame_fields(
            draft,
            depth=node.depth,
            parent=node.parent,
            run_id=node.run_id,
            events=lambda: self.source.events_of(frame_id),
        )

    def _frame(self, node: Node, draft: Draft, placeholder: Frame | None) -> Frame:
        fields = self._fields(node, draft)
        workspace = self.run.workspace
        project = self.projects.of(node.project)
        session = self.session(project, node.run_id, node.started, node.ended)
        frame_id = node.frame_id or ""
        new_id = derived(fields["started_at"], str(workspace.id), "frame", frame_id)
        frame = placeholder or Frame(id=new_id, workspace=workspace)
        place = Place(
            frame.id, project.id, session.id if session else None, node.run_id, node.started,
            new=placeholder is None,
        )  # fmt: skip
        self.places[frame_id] = place
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
        Frame.unscoped.bulk_create(fresh, batch_size=200)
        for frame in frames:
            if frame not in fresh:
                frame.save()
        count_activity(self.run.workspace, frames=[(f.project_id, f.started_at) for f in frames])

    def _update(self, frame: Frame, node: Node, draft: Draft) -> None:
        if not self.run.writes:
            return
        fields = self._fields(node, draft)
        old = {name: getattr(frame, name) for name in fields}
        changed = {name: value for name, value in fields.items() if old[name] != value}
        keep_revision(self.run, "frame", frame, {name: old[name] for name in changed})
        for name, value in changed.items():
            setattr(frame, name, value)
        frame.save(update_fields=list(changed))

    def project(self, project_id: uuid.UUID) -> Project:
        made = {p.id: p for p in (self.projects.main, *self.projects.by_old_id.values())}
        return made.get(project_id) or Project(id=project_id, workspace=self.run.workspace)

    def placeholder(self, frame_id: str, *, project: Project, at: datetime) -> Place:
        """A frame that stands in for one that events or anchors speak of and the store lacks."""
        workspace = self.run.workspace
        new_id = derived(at, str(workspace.id), "frame", frame_id)
        place = Place(new_id, project.id, None, None, at, new=True)
        self.places[frame_id] = place
        if self.run.writes:
            Frame.unscoped.create(
                id=new_id, root_id=new_id, workspace=workspace, project=project,
                source_id=frame_id, started_at=at, type="", name="(frame missing in its store)",
                state="", metadata={"placeholder": True},
            )  # fmt: skip
        return place

    def session(
        self, project: Project, run_id: str | None, started: datetime, ended: datetime
    ) -> AgentSession | None:
        """The session of a run, made when first met, and widened to span what happened in it."""
        if run_id is None:
            return None
        session = self.sessions.get((project.id, run_id)) or self._earlier(project, run_id)
        if session is None:
            workspace = self.run.workspace
            session = AgentSession(
                id=derived(started, str(workspace.id), "session", str(project.id), run_id),
                workspace=workspace, project=project, source_id=run_id,
                started_at=started, last_seen_at=ended,
            )  # fmt: skip
            self.sessions[project.id, run_id] = session
            if self.run.writes:
                session.save(force_insert=True)
        else:
            self.widen(session, started, ended)
        return session

    def widen(self, session: AgentSession, started: datetime, ended: datetime) -> None:
        """Let a session span these times too, unless they are none that can be true."""
        if started >= YEAR_2000 and ended <= self.run.now:
            session.started_at = min(session.started_at, started)
            session.last_seen_at = max(session.last_seen_at, ended)

    def _earlier(self, project: Project, run_id: str) -> AgentSession | None:
        """A session that an earlier run made for events whose frames are of other runs."""
        query = AgentSession.objects.in_workspace(self.run.workspace)
        session = query.filter(project_id=project.id, source_id=run_id).first()
        if session is not None:
            self.sessions[project.id, run_id] = session
        return session

    def _load_sessions(self) -> None:
        runs = {node.run_id for node in self.plan.order if node.run_id is not None}
        query = AgentSession.objects.in_workspace(self.run.workspace)
        for part in _parts(sorted(runs)):
            for session in query.filter(source_id__in=part):
                self.sessions[session.project_id, session.source_id] = session

    def _existing(self, nodes: Mapping[str, Node]) -> Iterator[tuple[str, Place]]:
        query = Frame.objects.in_workspace(self.run.workspace)
        for part in _parts(list(nodes)):
            for frame in (
                query.filter(source_id__in=part)
                .select_related("session")
                .only("id", "project_id", "source_id", "started_at", "session__source_id")
            ):
                run_id = frame.session.source_id if frame.session else None
                yield (
                    frame.source_id,
                    Place(
                        frame.id,
                        frame.project_id,
                        frame.session_id,
                        run_id,
                        frame.started_at,
                        False,
                    ),
                )

    def finish(self) -> None:
        """Counters that depend on the whole, and how long each session really was."""
        ids = [place.id for place in self.places.values()]
        workspace = self.run.workspace
        children = Frame.objects.in_workspace(workspace).filter(parent=OuterRef("pk"))
        anchors = Anchor.objects.in_workspace(workspace).filter(frame=OuterRef("pk"))
        for part in _parts(ids):
            Frame.objects.in_workspace(workspace).filter(pk__in=part).update(
                child_count=_number(children, "parent"), anchor_count=_number(anchors, "frame")
            )
        idle = timezone.now() - IDLE
        for session in self.sessions.values():
            session.ended_at = session.last_seen_at if session.last_seen_at < idle else None
        fields = ["started_at", "last_seen_at", "ended_at"]
        AgentSession.unscoped.bulk_update(self.sessions.values(), fields, batch_size=500)


def _number(rows: Any, by: str) -> Coalesce:
    counted = rows.order_by().values(by).annotate(n=Count("pk")).values("n")
    return Coalesce(Subquery(counted), 0)


def _parts(items: list[Any]) -> Iterator[list[Any]]:
    return (items[start : start + LOOKUP] for start in range(0, len(items), LOOKUP))


def edited_ids(run: Run, ids: Iterable[uuid.UUID]) -> set[uuid.UUID]:
    """Those that somebody changed here since they were imported."""
    query = Revision.objects.in_workspace(run.workspace).filter(object_id__in=list(ids))
    return set(query.exclude(cause=Revision.Cause.IMPORT).values_list("object_id", flat=True))


def keep_revision(run: Run, kind: str, row: Any, old: dict[str, Any]) -> None:
    """Keep what an import is about to replace."""
    Revision.unscoped.create(
        workspace=run.workspace, kind=kind, object_id=row.id, cause=Revision.Cause.IMPORT,
        data={k: v.isoformat() if isinstance(v, datetime) else v for k, v in old.items()},
    )  # fmt: skip
