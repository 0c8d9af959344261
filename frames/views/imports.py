"""Imports: which there were, how far one is, and what came of it."""

from __future__ import annotations

import uuid

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from frames.models import Transfer, TransferItem
from frames.views import import_report
from frames.views.listing import page_of, text_param
from workspaces.access import may, requires
from workspaces.request import WorkspaceRequest


def may_import(request: WorkspaceRequest) -> bool:
    return may(request.membership.role, "import")


def find(request: WorkspaceRequest, transfer_id: uuid.UUID) -> Transfer:
    """The import of that id in this workspace, or 404."""
    return get_object_or_404(
        Transfer.objects.in_workspace(request.workspace)
        .filter(kind=Transfer.Kind.IMPORT)
        .select_related("project", "created_by"),
        id=transfer_id,
    )


@require_safe
@requires("read")
def imports(request: WorkspaceRequest) -> HttpResponse:
    found = (
        Transfer.objects.in_workspace(request.workspace)
        .filter(kind=Transfer.Kind.IMPORT)
        .select_related("project", "created_by")
    )
    page = page_of(request, found, order=("-id",), size=30)
    for transfer in page.items:
        transfer.report = import_report.summary(transfer)
    return render(request, "frames/imports.html", {"page": page, "may_import": may_import(request)})


@require_safe
@requires("read")
def import_detail(request: WorkspaceRequest, transfer_id: uuid.UUID) -> HttpResponse:
    transfer = find(request, transfer_id)
    context = {
        "transfer": transfer,
        "report": import_report.summary(transfer),
        "may_import": may_import(request),
    }
    if transfer.is_over:
        kinds = import_report.kinds(transfer)
        chosen = import_report.chosen(kinds, text_param(request, "kind"))
        items = transfer.items.all()
        if chosen:
            items = items.filter(category=chosen.category, table=chosen.table, reason=chosen.reason)
        page = page_of(request, items, order=("id",), size=25)
        for item in page.items:
            item.shown, item.cut = import_report.content_text(item)
        context |= {"kinds": kinds, "chosen": chosen, "page": page}
        context["adjusted"] = import_report.adjustments(transfer)
    return render(request, "frames/import_detail.html", context)


@require_safe
@requires("read")
def import_progress(request: WorkspaceRequest, transfer_id: uuid.UUID) -> HttpResponse:
    """The part of the page that moves; it says when there is nothing more to wait for."""
    transfer = find(request, transfer_id)
    response = render(
        request,
        "frames/_import_progress.html",
        {
            "transfer": transfer,
            "report": import_report.summary(transfer),
            "may_import": may_import(request),
        },
    )
    response["Cache-Control"] = "no-store"
    if transfer.is_over:
        response["X-Over"] = "1"
    return response


@require_safe
@requires("read")
def import_item(
    request: WorkspaceRequest, transfer_id: uuid.UUID, item_id: uuid.UUID
) -> HttpResponse:
    """One row of the report, whole, as a file: the page shows its beginning only."""
    item = get_object_or_404(
        TransferItem.objects.in_workspace(request.workspace),
        transfer_id=transfer_id,
        id=item_id,
    )
    return HttpResponse(
        import_report.whole_text(item),
        content_type="application/json; charset=utf-8",
        headers={
            "Content-Disposition": f'attachment; filename="{item.id}.json"',
            "X-Content-Type-Options": "nosniff",
        },
    )
