"""Who belongs to the workspace, and who is invited."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any, Literal

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.http import HttpRequest
from ninja import Path, Query, Router
from pydantic import Field

from stackmemory.lib.contract import In, Listed, Out, Paging, actor_of, page
from stackmemory.lib.operations import permits
from stackmemory.lib.refusal import Conflict, Forbidden, NotFound, Refusal
from workspaces import invitations, members
from workspaces.models import Invitation, Membership

router = Router(tags=["Members"])
Role = Literal["owner", "admin", "member", "viewer"]


class RoleIn(In):
    role: Role


class NewInvitation(In):
    email: str = Field(max_length=254, description="Where the invitation is mailed to.")
    role: Role = "member"


class MemberOut(Out):
    id: uuid.UUID
    email: str
    name: str
    role: str
    joined_at: datetime
    last_seen_at: datetime | None


class InvitationOut(Out):
    id: uuid.UUID
    email: str
    role: str
    invited_by: str | None = Field(description="E-mail address.")
    sent_at: datetime | None = Field(description="null: the mail server did not take it.")
    expires_at: datetime


@router.get("/members", response=Listed[MemberOut], summary="List members")
@permits("read")
def list_members(request: HttpRequest, paging: Query[Paging]) -> Any:
    """In the order they joined. Their addresses are what a hand-off names."""
    workspace = actor_of(request).workspace
    found = Membership.objects.in_workspace(workspace).select_related("user")
    return page(paging, found, ("id",), member_out)


@router.patch("/members/{member_id}", response=MemberOut, summary="Change a member’s role")
@permits("members")
def patch_member(request: HttpRequest, member_id: Path[uuid.UUID], body: RoleIn) -> Any:
    """Owners are made and unmade on the page of members, by owners, not by keys."""
    membership = _member(request, member_id)
    _tried(lambda: members.change_role(membership, body.role, request=request))
    membership.role = body.role
    return member_out(membership)


@router.delete("/members/{member_id}", response={204: None}, summary="Remove a member")
@permits("members")
def delete_member(request: HttpRequest, member_id: Path[uuid.UUID]) -> Any:
    """Their next request finds no workspace, and keys they made do nothing any more."""
    membership = _member(request, member_id)
    _tried(lambda: members.remove(membership, request=request))
    return 204, None


@router.get(
    "/invitations",
    response=Listed[InvitationOut],
    summary="List open invitations",
    operation_id="list_invitations",
)
@permits("members")
def list_invitations(request: HttpRequest, paging: Query[Paging]) -> Any:
    workspace = actor_of(request).workspace
    found = Invitation.objects.in_workspace(workspace).open().select_related("invited_by")
    return page(paging, found, ("-id",), invitation_out)


@router.post("/invitations", response={201: InvitationOut}, summary="Invite a person")
@permits("members")
def post_invitation(request: HttpRequest, body: NewInvitation) -> Any:
    """Mails a link that is good for a week. 409 if they are a member or invited already."""
    actor = actor_of(request)
    if actor.user is None:
        raise Forbidden("forbidden", "This key belongs to nobody; invite with a person’s key.")
    try:
        validate_email(body.email)
    except ValidationError:
        raise Refusal("invalid", "This is no e-mail address.", field="email") from None
    _tried(lambda: members.check_may_touch(request, body.role))
    given = {"workspace": actor.workspace, "email": body.email, "role": body.role}
    return 201, invitation_out(_tried(lambda: invitations.invite(**given, request=request)))


@router.delete("/invitations/{invitation_id}", response={204: None}, summary="Revoke an invitation")
@permits("members")
def delete_invitation(request: HttpRequest, invitation_id: Path[uuid.UUID]) -> Any:
    """Its link stops working."""
    rows = Invitation.objects.in_workspace(actor_of(request).workspace)
    found = rows.filter(pk=invitation_id).first()
    if found is None:
        raise NotFound("invitation")
    invitations.revoke(found, request=request)
    return 204, None


def _member(request: HttpRequest, member_id: uuid.UUID) -> Membership:
    rows = Membership.objects.in_workspace(actor_of(request).workspace)
    found = rows.select_related("user", "workspace").filter(pk=member_id).first()
    if found is None:
        raise NotFound("member")
    return found


def _tried(change: Any) -> Any:
    """What the pages say in a sentence, the API says as well."""
    try:
        return change()
    except (members.CannotChange, invitations.CannotInvite) as problem:
        raise Conflict("refused", str(problem)) from None


def member_out(membership: Membership) -> MemberOut:
    return MemberOut(
        id=membership.pk,
        email=membership.user.email,
        name=membership.user.name,
        role=membership.role,
        joined_at=membership.created_at,
        last_seen_at=membership.last_seen_at,
    )


def invitation_out(invitation: Invitation) -> InvitationOut:
    return InvitationOut(
        id=invitation.pk,
        email=invitation.email,
        role=invitation.role,
        invited_by=invitation.invited_by.email if invitation.invited_by else None,
        sent_at=invitation.sent_at,
        expires_at=invitation.expires_at,
    )
