"""What each role may do. One table; views ask for a permission by name."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from functools import wraps
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest

from stackmemory.lib.replica import reading_page

VIEW = frozenset({"read"})
MEMBER = VIEW | {"write"}
ADMIN = MEMBER | {"import", "members", "keys", "settings", "audit", "export", "erase"}
OWNER = ADMIN | {"owners", "delete", "transfer", "archive"}

PERMISSIONS: dict[str, frozenset[str]] = {
    "viewer": VIEW,
    "member": MEMBER,
    "admin": ADMIN,
    "owner": OWNER,
}

View = Callable[..., Any]


def may(role: str, permission: str) -> bool:
    """Whether a role grants a permission; an unknown role grants nothing."""
    return permission in PERMISSIONS.get(role, frozenset())


def requires(permission: str) -> Callable[[View], View]:
    """Refuse with 403 a member whose role lacks `permission`.

    Strangers never get this far: WorkspaceMiddleware has answered 404. What asks for "read" and is
    got, not posted, may be read from a replica.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            if not may(request.membership.role, permission):  # type: ignore[attr-defined]
                raise PermissionDenied(f"Your role does not include “{permission}”.")
            with reading_page(request) if permission == "read" else nullcontext():
                return view(request, *args, **kwargs)

        checked.permission = permission  # type: ignore[attr-defined]
        return checked

    return decorate
