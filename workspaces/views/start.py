"""Where a person lands, and making, finding and restoring workspaces."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.db import IntegrityError, transaction
from django.db.models import F
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from workspaces import lifecycle
from workspaces.forms import WorkspaceForm
from workspaces.models import Workspace
from workspaces.request import PersonRequest


@require_GET
def start(request: PersonRequest) -> HttpResponse:
    """To the workspace seen last; for who has none, to the page that says so."""
    latest = Workspace.objects.live().filter(memberships__user=request.user)
    workspace = latest.order_by(
        F("memberships__last_seen_at").desc(nulls_last=True), "name"
    ).first()
    return redirect(workspace or "workspaces:list")


@require_GET
def workspace_list(request: PersonRequest) -> HttpResponse:
    """All of a person's workspaces, and those they can still restore."""
    memberships = request.user.memberships.filter(workspace__deleted_at=None)
    context = {
        "memberships": memberships.select_related("workspace").order_by("workspace__name"),
        "restorable": lifecycle.restorable(request.user),
    }
    return render(request, "workspaces/list.html", context)


@require_http_methods(["GET", "POST"])
def new(request: PersonRequest) -> HttpResponse:
    form = WorkspaceForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        workspace = _created(request, form)
        if workspace:
            return redirect(workspace)
    return render(request, "workspaces/new.html", {"form": form})


@require_POST
def restore(request: PersonRequest, workspace_id: UUID) -> HttpResponse:
    """Bring back a deleted workspace: for its owners, within a week."""
    mine = {workspace.pk: workspace for workspace in lifecycle.restorable(request.user)}
    if workspace_id not in mine:
        raise Http404("No such workspace")
    workspace = mine[workspace_id]
    if not lifecycle.restore(workspace, request=request):
        raise Http404("It is too late to restore this workspace")
    messages.success(request, f"{workspace.name} is back, with everything it had.")
    return redirect(workspace)


def _created(request: PersonRequest, form: WorkspaceForm) -> Workspace | None:
    try:
        with transaction.atomic():
            return lifecycle.create(
                slug=form.cleaned_data["slug"],
                name=form.cleaned_data["name"],
                owner=request.user,
                request=request,
            )
    except IntegrityError:  # somebody else was quicker
        form.add_error("slug", "This address is taken.")
        return None
