"""What workers do: handed ids alone, harmless when done twice."""

from __future__ import annotations

from uuid import UUID

from django.db.models import Q

from frames.cold.forgetting import forget
from frames.erasing.doomed import doomed_frames
from frames.models import AgentSession, Frame
from frames.sweeping import forget_events, forget_unreferenced
from frames.transfer.reading import parts
from stackmemory.erasing import person
from stackmemory.erasing.doing import take_in_steps
from stackmemory.lib.tenancy import system_scope, workspace_scope
from workspaces.models import User, Workspace


def erase(workspace_id: str, kind: str, thing_id: str, person_id: str, team: str) -> None:
    """Go on with what was asked for: what that person was allowed when they asked."""
    workspace = Workspace.objects.get(pk=workspace_id)
    free = Q(visibility=Frame.Visibility.TEAM) if team else Q(pk__in=())
    if person_id:
        free |= Q(visibility=Frame.Visibility.PRIVATE, owner=UUID(person_id))
    with workspace_scope(workspace.pk):
        frames = Frame.objects.in_workspace(workspace)
        session = None
        if kind == "session":
            session = AgentSession.objects.in_workspace(workspace).filter(pk=thing_id).first()
            ids = list(frames.filter(free, session=thing_id).values_list("pk", flat=True))
        else:
            ids = list(frames.filter(free, pk=thing_id).values_list("pk", flat=True))
        doomed = doomed_frames(workspace, ids, free, session)
    take_in_steps(workspace, doomed)


def sweep(workspace_id: str, session_id: str, *frame_ids: str) -> None:
    """What lies in the object store of erased frames and of an erased run: old events, and large
    payloads that nothing uses any more."""
    workspace = Workspace.objects.filter(pk=workspace_id, erased_at=None).first()
    if workspace is None:
        return
    sessions = [UUID(session_id)] if session_id else []
    gone = forget(workspace, frames=[UUID(each) for each in frame_ids], sessions=sessions)
    with system_scope():
        for ids in parts(gone, 1_000):
            forget_events(workspace, ids)
    forget_unreferenced(workspace)


def erase_person(workspace_id: str, user_id: str, work: str, by_id: str) -> None:
    workspace = Workspace.objects.get(pk=workspace_id)
    user = User.objects.filter(pk=user_id).first()
    if user is not None:
        by = User.objects.filter(pk=by_id).first()
        person.erase_from(workspace, user, work=bool(work), by=by, in_steps=True)


def erase_account(user_id: str) -> None:
    user = User.objects.filter(pk=user_id).first()
    if user is not None:
        person.erase_account(user)
