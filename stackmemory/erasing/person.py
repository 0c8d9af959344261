"""Erasing a person: from one team, or with their account from all of them.

What is theirs alone goes: private frames, saved searches, what private contexts quoted, the prompts of
others, hand-off messages, keys, exports, their name, address and machines, and what the audit log says
about them. What they did for the team stays, with somebody in their place whom nothing links to them;
or goes too, where that is asked for.
"""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib.sessions.models import Session
from django.db.models import Count, Model, Q, Sum
from django.http import HttpRequest
from django.utils import timezone

from frames.erasing.doomed import Doomed, doomed_frames
from frames.models import AgentSession, Export, Frame, HandOff, Project, Task
from frames.retention import Policy
from search.erasing import unname
from search.models import ContextBundle, SavedSearch
from stackmemory.arrivals import arriving
from stackmemory.arrivals.progress import folder_of
from stackmemory.erasing.doing import take, take_in_steps
from stackmemory.lib.row_security import tenant_models
from stackmemory.lib.tenancy import system_scope, workspace_scope
from workspaces import audit, news
from workspaces.members import CannotChange
from workspaces.models import ApiKey, Invitation, Membership, User, Workspace

FORMER = "A former member"
PRIVATE = Q(visibility=Frame.Visibility.PRIVATE)
# Rows that say nothing but that somebody was there: not kept for whom nobody knows.
GONE = {"workspaces.Membership", "search.SavedSearch", "frames.Export"}


@dataclass(frozen=True)
class Traces:
    """What there is of somebody in a workspace. `held`: frames that a legal hold keeps."""

    private: int
    team: int
    held: int
    events: int
    sessions: int
    keys: int
    searches: int
    contexts: int


def traces(workspace: Workspace, user: User, *, work: bool = False) -> Traces:
    """Counted for a preview: six queries."""
    frames = Frame.objects.in_workspace(workspace).filter(owner=user)
    free = _free(workspace)
    going = free if work else free & PRIVATE
    counted = frames.aggregate(
        private=Count("pk", filter=free & PRIVATE),
        team=Count("pk", filter=~PRIVATE),
        held=Count("pk", filter=~free if work else ~free & PRIVATE),
        events=Sum("event_count", filter=going, default=0),
    )
    return Traces(
        **counted,
        sessions=AgentSession.objects.in_workspace(workspace).filter(user=user).count(),
        keys=ApiKey.objects.in_workspace(workspace).usable().filter(created_by=user).count(),
        searches=SavedSearch.objects.in_workspace(workspace).filter(user=user).count(),
        contexts=ContextBundle.objects.in_workspace(workspace).filter(user=user).count(),
    )


def check_may_go(workspace: Workspace, user: User) -> None:
    """Raises CannotChange for the last owner of a workspace that goes on."""
    owners = workspace.memberships.filter(role=Membership.Role.OWNER)
    ids = set(owners.values_list("user_id", flat=True))
    if ids == {user.pk} and workspace.deleted_at is None:
        raise CannotChange(
            f"{workspace.name} would be without an owner: make somebody else one first, or delete it."
        )


def erase_from(
    workspace: Workspace,
    user: User,
    *,
    work: bool = False,
    by: User | None = None,
    request: HttpRequest | None = None,
    in_steps: bool = False,
) -> None:
    """Erase somebody from a workspace; doing it again does nothing. Raises CannotChange.

    `in_steps`, for commands and workers, erases frames before, in transactions of their own.
    """
    with workspace_scope(workspace.pk):
        check_may_go(workspace, user)
        doomed = _doomed(workspace, user, work)
    if in_steps:
        take_in_steps(workspace, doomed)
    with system_scope():
        Workspace.objects.select_for_update().get(pk=workspace.pk)
        check_may_go(workspace, user)
        take(_doomed(workspace, user, work))
        _own(workspace, user)
        audit.erase_person(user, workspace)
        audit.record(
            workspace=workspace, action="person.erased", actor=by, request=request,
            target="a member", after={"their work": "erased" if work else "stays"},
        )  # fmt: skip


def erase_account(user: User, *, work: bool = False) -> None:
    """Erase somebody from all workspaces, and their account. Raises CannotChange before anything."""
    workspaces = found_in(user)
    with system_scope():
        for workspace in workspaces:
            check_may_go(workspace, user)
    for workspace in workspaces:
        erase_from(workspace, user, work=work, in_steps=True)
    with system_scope():
        audit.erase_person(user)
        keys = UserSession.objects.filter(user=user).values_list("session_key", flat=True)
        Session.objects.filter(session_key__in=list(keys)).delete()
        for arrival in arriving.arrivals_of(user):
            shutil.rmtree(folder_of(arrival), ignore_errors=True)
        user.delete()


def found_in(user: User) -> list[Workspace]:
    """Workspaces that have rows naming them, whether they are members or were."""
    ids: set[uuid.UUID] = set()
    with system_scope():
        for model, name in references():
            rows: Any = model._base_manager.filter(**{name: user}).order_by()
            ids.update(rows.values_list("workspace_id", flat=True).distinct())
        return list(Workspace.objects.filter(pk__in=ids, erased_at=None).order_by("slug"))


def references() -> Iterator[tuple[type[Model], str]]:
    """Every column of a workspace's tables that names a person."""
    for model in tenant_models():
        for column in model._meta.local_fields:
            if column.related_model is User:
                yield model, column.name


def _doomed(workspace: Workspace, user: User, work: bool) -> Doomed:
    theirs = Q(owner=user) & _free(workspace)
    theirs = theirs if work else theirs & PRIVATE
    ids = Frame.objects.in_workspace(workspace).filter(theirs).values_list("pk", flat=True)
    return doomed_frames(workspace, list(ids), theirs)


def _free(workspace: Workspace) -> Q:
    """Frames of projects that no legal hold keeps."""
    projects = Project.objects.in_workspace(workspace)
    held = [each.pk for each in projects if Policy.of(each).hold]
    return ~Q(project__in=held) if held else Q(pk__isnull=False)


def _own(workspace: Workspace, user: User) -> None:
    """All but frames: what is theirs alone goes, elsewhere somebody else stands in their place."""
    somebody = User(email=f"former-{uuid.uuid4().hex}@erased.invalid", name=FORMER, is_active=False)
    somebody.set_unusable_password()
    somebody.save(force_insert=True)
    now = timezone.now()
    _keys(workspace, user)
    invitations = Invitation.unscoped.filter(workspace=workspace)
    to_them = invitations.filter(Q(email__iexact=user.email) | Q(accepted_by=user))
    to_them.filter(accepted_at=None, revoked_at=None).update(revoked_at=now)
    to_them.update(email=somebody.email)
    handed = HandOff.unscoped.filter(workspace=workspace)
    handed.filter(from_user=user).update(message="")
    handed.filter(to_user=user).update(answer="")
    theirs = Q(from_user=user) | Q(to_user=user)
    handed.filter(theirs, state=HandOff.State.PENDING).update(state=HandOff.State.WITHDRAWN)
    AgentSession.unscoped.filter(workspace=workspace, user=user).update(host="")
    tasks = Task.unscoped.filter(
        workspace=workspace, assignee__in=filter(None, [user.email, user.name])
    )
    tasks.update(assignee=FORMER)
    contexts = ContextBundle.unscoped.filter(workspace=workspace)
    contexts.filter(user=user, private=True).delete()
    contexts.filter(user=user).update(query="")
    unname(workspace, [user.email, user.name], FORMER)
    for export in Export.unscoped.filter(workspace=workspace, created_by=user):
        folder = Path(settings.MEDIA_ROOT) / "exports" / str(workspace.pk) / str(export.pk)
        shutil.rmtree(folder, ignore_errors=True)
    if Membership.unscoped.filter(workspace=workspace, user=user).exists():
        news.tell(workspace.pk, news.ACCESS, "ended", [user.pk])
    moved = 0
    for model, name in references():
        rows = model._base_manager.filter(workspace=workspace, **{name: user})
        if model._meta.label in GONE:
            rows.delete()
        else:
            moved += rows.update(**{name: somebody})
    if not moved:
        somebody.delete()


def _keys(workspace: Workspace, user: User) -> None:
    """Their keys end at once; what they called them goes."""
    keys = ApiKey.unscoped.filter(workspace=workspace, created_by=user)
    ids = list(keys.values_list("pk", flat=True))
    keys.filter(revoked_at=None).update(revoked_at=timezone.now())
    keys.update(name="(key of a former member)")
    if ids:
        news.tell(workspace.pk, news.ACCESS, "ended", ids)
