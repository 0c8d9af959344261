"""From a bearer key to whoever acts with it, inside the scope of their workspace."""

from __future__ import annotations

from contextlib import ExitStack
from uuid import UUID

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest

from stackmemory.lib.prepared import Prepared
from stackmemory.lib.refusal import Refusal
from stackmemory.lib.tenancy import workspace_scope
from workspaces import api_keys, limits, throttle
from workspaces.actor import Actor
from workspaces.models import Membership

_active_member: Prepared[Membership] = Prepared(
    lambda workspace, user: (
        Membership.objects.in_workspace(workspace)
        .select_related("user")
        .filter(user_id=user, user__is_active=True)
    ),
    workspace=UUID(int=0),
    user=UUID(int=0),
)


class Unauthenticated(Refusal):
    """No key, or none that opens anything. Says nothing about why."""

    status = 401

    def __init__(self) -> None:
        super().__init__(
            "unauthenticated",
            "Send a key of the workspace as “Authorization: Bearer sm_…”; it may be missing,"
            " mistyped, expired or revoked.",
        )


class WrongTooOften(Refusal):
    """One address has tried too many keys that open nothing."""

    status = 429

    def __init__(self, retry_after: int) -> None:
        self.retry_after = retry_after
        super().__init__(
            "rate_limited",
            "Too many requests from this address had no key that opens anything."
            f" Wait {retry_after} seconds, then send a right one.",
        )


def authenticate(request: HttpRequest) -> Actor:
    """The actor of the request's key. From here until the response the request is in its workspace.

    Raises Unauthenticated, and TooMany where the key has made more requests than it may.
    """
    actor = admit(request)
    stack: ExitStack = request.scope_stack  # type: ignore[attr-defined]
    stack.enter_context(workspace_scope(actor.workspace.pk))
    return actor


def admit(request: HttpRequest) -> Actor:
    """The actor of the request's key, counted against what it may do; in no scope yet.

    What opens nothing counts against its address.
    """
    try:
        return _admitted(request)
    except Unauthenticated:
        if wait := throttle.wrong_key(request):
            raise WrongTooOften(wait) from None
        raise


def _admitted(request: HttpRequest) -> Actor:
    """The actor of the request's key.

    A transaction of its own, and a short one: whatever the request then does, two requests of one
    key never wait for each other here, and what they did is counted however they end.
    """
    scheme, _, text = request.headers.get("Authorization", "").partition(" ")
    with api_keys.recognised(text.strip() if scheme.lower() == "bearer" else "") as key:
        if key is None:
            raise Unauthenticated
        request.workspace = key.workspace  # type: ignore[attr-defined]
        try:
            if not settings.READ_ONLY:  # counting is writing
                request.allowance = limits.take(  # type: ignore[attr-defined]
                    key.workspace, key.pk, person=key.created_by_id
                )
        except limits.TooMany as refusal:
            request.allowance = refusal.allowance  # type: ignore[attr-defined]
            raise
        membership = _membership_behind(key)
        api_keys.note_use(key)
    actor = Actor.of_key(key, membership)
    # What pages know a person by; a browser's login counts for nothing beside a key.
    request.user = actor.user or AnonymousUser()  # type: ignore[assignment]
    request.api_key = key  # type: ignore[attr-defined]
    return actor


def _membership_behind(key: api_keys.ApiKey) -> Membership | None:
    """The membership of whoever made the key, while they have one."""
    if key.created_by_id is None:
        return None
    return _active_member.one(workspace=key.workspace_id, user=key.created_by_id)
