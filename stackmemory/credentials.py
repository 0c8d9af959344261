"""From a bearer key to whoever acts with it, inside the scope of their workspace."""

from __future__ import annotations

from contextlib import ExitStack

from django.http import HttpRequest

from stackmemory.lib.refusal import Refusal
from stackmemory.lib.tenancy import workspace_scope
from workspaces import api_keys
from workspaces.actor import Actor
from workspaces.models import Membership


class Unauthenticated(Refusal):
    """No key, or none that opens anything. Says nothing about why."""

    status = 401

    def __init__(self) -> None:
        super().__init__(
            "unauthenticated",
            "Send a key of the workspace as “Authorization: Bearer sm_…”; it may be missing,"
            " mistyped, expired or revoked.",
        )


def authenticate(request: HttpRequest) -> Actor:
    """The actor of the request's key. From here until the response the request is in its workspace.

    Raises Unauthenticated.
    """
    scheme, _, text = request.headers.get("Authorization", "").partition(" ")
    key = api_keys.authenticate(text.strip()) if scheme.lower() == "bearer" else None
    if key is None:
        raise Unauthenticated
    stack: ExitStack = request.scope_stack  # type: ignore[attr-defined]
    stack.enter_context(workspace_scope(key.workspace_id))
    request.workspace = key.workspace  # type: ignore[attr-defined]
    membership = None
    if key.created_by_id is not None:
        memberships = Membership.objects.in_workspace(key.workspace).select_related("user")
        membership = memberships.filter(user_id=key.created_by_id, user__is_active=True).first()
    api_keys.note_use(key)
    return Actor.of_key(key, membership)
