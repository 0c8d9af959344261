"""A workspace's settings, and the ways out of it."""

from __future__ import annotations

from django.contrib import messages
from django.db import IntegrityError, transaction
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from workspaces import lifecycle, members
from workspaces.access import may, requires
from workspaces.forms import ConfirmForm, TransferForm, WorkspaceForm
from workspaces.models import Workspace
from workspaces.request import WorkspaceRequest


@requires("read")
@require_http_methods(["GET", "POST"])
def settings(request: WorkspaceRequest) -> HttpResponse:
    """Name and address for those who may change them; leaving for everybody."""
    if request.method == "POST":
        return _rename(request)
    return _page(request)


@requires("settings")
def _rename(request: WorkspaceRequest) -> HttpResponse:
    # A copy, or the page around a refused form would show the refused name.
    form = WorkspaceForm(request.POST, instance=Workspace.objects.get(pk=request.workspace.pk))
    if form.is_valid():
        try:
            with transaction.atomic():
                lifecycle.rename(request.workspace, request=request, **form.cleaned_data)
        except IntegrityError:
            form.add_error("slug", "This address is taken.")
        else:
            messages.success(request, "Saved.")
            return redirect("workspaces:settings", request.workspace.slug)
    return _page(request, rename=form)


@requires("read")
@require_http_methods(["GET", "POST"])
def leave(request: WorkspaceRequest) -> HttpResponse:
    if request.method == "POST":
        try:
            members.leave(request.membership, request=request)
        except members.CannotChange as problem:
            messages.error(request, str(problem))
            return redirect("workspaces:settings", request.workspace.slug)
        messages.success(request, f"You have left {request.workspace.name}.")
        return redirect("workspaces:start")
    return render(request, "workspaces/leave.html")


@requires("transfer")
@require_POST
def transfer(request: WorkspaceRequest) -> HttpResponse:
    form = TransferForm(request.POST, workspace=request.workspace, user=request.user)
    if not form.is_valid():
        return _page(request, transfer=form)
    heir = form.cleaned_data["member"]
    try:
        members.transfer_ownership(heir, request=request)
    except members.CannotChange as problem:
        messages.error(request, str(problem))
    else:
        messages.success(request, f"{heir.user} owns this workspace now. You are an admin.")
    return redirect("workspaces:settings", request.workspace.slug)


@requires("delete")
@require_POST
def delete(request: WorkspaceRequest) -> HttpResponse:
    form = ConfirmForm(request.POST, expected=request.workspace.slug)
    if not form.is_valid():
        return _page(request, delete=form)
    lifecycle.delete(request.workspace, request=request)
    messages.success(
        request,
        f"{request.workspace.name} is deleted. You can restore it for {lifecycle.GRACE.days} days.",
    )
    return redirect("workspaces:list")


def _page(request: WorkspaceRequest, **bound: object) -> HttpResponse:
    """The page, with a form that was refused in the place of its fresh self."""
    role = request.membership.role
    forms: dict[str, object] = {}
    if may(role, "settings"):
        forms["rename"] = WorkspaceForm(instance=request.workspace)
    if may(role, "transfer"):
        forms["transfer"] = TransferForm(workspace=request.workspace, user=request.user)
    if may(role, "delete"):
        forms["delete"] = ConfirmForm(expected=request.workspace.slug)
    context = {"forms": forms | bound, "grace_days": lifecycle.GRACE.days}
    status = 422 if bound else 200
    return render(request, "workspaces/settings.html", context, status=status)
