"""What a view's request is known to carry. For annotations only; nobody makes one of these."""

from __future__ import annotations

from django.http import HttpRequest

from workspaces.models import Membership, User, Workspace


class PersonRequest(HttpRequest):
    """LoginRequiredMiddleware has seen to it that somebody is logged in."""

    user: User  # type: ignore[assignment]


class WorkspaceRequest(PersonRequest):
    """Under /w/<slug>/: WorkspaceMiddleware has let this person in."""

    workspace: Workspace
    membership: Membership
