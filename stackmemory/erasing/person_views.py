"""Pages on which a member is erased, and one's own account."""

from __future__ import annotations

import uuid
from typing import Any

from allauth.account.decorators import reauthentication_required
from django.contrib import messages
from django.contrib.auth import logout
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods

from search.erasing import has_many
from stackmemory.erasing import person
from stackmemory.erasing.doing import AT_ONCE
from stackmemory.lib.queue import enqueue
from stackmemory.lib.tenancy import system_scope
from workspaces import members
from workspaces.access import requires
from workspaces.forms import ConfirmForm
from workspaces.members import CannotChange
from workspaces.models import Membership, User
from workspaces.request import PersonRequest, WorkspaceRequest


@require_http_methods(["GET", "HEAD", "POST"])
@requires("members")
def member_erasure(request: WorkspaceRequest, membership_id: uuid.UUID) -> HttpResponse:
    """Ask, then erase somebody from this workspace; they may have an account and other teams."""
    found = request.workspace.memberships.select_related("user", "workspace")
    member = get_object_or_404(found, pk=membership_id)
    form = ConfirmForm(request.POST or None, expected=member.user.email)
    work = request.POST.get("work") == "on"
    context: dict[str, Any] = {"member": member, "form": form, "work": work}
    try:
        if member.pk == request.membership.pk:
            raise CannotChange("This is you: leave, or erase your account on its own page.")
        members.check_may_touch(request, member.role)
        if member.role == Membership.Role.OWNER:
            person.check_may_go(request.workspace, member.user)
        if request.method == "POST" and form.is_valid():
            return _erased(request, member, work)
    except CannotChange as problem:
        context["refused"] = str(problem)
    context["traces"] = person.traces(request.workspace, member.user, work=True)
    status = 422 if form.is_bound else 200
    return render(request, "erasing/member.html", context, status=status)


def _erased(request: WorkspaceRequest, member: Membership, work: bool) -> HttpResponse:
    workspace, user = request.workspace, member.user
    events = person.traces(workspace, user, work=work).events
    if events > AT_ONCE or has_many(workspace):
        members.remove(member, request=request)  # what follows takes a while
        word = "work" if work else ""
        job = "stackmemory.erasing.jobs.erase_person"
        enqueue(job, workspace.pk, user.pk, word, request.user.pk)
        messages.success(request, "They are being erased; that takes some minutes.")
    else:
        person.erase_from(workspace, user, work=work, by=request.user, request=request)
        messages.success(request, "They are erased from this workspace.")
    return redirect("workspaces:members", workspace.slug)


@require_http_methods(["GET", "HEAD", "POST"])
@reauthentication_required
def account_erasure(request: PersonRequest) -> HttpResponse:
    """Ask, then let a worker erase one's account, which nobody can log in to from now on."""
    user = request.user
    form = ConfirmForm(request.POST or None, expected=user.email)
    workspaces = person.found_in(user)
    stuck = []
    with system_scope():
        for workspace in workspaces:
            try:
                person.check_may_go(workspace, user)
            except CannotChange:
                stuck.append(workspace)
    if request.method == "POST" and not stuck and form.is_valid():
        User.objects.filter(pk=user.pk).update(is_active=False)
        enqueue("stackmemory.erasing.jobs.erase_account", user.pk)
        logout(request)
        return render(request, "erasing/account_gone.html")
    context = {"form": form, "stuck": stuck, "workspaces": workspaces}
    status = 422 if form.is_bound else 200
    return render(request, "erasing/account.html", context, status=status)
