"""After a backup was restored: erasing what was erased in the former database since it was taken.

A backup has what was there then, and nobody could say what to erase again: the audit log tells that
something was, and not what. The former database can, by its tombstones; by the workspaces that are
empty there; and by the accounts that are there no more.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from dataclasses import dataclass, field

from django.db.models import Q

from frames.erasing.doomed import doomed_frames
from frames.models import AgentSession, Erased, Frame
from frames.tombstones import digest, run_name
from frames.transfer.reading import parts
from stackmemory.backup.engines import Engine
from stackmemory.backup.errors import BadBackup
from stackmemory.erasing import person
from stackmemory.erasing.doing import take_in_steps
from stackmemory.lib.tenancy import system_scope, workspace_scope
from workspaces import audit
from workspaces.jobs import erase
from workspaces.members import CannotChange
from workspaces.models import User, Workspace

AT_ONCE = 500


@dataclass(frozen=True)
class Former:
    """What the former database says: tombstones by workspace and kind, and who and what is left."""

    stones: dict[uuid.UUID, dict[str, set[str]]]
    workspaces: set[uuid.UUID]
    erased: set[uuid.UUID]
    people: set[uuid.UUID]


@dataclass
class Told:
    """What was erased again, or would be. `stuck`: the last owners of workspaces that go on."""

    workspaces: int = 0
    frames: int = 0
    sessions: int = 0
    people: int = 0
    stuck: list[str] = field(default_factory=list)


def former(engine: Engine) -> Former:
    """Ask the former database. Raises BadBackup."""
    stones: dict[uuid.UUID, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for workspace, kind, name in engine.ask(
        "SELECT CAST(workspace_id AS text), kind, digest FROM frames_erased"
    ):
        stones[uuid.UUID(workspace)][kind].add(name)
    workspaces = engine.ask("SELECT CAST(id AS text), erased_at FROM workspaces_workspace")
    people = engine.ask("SELECT CAST(id AS text) FROM workspaces_user")
    return Former(
        stones,
        {uuid.UUID(pk) for pk, _ in workspaces},
        {uuid.UUID(pk) for pk, at in workspaces if at is not None},
        {uuid.UUID(pk) for (pk,) in people},
    )


def erase_again(then: Former, *, dry_run: bool = False) -> Told:
    """Erase here what is erased there; doing it again does nothing. Raises BadBackup where that is
    the database of another installation."""
    with system_scope():
        every = list(Workspace.objects.order_by("slug"))
    if unknown := [each for each in every if each.pk not in then.workspaces]:
        raise BadBackup(
            f"That is not the database this one was: it knows nothing of “{unknown[0].slug}”."
        )
    told = Told()
    for workspace in every:
        if workspace.erased_at is not None:
            continue
        if workspace.pk in then.erased:
            told.workspaces += 1
            if not dry_run:
                erase(workspace)
        elif workspace.pk in then.stones:
            _workspace(workspace, then.stones[workspace.pk], told, dry_run)
    for user in User.objects.exclude(pk__in=then.people):
        told.people += 1
        if not dry_run:
            try:
                person.erase_account(user)
            except CannotChange as problem:
                told.stuck.append(f"{user.email}: {problem}")
    return told


def _workspace(
    workspace: Workspace, stones: dict[str, set[str]], told: Told, dry_run: bool
) -> None:
    with workspace_scope(workspace.pk):
        frames = Frame.objects.in_workspace(workspace).values_list("pk", "source_id")
        ids = [pk for pk, name in frames if digest(name or str(pk)) in stones["frame"]]
        sessions = [
            each
            for each in AgentSession.objects.in_workspace(workspace)
            if digest(run_name(each.project_id, each.source_id or str(each.pk)))
            in stones["session"]
        ]
    told.frames += len(ids)
    told.sessions += len(sessions)
    if dry_run:
        return
    with system_scope():  # first: from their commit on nothing of it is taken again
        rows = [
            Erased(workspace=workspace, kind=kind, digest=each)
            for kind, names in stones.items()
            for each in names
        ]
        Erased.unscoped.bulk_create(rows, ignore_conflicts=True, batch_size=1_000)
    for some in parts(ids, AT_ONCE):
        with workspace_scope(workspace.pk):
            doomed = doomed_frames(workspace, some, Q(pk__in=some))
        take_in_steps(workspace, doomed)
    for session in sessions:
        take_in_steps(workspace, doomed_frames(workspace, [], Q(pk__in=[]), session))
    if ids or sessions:
        with system_scope():
            audit.record(
                workspace=workspace, action="frame.erased", target="a frame",
                after={"frames": len(ids), "sessions": len(sessions), "again": True},
            )  # fmt: skip
