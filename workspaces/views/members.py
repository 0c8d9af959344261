"""Who belongs to the workspace: everybody may see it, some may change it."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from workspaces import invitations, members
from workspaces.access import may, requires
from workspaces.forms import ROLE_HELP, InviteForm, RoleForm, role_choices
from workspaces.models import Membership
from workspaces.request import WorkspaceRequest

ORDER = {role: place for place, role in enumerate(Membership.Role.values)}


@requires("read")
@require_GET
def member_list(request: WorkspaceRequest) -> HttpResponse:
    return _page(request)


@requires("members")
@require_POST
def invite(request: WorkspaceRequest) -> HttpResponse:
    form = InviteForm(request.POST, owners=may(request.membership.role, "owners"))
    if form.is_valid():
        try:
            invitation = invitations.invite(
                workspace=request.workspace, request=request, **form.cleaned_data
            )
        except invitations.CannotInvite as problem:
            form.add_error("email", str(problem))
        else:
            messages.success(request, f"{invitation.email} is invited.")
            return _back(request)
    return _page(request, form)


@requires("members")
@require_POST
def invitation_resend(request: WorkspaceRequest, invitation_id: UUID) -> HttpResponse:
    invitation = get_object_or_404(request.workspace.invitations, pk=invitation_id)
    try:
        # An invitation to be an owner is an owner's to send, the second time as well.
        members.check_may_touch(request, invitation.role)
        invitations.resend(invitation, request=request)
    except (invitations.CannotInvite, members.CannotChange) as problem:
        messages.error(request, str(problem))
    else:
        messages.success(
            request, f"There is a new link for {invitation.email}; the old one has ended."
        )
    return _back(request)


@requires("members")
@require_POST
def invitation_revoke(request: WorkspaceRequest, invitation_id: UUID) -> HttpResponse:
    invitation = get_object_or_404(request.workspace.invitations, pk=invitation_id)
    invitations.revoke(invitation, request=request)
    messages.success(request, f"The invitation of {invitation.email} is revoked.")
    return _back(request)


@requires("members")
@require_POST
def role(request: WorkspaceRequest, membership_id: UUID) -> HttpResponse:
    membership = _membership(request, membership_id)
    form = RoleForm(request.POST)
    if not form.is_valid():
        messages.error(request, "That is not a role.")
        return _back(request)
    try:
        members.change_role(membership, form.cleaned_data["role"], request=request)
    except members.CannotChange as problem:
        messages.error(request, str(problem))
    else:
        label = Membership.Role(form.cleaned_data["role"]).label.lower()
        messages.success(request, f"{membership.user} is now {label}.")
    return _back(request)


@requires("members")
@require_http_methods(["GET", "POST"])
def remove(request: WorkspaceRequest, membership_id: UUID) -> HttpResponse:
    """Ask, then remove."""
    membership = _membership(request, membership_id)
    if request.method == "GET":
        keys = request.workspace.apikeys.usable().filter(created_by=membership.user)
        context = {"member": membership, "keys": keys.order_by("name")}
        return render(request, "workspaces/member_remove.html", context)
    try:
        members.remove(membership, request=request)
    except members.CannotChange as problem:
        messages.error(request, str(problem))
    else:
        messages.success(request, f"{membership.user} is no longer a member.")
    return _back(request)


def _page(request: WorkspaceRequest, form: InviteForm | None = None) -> HttpResponse:
    owners = may(request.membership.role, "owners")
    manages = may(request.membership.role, "members")
    everybody = request.workspace.memberships.select_related("user").order_by("user__email")
    context = {
        "members": sorted(everybody, key=lambda one: ORDER[one.role]),
        "invitations": _invitations(request) if manages else [],
        "form": form or InviteForm(owners=owners),
        "manages": manages,
        "owners": owners,
        "roles": role_choices(owners),
        "role_help": [(role.label, words) for role, words in ROLE_HELP.items()],
    }
    return render(request, "workspaces/members.html", context, status=422 if form else 200)


def _invitations(request: WorkspaceRequest) -> list:
    found = request.workspace.invitations.open().select_related("invited_by")
    return list(found.order_by("-id"))


def _membership(request: WorkspaceRequest, membership_id: UUID) -> Membership:
    found = request.workspace.memberships.select_related("user", "workspace")
    return get_object_or_404(found, pk=membership_id)


def _back(request: WorkspaceRequest) -> HttpResponse:
    return redirect("workspaces:members", request.workspace.slug)
