"""A person's own pages that allauth does not have."""

from __future__ import annotations

from allauth.usersessions.models import UserSession
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from workspaces.forms import ProfileForm
from workspaces.request import PersonRequest


@require_http_methods(["GET", "POST"])
def profile(request: PersonRequest) -> HttpResponse:
    form = ProfileForm(request.POST or None, instance=request.user)
    if request.method == "POST" and form.is_valid():
        request.user.save(update_fields=["name"])
        messages.success(request, "Saved.")
        return redirect("workspaces:account")
    return render(request, "account/profile.html", {"form": form})


@require_POST
def session_end(request: PersonRequest, session_id: int) -> HttpResponse:
    """Log out one browser of one's own; another person's is 404."""
    session = get_object_or_404(UserSession, pk=session_id, user=request.user)
    session.end()
    messages.success(request, "That browser is logged out.")
    return redirect("usersessions_list")
