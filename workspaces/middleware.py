"""`/w/<slug>/…` becomes request.workspace and request.membership, or 404."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse

from stackmemory.lib.tenancy import workspace_scope
from workspaces.models import Membership


class WorkspaceMiddleware:
    """Resolve the workspace before the view runs, and run the view inside its scope.

    Template responses are rendered inside it too. The `slug` argument is taken out of the view's
    arguments: a view has request.workspace and nothing else to look it up by.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(
        self,
        request: HttpRequest,
        view: Callable[..., HttpResponse],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> HttpResponse | None:
        match = request.resolver_match
        if match is None or "workspace_slug" not in kwargs:
            return None
        if not request.user.is_authenticated:
            return None  # LoginRequiredMiddleware has sent them to the login page
        slug = kwargs.pop("workspace_slug")
        membership = (
            Membership.objects.across_workspaces()
            .select_related("workspace")
            .filter(workspace__slug=slug, workspace__deleted_at=None, user=request.user)
            .first()
        )
        if membership is None:
            raise Http404("No such workspace")
        membership.user = request.user
        request.workspace = membership.workspace  # type: ignore[attr-defined]
        request.membership = membership  # type: ignore[attr-defined]
        with workspace_scope(membership.workspace_id):
            return view(request, *args, **kwargs)
