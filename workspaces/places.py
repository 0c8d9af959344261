"""A login from a new place is told to the person and written into their workspaces' logs."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone

from stackmemory.lib.tenancy import person_scope, workspace_scope
from workspaces import audit, mail
from workspaces.models import LoginPlace, User, Workspace
from workspaces.origin import browser_name, client_ip, place_digest, user_agent


def note_login(request: HttpRequest, user: User) -> bool:
    """Remember where this login came from; whether that was new (the very first place is not)."""
    digest = place_digest(request)
    if user.login_places.filter(digest=digest).update(last_at=timezone.now()):
        return False
    is_first = not user.login_places.exists()
    LoginPlace.objects.bulk_create([LoginPlace(user=user, digest=digest)], ignore_conflicts=True)
    if is_first:
        return False
    with person_scope(user.pk):
        for workspace in Workspace.objects.of(user):
            with workspace_scope(workspace.id):
                audit.record(
                    workspace=workspace, action="member.login", target=user, request=request
                )
    mail.send(
        "new_place",
        to=user.email,
        context={
            "person": user,
            "browser": browser_name(user_agent(request)),
            "ip": client_ip(request),
            "when": timezone.now(),
            "sessions_url": f"{settings.SITE_URL}/account/sessions/",
        },
    )
    return True
