"""What would go with a frame or a session, and how much that is.

With a frame goes what belongs to it: its events, anchors, tasks, revisions, hand-offs, and the frames
it called. What hangs below it and is not the eraser's to erase (somebody else's private frame, or
for a member a frame of the team) stays, and moves up to the nearest frame that stays.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import Case, Count, Q, Value, When

from frames.models import AgentSession, Anchor, Frame, Project, Task
from frames.retention import Policy
from frames.transfer.reading import parts
from frames.transfer.sharing import Place
from stackmemory.lib.refusal import Conflict, Forbidden
from workspaces.actor import Actor
from workspaces.models import Workspace

AT_ONCE = 500
NAMED = 12
READ = (
    "pk", "parent_id", "root_id", "depth", "is_mine", "created_at", "project_id", "session_id",
    "name", "event_count", "closed_at", "state",
)  # fmt: skip


@dataclass(frozen=True)
class Doomed:
    """What goes: frames by id, with their parents before them; and places of those that stay."""

    workspace: Workspace
    frames: tuple[uuid.UUID, ...]
    moved: dict[uuid.UUID, Place] = field(default_factory=dict)
    session: AgentSession | None = None
    # When the first of them was made here.
    since: datetime | None = None
    projects: frozenset[uuid.UUID] = frozenset()
    # Conditions on the frames it was found among: all of their trees.
    trees: tuple[Q, ...] = ()
    open: int = 0
    events: int = 0
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Preview:
    frames: int
    open: int
    events: int
    anchors: int
    pinned: int
    tasks: int
    moved: int
    names: tuple[str, ...]


def doomed_by_frame(actor: Actor, frame: Frame) -> Doomed:
    """What goes with a frame. Raises Forbidden, and Conflict where the project is on hold."""
    found = _settled(
        actor.workspace, [Q(root_id=frame.root_id)], may_erase(actor), lambda pk, _: pk == frame.pk
    )
    if not found.frames:
        raise Forbidden("forbidden", "Only an admin can erase a frame of the team.")
    check_free(actor.workspace, found.projects, known=[frame.project])
    return found


def doomed_by_session(actor: Actor, session: AgentSession) -> Doomed:
    """What goes with a run: its frames with all they called, and the run itself."""
    rows = Frame.objects.in_workspace(actor.workspace).filter(session=session)
    mine = actor.user is not None and session.user_id == actor.user.pk
    if not (mine and "write" in actor.permissions) and "erase" not in actor.permissions:
        raise Forbidden("forbidden", "Only an admin can erase somebody else’s session.")
    found = _settled(
        actor.workspace, [Q(root_id__in=rows.values("root_id"))], may_erase(actor),
        lambda _, session_id: session_id == session.pk, session,
    )  # fmt: skip
    held = {*found.projects, session.project_id}
    check_free(actor.workspace, held, known=[session.project])
    return found


def doomed_frames(
    workspace: Workspace, ids: Iterable[uuid.UUID], rest: Q, session: AgentSession | None = None
) -> Doomed:
    """What goes with these frames: also those below them that are as `rest` says."""
    tops = dict(
        Frame.objects.in_workspace(workspace).filter(pk__in=ids).values_list("pk", "root_id")
    )
    trees = [Q(root_id__in=some) for some in parts(sorted(set(tops.values())), AT_ONCE)]
    return _settled(workspace, trees, rest, lambda pk, _: pk in tops, session)


def may_erase(actor: Actor) -> Q:
    """The frames that are this actor's to erase: for admins the team's, for anybody their own
    private ones."""
    team = Q(visibility=Frame.Visibility.TEAM)
    found = team if "erase" in actor.permissions else Q(pk__in=())
    if actor.user is not None and "write" in actor.permissions:
        found |= ~team & Q(owner=actor.user)
    return found


def preview(doomed: Doomed) -> Preview:
    """How much goes. One query for each of `doomed.trees`."""
    going, anchors, pinned, tasks = set(doomed.frames), 0, 0, 0
    for tree in doomed.trees:
        frames = Frame.objects.in_workspace(doomed.workspace).filter(tree).values("pk")
        counted: list[Any] = [
            model.objects.in_workspace(doomed.workspace)
            .filter(frame__in=frames).order_by().values_list("frame_id")
            .annotate(n=Count("pk"), pinned=Count("pk", filter=which), kind=Value(number))
            for number, (model, which) in enumerate(((Anchor, Q(pinned=True)), (Task, Q(pk=None))))
        ]  # fmt: skip
        for frame, n, of_them, is_task in counted[0].union(counted[1], all=True):
            if frame in going:
                anchors, tasks = anchors + n * (not is_task), tasks + n * is_task
                pinned += of_them
    return Preview(
        len(doomed.frames), doomed.open, doomed.events, anchors, pinned, tasks,
        len(doomed.moved), doomed.names,
    )  # fmt: skip


def check_free(
    workspace: Workspace, projects: Iterable[uuid.UUID], known: Sequence[Project] = ()
) -> None:
    """Raises Conflict where one of these is under legal hold. Those `known` are not read again."""
    found = list(known)
    if unknown := set(projects) - {project.pk for project in known}:
        found += Project.objects.in_workspace(workspace).filter(pk__in=unknown)
    for project in found:
        if Policy.of(project).hold:
            raise Conflict(
                "legal_hold",
                f"{project.name} is under legal hold: nothing of it may go until that is lifted.",
            )


def _settled(
    workspace: Workspace,
    trees: Sequence[Q],
    mine: Q,
    is_top: Callable[[uuid.UUID, uuid.UUID | None], bool],
    session: AgentSession | None = None,
) -> Doomed:
    """What goes of these trees: what `is_top` says of a frame's id and its session's, if it is `mine`,
    and what hangs below and is. One query for each."""
    going: dict[uuid.UUID, datetime] = {}
    moved: dict[uuid.UUID, Place] = {}
    projects: set[uuid.UUID] = set()
    still_open = events = 0
    names: list[str] = []
    for tree in trees:
        rows = Frame.objects.in_workspace(workspace).filter(tree)
        rows = rows.annotate(is_mine=Case(When(mine, then=Value(1)), default=Value(0)))
        found = list(rows.order_by("depth", "started_at", "pk").values_list(*READ, named=True))
        parents = {row.pk: row.parent_id for row in found}
        places = {row.pk: Place(row.parent_id, row.root_id, row.depth) for row in found}
        for row in found:
            pk, parent = row.pk, row.parent_id
            if row.is_mine and (is_top(pk, row.session_id) or parent in going):
                going[pk] = row.created_at
                projects.add(row.project_id)
                events += row.event_count
                still_open += row.closed_at is None and row.state != Frame.CLOSED
                if len(names) < NAMED:
                    names.append(row.name)
            elif parent in going or parent in moved:
                above = parent
                while above in going:
                    above = parents.get(above)
                at = places.get(above) if above is not None else None
                moved[pk] = Place(above, at.root_id if at else pk, at.depth + 1 if at else 0)
                places[pk] = moved[pk]
    return Doomed(
        workspace, tuple(going), moved, session, min(going.values(), default=None),
        frozenset(projects), tuple(trees), still_open, events, tuple(names),
    )  # fmt: skip
