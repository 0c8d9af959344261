"""Inviting people by e-mail, and joining by the link that was mailed.

The link is the proof: it went to one address, so whoever brings it reads mail there. Still only a
person with that address may join, so that a forwarded link lets nobody else in.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta
from functools import partial

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from stackmemory.lib.tenancy import secret_scope, workspace_scope
from workspaces import audit, mail
from workspaces.models import Invitation, Membership, User, Workspace
from workspaces.origin import person_of
from workspaces.request import PersonRequest

LIFETIME = timedelta(days=7)
SESSION_KEY = "invitation"


class CannotInvite(Exception):
    """Why not, in one sentence for the person who tried."""


def invite(*, workspace: Workspace, email: str, role: str, request: HttpRequest) -> Invitation:
    """Hold a place for this address and mail the link. Raises CannotInvite."""
    email = email.strip().lower()
    token = _new_token()
    with transaction.atomic():
        _lock(workspace)
        if workspace.memberships.filter(user__email=email).exists():
            raise CannotInvite(f"{email} is a member already.")
        if workspace.invitations.open().filter(email=email).exists():
            raise CannotInvite(f"{email} has an invitation already. You can send it again.")
        invitation = Invitation.unscoped.create(
            workspace=workspace,
            email=email,
            role=role,
            token_digest=_digest(token),
            invited_by=person_of(request),
            expires_at=timezone.now() + LIFETIME,
        )
        audit.record(
            workspace=workspace,
            action="invitation.sent",
            target=invitation,
            after={"email": email, "role": role},
            request=request,
        )
        _mail(invitation, token, person_of(request))
    return invitation


def resend(invitation: Invitation, *, request: HttpRequest) -> None:
    """Mail a new link that is good for another week; the old one stops working."""
    token = _new_token()
    now = timezone.now()
    with transaction.atomic():
        found = Invitation.objects.in_workspace(invitation.workspace).open()
        if not found.filter(pk=invitation.pk).update(
            token_digest=_digest(token), sent_at=now, expires_at=now + LIFETIME
        ):
            raise CannotInvite("This invitation has been accepted or revoked meanwhile.")
        audit.record(
            workspace=invitation.workspace,
            action="invitation.resent",
            target=invitation,
            request=request,
        )
        _mail(invitation, token, person_of(request))


def revoke(invitation: Invitation, *, request: HttpRequest) -> None:
    """End an open invitation; one that is over already stays as it is."""
    with transaction.atomic():
        found = Invitation.objects.in_workspace(invitation.workspace).open()
        if found.filter(pk=invitation.pk).update(revoked_at=timezone.now()):
            audit.record(
                workspace=invitation.workspace,
                action="invitation.revoked",
                target=invitation,
                request=request,
            )


def find(token: str) -> Invitation | None:
    """The invitation this link is for, whatever its state; None for a forged or replaced link.

    Looked up before any workspace is known, hence across all of them; by digest, so that the time
    it takes says nothing about the token.
    """
    with secret_scope(_digest(token)):
        return (
            Invitation.objects.across_workspaces()
            .select_related("workspace", "invited_by", "accepted_by")
            .filter(token_digest=_digest(token), workspace__deleted_at=None)
            .first()
        )


def remember(request: HttpRequest, token: str) -> None:
    """Let this browser sign up for the invitation's address, even where sign-up is closed."""
    request.session[SESSION_KEY] = token


def remembered(request: HttpRequest) -> Invitation | None:
    """The invitation this browser came with, while it can still be accepted."""
    token = request.session.get(SESSION_KEY)
    invitation = find(token) if token else None
    return invitation if invitation and invitation.is_acceptable else None


def is_for(invitation: Invitation, user: User) -> bool:
    """Whether the invited address is this person's: their own, or another they have verified."""
    if invitation.email == user.email:
        return True
    return user.emailaddress_set.filter(email=invitation.email, verified=True).exists()


def accept(invitation: Invitation, *, request: PersonRequest) -> Membership | None:
    """Make the request's person a member; None if the invitation stopped being acceptable.

    Of two at once one wins. Who is a member already keeps their role. The caller has checked
    is_for().
    """
    user, workspace = request.user, invitation.workspace
    with workspace_scope(workspace.id):
        _lock(workspace)
        found = Invitation.objects.in_workspace(workspace).acceptable()
        if not found.filter(pk=invitation.pk, token_digest=invitation.token_digest).update(
            accepted_at=timezone.now(), accepted_by=user
        ):
            return None
        membership, made = Membership.unscoped.get_or_create(
            workspace=workspace, user=user, defaults={"role": invitation.role}
        )
        if made:
            audit.record(
                workspace=workspace,
                action="member.joined",
                target=membership,
                after={"role": membership.role, "invited": invitation.email},
                request=request,
            )
    request.session.pop(SESSION_KEY, None)
    return membership


def _lock(workspace: Workspace) -> None:
    """Queue behind whoever else changes who belongs to the workspace."""
    Workspace.objects.select_for_update().get(pk=workspace.pk)


def _new_token() -> str:
    return secrets.token_urlsafe(32)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def _mail(invitation: Invitation, token: str, inviter: User | None) -> None:
    mail.send(
        "invitation",
        to=invitation.email,
        context={
            "invitation": invitation,
            "workspace": invitation.workspace,
            "inviter": inviter,
            "url": settings.SITE_URL + reverse("workspaces:invitation", args=[token]),
            "days": LIFETIME.days,
        },
        on_failure=partial(_not_sent, invitation),
    )


def _not_sent(invitation: Invitation) -> None:
    with workspace_scope(invitation.workspace_id):
        Invitation.objects.in_workspace(invitation.workspace).filter(pk=invitation.pk).update(
            sent_at=None
        )
