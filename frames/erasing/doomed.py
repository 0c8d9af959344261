"""What would go with a frame or a session, and how much that is.

With a frame goes what belongs to it: its events, anchors, tasks, revisions, hand-offs, and the frames
it called. What hangs below it and is not the eraser's to erase (somebody else's private frame, or
for a member a frame of the team) stays, and moves up to the nearest frame that stays.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from operator import itemgetter

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


@dataclass(frozen=True)
class Preview:
    frames: int = 0
    open: int = 0
    events: int = 0
    anchors: int = 0
    pinned: int = 0
    tasks: int = 0
    moved: int = 0
    names: tuple[str, ...] = ()


def doomed_by_frame(actor: Actor, frame: Frame) -> Doomed:
    """What goes with a frame. Raises Forbidden, and Conflict where the project is on hold."""
    return _doomed(actor, {frame.pk}, {frame.root_id})


def doomed_by_session(actor: Actor, session: AgentSession) -> Doomed:
    """What goes with a run: its frames with all they called, and the run itself."""
    rows = Frame.objects.in_workspace(actor.workspace).filter(session=session)
    tops = dict(rows.values_list("pk", "root_id"))
    mine = actor.user is not None and session.user_id == actor.user.pk
    if not (mine and "write" in actor.permissions) and "erase" not in actor.permissions:
        raise Forbidden("forbidden", "Only an admin can erase somebody else’s session.")
    return _doomed(actor, set(tops), set(tops.values()), session)


def doomed_frames(
    workspace: Workspace, ids: Iterable[uuid.UUID], rest: Q, session: AgentSession | None = None
) -> Doomed:
    """What goes with these frames: also those below them that are as `rest` says."""
    tops = dict(
        Frame.objects.in_workspace(workspace).filter(pk__in=ids).values_list("pk", "root_id")
    )
    return _settled(workspace, set(tops), set(tops.values()), rest, session)


def may_erase(actor: Actor) -> Q:
    """The frames that are this actor's to erase: for admins the team's, for anybody their own
    private ones."""
    team = Q(visibility=Frame.Visibility.TEAM)
    found = team if "erase" in actor.permissions else Q(pk__in=())
    if actor.user is not None and "write" in actor.permissions:
        found |= ~team & Q(owner=actor.user)
    return found


def preview(doomed: Doomed) -> Preview:
    """How much goes. Three queries for every AT_ONCE frames."""
    found = dict.fromkeys(("frames", "open", "events", "anchors", "pinned", "tasks"), 0)
    names: list[str] = []
    for ids in parts(list(doomed.frames), AT_ONCE):
        rows = Frame.objects.in_workspace(doomed.workspace).filter(pk__in=ids)
        order = rows.order_by("depth", "started_at", "pk")
        for name, events, closed_at, state in order.values_list(
            "name", "event_count", "closed_at", "state"
        ):
            found["frames"] += 1
            found["events"] += events
            found["open"] += closed_at is None and state != Frame.CLOSED
            if len(names) < NAMED:
                names.append(name)
        anchors = Anchor.objects.in_workspace(doomed.workspace).filter(frame__in=ids)
        tasks = Task.objects.in_workspace(doomed.workspace).filter(frame__in=ids)
        counted = anchors.aggregate(anchors=Count("pk"), pinned=Count("pk", filter=Q(pinned=True)))
        for kind, number in (*counted.items(), ("tasks", tasks.count())):
            found[kind] += number
    return Preview(**found, moved=len(doomed.moved), names=tuple(names))


def check_free(workspace: Workspace, projects: Iterable[uuid.UUID]) -> None:
    """Raises Conflict where one of these is under legal hold."""
    for project in Project.objects.in_workspace(workspace).filter(pk__in=list(projects)):
        if Policy.of(project).hold:
            raise Conflict(
                "legal_hold",
                f"{project.name} is under legal hold: nothing of it may go until that is lifted.",
            )


def _doomed(
    actor: Actor, tops: set[uuid.UUID], roots: set[uuid.UUID], session: AgentSession | None = None
) -> Doomed:
    found = _settled(actor.workspace, tops, roots, may_erase(actor), session)
    if session is None and not found.frames:
        raise Forbidden("forbidden", "Only an admin can erase a frame of the team.")
    held = set(found.projects) | ({session.project_id} if session is not None else set())
    check_free(actor.workspace, held)
    return found


def _settled(
    workspace: Workspace,
    tops: set[uuid.UUID],
    roots: set[uuid.UUID],
    mine: Q,
    session: AgentSession | None = None,
) -> Doomed:
    going: dict[uuid.UUID, datetime] = {}
    moved: dict[uuid.UUID, Place] = {}
    projects: set[uuid.UUID] = set()
    for some in parts(sorted(roots), AT_ONCE):
        rows = Frame.objects.in_workspace(workspace).filter(root_id__in=some)
        rows = rows.annotate(is_mine=Case(When(mine, then=Value(1)), default=Value(0)))
        named = ("pk", "parent_id", "root_id", "depth", "is_mine", "created_at", "project_id")
        tree = sorted(rows.values_list(*named), key=itemgetter(3))
        parents = {pk: parent for pk, parent, *_ in tree}
        places = {pk: Place(parent, root, depth) for pk, parent, root, depth, *_ in tree}
        for pk, parent, _, _, is_mine, made_at, project in tree:
            if is_mine and (pk in tops or parent in going):
                going[pk] = made_at
                projects.add(project)
            elif parent in going or parent in moved:
                above = parent
                while above in going:
                    above = parents.get(above)
                at = places.get(above) if above is not None else None
                moved[pk] = Place(above, at.root_id if at else pk, at.depth + 1 if at else 0)
                places[pk] = moved[pk]
    since = min(going.values(), default=None)
    return Doomed(workspace, tuple(going), moved, session, since, frozenset(projects))
