"""The stream for pages: `/w/<slug>/stream`, by login."""

from __future__ import annotations

from django.http import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_GET

from stackmemory.answers import refused
from stackmemory.lib.refusal import Refusal
from stackmemory.live.passes import Pass
from stackmemory.live.stream import stream
from workspaces.access import requires
from workspaces.request import WorkspaceRequest


@require_GET
@requires("read")
def page_stream(request: WorkspaceRequest) -> HttpResponseBase:
    """News of the workspace, or of ?project=SLUG alone."""
    only = None
    if slug := request.GET.get("project"):
        only = get_object_or_404(request.workspace.projects.only("id"), slug=slug).pk
    given = Pass(
        request.workspace.pk, person=request.user.pk,
        login=request.session.session_key or "", only=only,
    )  # fmt: skip
    try:
        return stream(request, given)
    except Refusal as refusal:
        return refused(refusal)
