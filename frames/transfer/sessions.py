"""Sessions of an import: one for each run of a project, spanning what happened in it."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.utils import timezone

from frames.models import AgentSession, Project
from frames.transfer.run import Run
from frames.transfer.values import YEAR_2000
from stackmemory.lib.uuid7 import derived

IDLE = timedelta(hours=24)
LOOKUP = 5000
# A local store tells of no other.
CLIENT = "StackMemory"


class Sessions:
    """Finds and makes sessions. What a batch changed of them is saved with the batch."""

    def __init__(self, run: Run, run_ids: Iterable[str]) -> None:
        self.run = run
        self.known: dict[tuple[uuid.UUID, str], AgentSession] = {}
        self.changed: dict[uuid.UUID, AgentSession] = {}
        names = sorted(run_ids)
        query = AgentSession.objects.in_workspace(run.workspace)
        for start in range(0, len(names), LOOKUP):
            for session in query.filter(source_id__in=names[start : start + LOOKUP]):
                self.known[session.project_id, session.source_id] = session

    def of(
        self, project: Project, run_id: str | None, started: datetime, ended: datetime
    ) -> AgentSession | None:
        """The session of a run, made when first met, and widened to span these times."""
        if run_id is None:
            return None
        session = self.known.get((project.id, run_id)) or self._earlier(project, run_id)
        if session is None:
            session = self._make(project, run_id, started, ended)
        elif session.started_at > started or session.last_seen_at < ended:
            self._widen(session, started, ended)
        return session

    def _make(
        self, project: Project, run_id: str, started: datetime, ended: datetime
    ) -> AgentSession:
        workspace = self.run.workspace
        session = AgentSession(
            id=derived(started, str(workspace.id), "session", str(project.id), run_id),
            workspace=workspace, project=project, source_id=run_id, client=CLIENT,
            started_at=started, last_seen_at=self._end(started, ended),
        )  # fmt: skip
        session.ended_at = session.last_seen_at
        self.known[project.id, run_id] = session
        if self.run.writes:
            session.save(force_insert=True)
        return session

    def _end(self, started: datetime, ended: datetime) -> datetime:
        return ended if ended <= self.run.now else started

    def _widen(self, session: AgentSession, started: datetime, ended: datetime) -> None:
        """Span these times too, unless they are none that can be true."""
        if started < YEAR_2000 or ended > self.run.now:
            return
        # One that began at no time at all begins with the first time that is one.
        if session.started_at < YEAR_2000 or started < session.started_at:
            session.started_at = started
        session.last_seen_at = session.ended_at = max(session.last_seen_at, ended)
        self.changed[session.id] = session

    def _earlier(self, project: Project, run_id: str) -> AgentSession | None:
        """One made meanwhile, or by an earlier run for events whose frames are of other runs."""
        query = AgentSession.objects.in_workspace(self.run.workspace)
        session = query.filter(project_id=project.id, source_id=run_id).first()
        if session is not None:
            self.known[project.id, run_id] = session
        return session

    def save(self) -> None:
        """Write what changed; called at the end of a batch, inside its transaction."""
        if self.run.writes and self.changed:
            fields = ["started_at", "last_seen_at", "ended_at"]
            AgentSession.unscoped.bulk_update(self.changed.values(), fields, batch_size=500)
        self.changed.clear()

    def finish(self) -> None:
        """Sessions that were last seen a moment ago may still be going on."""
        ids = [session.id for session in self.known.values()]
        recent = AgentSession.objects.in_workspace(self.run.workspace).filter(
            last_seen_at__gte=timezone.now() - IDLE
        )
        for start in range(0, len(ids), LOOKUP):
            recent.filter(pk__in=ids[start : start + LOOKUP]).update(ended_at=None)
