"""How things stood at a moment: now, or as they were then.

Then means: frames that had begun and had not closed, anchors that were noted and not yet replaced,
texts, names and visibility before the revisions made since, events that had happened. What nobody
may see now stays unseen, and so does what they could not see then.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import Case, F, Q, Value, When, Window
from django.db.models.functions import Coalesce, RowNumber

from frames import timeline
from frames.calls import path_to
from frames.models import AgentSession, Anchor, Frame, Project, Revision
from frames.reach import anchors_of, frames_of
from workspaces.actor import Actor

MOST_OPEN = 500
# What is told of an anchor: without the long texts of its frame.
OF_ANCHOR = (
    "id", "workspace_id", "project_id", "frame_id", "type", "text", "priority", "pinned",
    "noted_at", "superseded_by_id", "frame__workspace_id", "frame__visibility", "frame__owner_id",
    "frame__session_id", "frame__closed_at", "frame__state",
)  # fmt: skip
OF_DIGEST = (
    "id", "workspace_id", "project_id", "name", "type", "state", "visibility", "owner_id", "score",
    "started_at", "closed_at", "digest", "digest_text",
)  # fmt: skip
NOT_OF_PATH = ("outputs", "digest", "digest_text", "metadata")
OF_OTHER = (
    "id", "workspace_id", "project_id", "name", "state", "visibility", "started_at", "closed_at",
    "owner__name", "owner__email",
)  # fmt: skip
NOTED = ("pk", "type", "text", "priority", "pinned", "noted_at", "frame_id")
FRAME_OF_NOTED = ("frame__visibility", "frame__session_id")
WEIGHTIEST = ("-pinned", "-priority", "-noted_at", "-id")
TIMES, KEYS = ("closed_at",), ("owner_id",)


class FrameOfNoted(NamedTuple):
    visibility: str
    session_id: UUID | None


class Noted(NamedTuple):
    """Of an anchor what is told of it and what it is weighed by."""

    pk: UUID
    type: str
    text: str
    priority: int
    pinned: bool
    noted_at: datetime
    frame_id: UUID | None
    frame: FrameOfNoted | None


@dataclass(frozen=True, slots=True)
class Moment:
    """`at` is None for now."""

    actor: Actor
    project: Project
    at: datetime | None = None

    def path(self, session: AgentSession) -> list[Frame]:
        """The open frames of a session from the root to the one being worked in."""
        if self.at is None:
            return self._path_now(session)
        was_open = Q(closed_at=None) | Q(closed_at__gt=self.at)
        frames = frames_of(self.actor).filter(was_open, session=session, started_at__lte=self.at)
        latest = frames.select_related("owner").order_by("-depth", "-started_at", "-id")
        stood = [frame for frame in self.frames(latest[:MOST_OPEN]) if frame.is_open]
        if not stood:
            return []
        return _climbed(stood)

    def _path_now(self, session: AgentSession) -> list[Frame]:
        """One query where all that is above is open and of this session, as it nearly always is."""
        frames = frames_of(self.actor).filter(session=session).active().defer(*NOT_OF_PATH)
        stood = list(frames.order_by("-depth", "-started_at", "-id")[:MOST_OPEN])
        if not stood:
            return []
        path = _climbed(stood)
        return path if path[0].parent_id is None else path_to(self.actor, path[-1])

    def others(self, session: AgentSession | None, since: datetime, most: int) -> list[Frame]:
        """What other runs are at work on."""
        frames = frames_of(self.actor).filter(project=self.project, started_at__gt=since)
        frames = frames.exclude(type="session").select_related("owner").only(*OF_OTHER)
        if session is not None:
            frames = frames.exclude(session=session)
        if self.at is None:
            return list(frames.active().order_by("-started_at", "-id")[:most])
        was_open = Q(closed_at=None) | Q(closed_at__gt=self.at)
        frames = frames.filter(was_open, started_at__lte=self.at).order_by("-started_at", "-id")
        return [frame for frame in self.frames(frames[: most * 4]) if frame.is_open][:most]

    def closed(self, ids: Sequence[UUID] | None, most: int) -> list[Frame]:
        """Frames that had returned: those of `ids`, or the latest."""
        frames = frames_of(self.actor).filter(project=self.project).only(*OF_DIGEST)
        if ids is not None:
            frames = frames.filter(pk__in=ids)
        if self.at is None:
            frames = frames.filter(closed_at__isnull=False)
        else:  # had closed, and perhaps was opened again since
            later = Revision.objects.in_workspace(self.actor.workspace).filter(
                kind="frame", valid_to__gt=self.at
            )
            reopened = Q(pk__in=later.values("object_id"), started_at__lte=self.at)
            frames = frames.filter(Q(closed_at__lte=self.at) | reopened)
        if ids is None:
            when = Coalesce("closed_at", "started_at") if self.at else F("closed_at")
            frames = frames.exclude(type="session").order_by(when.desc(), "-id")[:most]
        return [frame for frame in self.frames(frames) if not frame.is_open and frame.digest_text]

    def anchors(self, *wanted: Q, most: int, each: Q | None = None) -> list[Any]:
        """Standing anchors of the project (those of now as `Noted`), the weightiest; so many of those
        that are as `each` says, and so many of the others."""
        anchors = anchors_of(self.actor).filter(*wanted, project=self.project)
        if self.at is None:
            anchors = anchors.standing()
        else:
            anchors = anchors.alias(
                over=Coalesce("superseded_at", F("superseded_by__noted_at"))
            ).filter(Q(superseded_by=None) | Q(over__gt=self.at), noted_at__lte=self.at)
        anchors = anchors.order_by(*WEIGHTIEST)
        if each is not None:
            side = Case(When(each, then=Value(1)), default=Value(0))
            turn = Window(RowNumber(), partition_by=side, order_by=WEIGHTIEST)
            anchors = anchors.annotate(turn=turn).filter(turn__lte=most)
        else:
            anchors = anchors[:most]
        if self.at is None:
            return [_noted(*row) for row in anchors.values_list(*NOTED, *FRAME_OF_NOTED)]
        rows = list(anchors.select_related("frame").only(*OF_ANCHOR))
        found: list[Anchor] = self._as_they_were("anchor", rows)
        framed = {anchor.frame.pk: anchor.frame for anchor in found if anchor.frame}
        seen = {frame.pk for frame in self.frames(framed.values())}
        return [anchor for anchor in found if anchor.frame is None or anchor.frame_id in seen]

    def replaced(self, most: int) -> list[str]:
        """What anchors of the project said that had been replaced; the latest."""
        anchors = anchors_of(self.actor).filter(project=self.project).exclude(superseded_by=None)
        if self.at is not None:
            over = Coalesce("superseded_at", F("superseded_by__noted_at"))
            anchors = anchors.alias(over=over).filter(over__lte=self.at)
        return list(anchors.order_by("-id").values_list("text", flat=True)[:most])

    def lines(self, path: Sequence[Frame], most: int) -> list[timeline.Line]:
        """The latest events of these frames, newest first."""
        stretch = timeline.stretch_of(*path)
        if stretch is None:
            return []
        last = min(stretch.last, self.at) if self.at else stretch.last
        edge = stretch.horizon(last, forwards=False)
        events = timeline.between(self.actor.workspace, stretch, edge, last)
        return timeline.lines_beyond(
            self.actor.workspace, stretch, events, edge, last, None, forwards=False, most=most
        )

    def frames(self, rows: Iterable[Frame]) -> list[Frame]:
        """The frames as they stood, without those that this person could not see then."""
        found = self._as_they_were("frame", list(rows))
        if self.at is None:
            return found
        for frame in found:
            if frame.closed_at is None or frame.closed_at > self.at:
                frame.state, frame.closed_at = Frame.ACTIVE, None
                frame.digest, frame.digest_text, frame.outputs = {}, "", {}
        user = self.actor.user
        return [
            frame
            for frame in found
            if frame.visibility == Frame.Visibility.TEAM or (user and frame.owner_id == user.pk)
        ]

    def _as_they_were(self, kind: str, rows: list[Any]) -> list[Any]:
        """Each row with what its later revisions say it said before, the earliest of them last."""
        if self.at is None or not rows:
            return rows
        by_id = {row.pk: row for row in rows}
        later = Revision.objects.in_workspace(self.actor.workspace).filter(
            kind=kind, object_id__in=list(by_id), valid_to__gt=self.at
        )
        for revision in later.order_by("-valid_to", "-id"):
            row = by_id[revision.object_id]
            for name, value in revision.data.items():
                setattr(row, name, _value(name, value))
        return rows


def _noted(*row: Any) -> Noted:
    *told, visibility, session_id = row
    frame = FrameOfNoted(visibility, session_id) if visibility else None
    return Noted._make((*told, frame))


def _climbed(frames: Sequence[Frame]) -> list[Frame]:
    """From the highest of these frames that is above the first one down to that."""
    by_id = {frame.pk: frame for frame in frames}
    path = [frames[0]]
    while (parent := path[0].parent_id) in by_id and by_id[parent] not in path:
        path.insert(0, by_id[parent])
    return path


def _value(name: str, value: Any) -> Any:
    """What a revision kept as text, as what it was."""
    if isinstance(value, str) and name in TIMES:
        return datetime.fromisoformat(value)
    return UUID(value) if isinstance(value, str) and name in KEYS else value
