"""Changing who belongs to a workspace, and as what. A workspace never loses its last owner.

Every change locks the workspace's row first, so two owners who leave at the same moment queue, and
the second finds themselves the last.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from workspaces import audit, news
from workspaces.access import may
from workspaces.models import Membership, Workspace
from workspaces.request import WorkspaceRequest

Role = Membership.Role
SEEN_EVERY = timedelta(minutes=1)


class CannotChange(Exception):
    """Why not, in one sentence for the person who tried."""


def note_seen(membership: Membership) -> None:
    """Remember that this member is here: one write a minute at most."""
    now = timezone.now()
    seen = membership.last_seen_at
    if settings.READ_ONLY or (seen and now - seen < SEEN_EVERY):
        return
    mine = Membership.objects.in_workspace(membership.workspace).filter(pk=membership.pk)
    mine.update(last_seen_at=now)


def change_role(membership: Membership, role: str, *, request: HttpRequest) -> None:
    """Give a member another role. Raises CannotChange, and then nothing has changed."""
    with _locked(membership) as current:
        if role == current.role:
            return
        check_may_touch(request, current.role)
        check_may_touch(request, role)
        if current.role == Role.OWNER:
            _check_another_owner(current)
        _set_role(current, role)
        audit.record(
            workspace=current.workspace,
            action="member.role",
            target=current.user,
            before={"role": current.role},
            after={"role": role},
            request=request,
        )


def remove(membership: Membership, *, request: HttpRequest) -> None:
    """End somebody's membership; their next request finds no workspace. Raises CannotChange."""
    with _locked(membership) as current:
        check_may_touch(request, current.role)
        _end(current, "member.removed", request)


def leave(membership: Membership, *, request: WorkspaceRequest) -> None:
    """End one's own membership. Raises CannotChange for the last owner."""
    with _locked(membership) as current:
        _end(current, "member.left", request)


def transfer_ownership(membership: Membership, *, request: WorkspaceRequest) -> None:
    """Make this member an owner and the request's person an admin."""
    with _locked(membership) as heir:
        giver = heir.workspace.memberships.get(user=request.user)
        if giver.role != Role.OWNER:
            raise CannotChange("Only an owner can hand a workspace over.")
        if heir.pk == giver.pk:
            raise CannotChange("You own this workspace already.")
        _set_role(heir, Role.OWNER)
        _set_role(giver, Role.ADMIN)
        audit.record(
            workspace=heir.workspace,
            action="workspace.transferred",
            target=heir.user,
            before={"owner": request.user.email, "role": heir.role},
            after={"owner": heir.user.email},
            request=request,
        )


@contextmanager
def _locked(membership: Membership) -> Iterator[Membership]:
    """The membership as it is now, with the workspace's memberships held still."""
    with transaction.atomic():
        Workspace.objects.select_for_update().get(pk=membership.workspace_id)
        current = (
            Membership.objects.in_workspace(membership.workspace)
            .select_related("user", "workspace")
            .filter(pk=membership.pk)
            .first()
        )
        if current is None:
            raise CannotChange("This person is no longer a member.")
        yield current


def check_may_touch(request: HttpRequest, role: str) -> None:
    """Owners are made and unmade by owners alone, and by no key of theirs."""
    membership = getattr(request, "membership", None)
    is_owner = membership is not None and may(membership.role, "owners")
    if role == Role.OWNER and (not is_owner or getattr(request, "api_key", None)):
        raise CannotChange("Only an owner can make or change an owner.")


def _check_another_owner(membership: Membership) -> None:
    owners = membership.workspace.memberships.filter(role=Role.OWNER)
    if not owners.exclude(pk=membership.pk).exists():
        raise CannotChange(
            "A workspace keeps at least one owner. Make somebody else an owner first."
        )


def _set_role(membership: Membership, role: str) -> None:
    Membership.objects.in_workspace(membership.workspace).filter(pk=membership.pk).update(role=role)
    news.tell(membership.workspace_id, news.ACCESS, "changed", [membership.user_id])


def _end(membership: Membership, action: str, request: HttpRequest) -> None:
    if membership.role == Role.OWNER:
        _check_another_owner(membership)
    Membership.objects.in_workspace(membership.workspace).filter(pk=membership.pk).delete()
    news.tell(membership.workspace_id, news.ACCESS, "ended", [membership.user_id])
    audit.record(
        workspace=membership.workspace,
        action=action,
        target=membership.user,
        before={"role": membership.role},
        request=request,
    )
