"""The page behind the link of an invitation."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from workspaces import invitations
from workspaces.models import Invitation


@login_not_required
@never_cache
@require_http_methods(["GET", "POST"])
def invitation(request: HttpRequest, token: str) -> HttpResponse:
    """Say who invites whom to what; POST joins. Only the invited person ever gets in."""
    found = invitations.find(token)
    if found is None:
        return render(request, "workspaces/invitation_unknown.html", status=404)
    if not found.is_acceptable:
        return _over(request, found)
    if not request.user.is_authenticated:
        return _stranger(request, token, found)
    if not invitations.is_for(found, request.user):
        context = {"invitation": found, "url": request.path}
        return render(request, "workspaces/invitation_wrong_person.html", context, status=403)
    if request.method == "POST":
        return _join(request, found)
    return render(request, "workspaces/invitation.html", {"invitation": found})


def _over(request: HttpRequest, found: Invitation) -> HttpResponse:
    """Accepted, revoked or expired. Whoever accepted it is simply taken there."""
    if request.user.is_authenticated and found.accepted_by_id == request.user.pk:
        still = found.workspace.memberships.filter(user=request.user)
        if still.exists():
            return redirect(found.workspace)
    return render(request, "workspaces/invitation_over.html", {"invitation": found}, status=410)


def _stranger(request: HttpRequest, token: str, found: Invitation) -> HttpResponse:
    if request.method == "POST":
        return redirect(f"{reverse('account_login')}?next={request.path}")
    invitations.remember(request, token)
    return render(request, "workspaces/invitation.html", {"invitation": found, "url": request.path})


def _join(request: Any, found: Invitation) -> HttpResponse:
    membership = invitations.accept(found, request=request)
    if membership is None:
        return redirect(request.path)  # it was revoked or used just now; the page says so
    messages.success(request, f"Welcome to {found.workspace.name}.")
    return redirect(found.workspace)
