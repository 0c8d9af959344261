"""What the frame around every page needs."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from workspaces.models import Workspace


def navigation(request: HttpRequest) -> dict[str, Any]:
    """The current workspace, the person's role in it, and the others to switch to (lazily)."""
    workspace = getattr(request, "workspace", None)
    if workspace is None:
        return {"workspace": None}
    return {
        "workspace": workspace,
        "membership": request.membership,  # type: ignore[attr-defined]
        "my_workspaces": Workspace.objects.of(request.user),  # type: ignore[arg-type]
    }
