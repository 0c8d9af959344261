"""What the frame around every page needs."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest

from workspaces.access import PERMISSIONS
from workspaces.models import Workspace


def navigation(request: HttpRequest) -> dict[str, Any]:
    """The current workspace, the person's role in it, and the others to switch to (lazily)."""
    workspace = getattr(request, "workspace", None)
    if workspace is None:
        return {
            "workspace": None,
            "login_providers": settings.LOGIN_PROVIDERS,
            "signup_open": settings.SIGNUP_OPEN,
        }
    return {
        "workspace": workspace,
        "membership": request.membership,  # type: ignore[attr-defined]
        "permissions": PERMISSIONS.get(request.membership.role, frozenset()),  # type: ignore[attr-defined]
        "my_workspaces": Workspace.objects.of(request.user),  # type: ignore[arg-type]
    }
