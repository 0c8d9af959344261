"""The request a view under /w/<slug>/ gets: WorkspaceMiddleware has let its person in."""

from __future__ import annotations

from django.http import HttpRequest

from workspaces.models import Membership, User, Workspace


class WorkspaceRequest(HttpRequest):
    """For annotations only; nobody makes one."""

    user: User  # type: ignore[assignment]
    workspace: Workspace
    membership: Membership
