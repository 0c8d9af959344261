"""Imports: beginning one from uploaded files, stopping it, trying again."""

from __future__ import annotations

import uuid

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from frames.forms import ImportForm
from frames.transfer import upload
from frames.transfer.errors import BadStore
from frames.views import import_report
from frames.views.imports import find
from workspaces import audit
from workspaces.access import requires
from workspaces.request import WorkspaceRequest


@require_http_methods(["GET", "HEAD", "POST"])
@requires("import")
def import_new(request: WorkspaceRequest) -> HttpResponse:
    workspace = request.workspace
    form = ImportForm(request.POST or None, request.FILES or None, workspace=workspace)
    if request.method == "POST" and form.is_valid():
        try:
            transfer = upload.receive(workspace=workspace, user=request.user, **form.for_receive())
        except BadStore as error:
            form.add_error("files", str(error))
        else:
            return redirect("frames:import", workspace.slug, transfer.id)
    return render(
        request,
        "frames/import_new.html",
        {"form": form},
        status=422 if form.errors else 200,
    )


@require_POST
@requires("import")
def import_cancellation(request: WorkspaceRequest, transfer_id: uuid.UUID) -> HttpResponse:
    transfer = find(request, transfer_id)
    if transfer.is_over:
        messages.info(request, "The import was already over.")
    else:
        upload.cancel(transfer)
        audit.record(
            workspace=request.workspace, action="import.cancelled", target=transfer, request=request
        )
        messages.success(request, "The import is being stopped. What is in already stays.")
    return redirect("frames:import", request.workspace.slug, transfer.id)


@require_POST
@requires("import")
def import_retry(request: WorkspaceRequest, transfer_id: uuid.UUID) -> HttpResponse:
    transfer = find(request, transfer_id)
    if import_report.is_silent(transfer):
        upload.cancel(transfer)  # whoever ran it has died, or stops at its next batch
    if not upload.retry(transfer):
        messages.info(request, "There is nothing to try again: this import is running or done.")
    return redirect("frames:import", request.workspace.slug, transfer.id)
