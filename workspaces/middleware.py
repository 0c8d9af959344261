"""`/w/<slug>/…` becomes request.workspace and request.membership, or 404."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, suppress
from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse

from stackmemory.lib.prepared import Prepared
from stackmemory.lib.tenancy import enter_workspace, person_scope, system_scope
from workspaces import members, usage
from workspaces.models import Membership

_membership: Prepared[Membership] = Prepared(
    lambda slug, user: (
        Membership.objects.across_workspaces()
        .select_related("workspace")
        .filter(workspace__slug=slug, workspace__deleted_at=None, user=user)
    ),
    slug="",
    user=UUID(int=0),
)


class WorkspaceMiddleware:
    """Open the scope a view is entitled to: the person's own, and in /w/<slug>/ the workspace's too;
    operators in the admin see all.

    It lasts until the response is made, templates included, and is one transaction: an exception
    undoes what the view did. The `workspace_slug` argument is taken out of the view's arguments: a
    view has request.workspace and nothing else to look it up by.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        with ExitStack() as scope:
            request.scope_stack = scope  # type: ignore[attr-defined]
            response = self.get_response(request)
        if workspace := getattr(request, "workspace", None):
            usage.requests.count(workspace.pk)
        return response

    def process_view(
        self,
        request: HttpRequest,
        view: Callable[..., HttpResponse],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> None:
        match = request.resolver_match
        if match is None or not request.user.is_authenticated:
            return  # LoginRequiredMiddleware has sent them to the login page, where needed
        scope: ExitStack = request.scope_stack  # type: ignore[attr-defined]
        if match.app_name == "admin":
            if request.user.is_staff:  # others get no further than the admin's own login page
                scope.enter_context(system_scope())
            return
        scope.enter_context(person_scope(request.user.pk))
        if "workspace_slug" in kwargs:
            self._enter(request, kwargs.pop("workspace_slug"))

    def process_exception(self, request: HttpRequest, exception: Exception) -> None:
        """Leave the scope now, by the exception, so that its transaction is rolled back."""
        scope: ExitStack = request.scope_stack  # type: ignore[attr-defined]
        with suppress(type(exception)):
            scope.pop_all().__exit__(type(exception), exception, exception.__traceback__)

    def _enter(self, request: HttpRequest, slug: str) -> None:
        """Find the person's membership and make its workspace the scope; 404 where there is none."""
        membership = _membership.one(slug=slug, user=request.user.pk)
        if membership is None:
            raise Http404("No such workspace")
        membership.user = request.user  # type: ignore[assignment]
        request.workspace = membership.workspace  # type: ignore[attr-defined]
        request.membership = membership  # type: ignore[attr-defined]
        enter_workspace(membership.workspace_id)
        members.note_seen(membership)
