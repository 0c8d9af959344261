"""The page on which a person takes what is kept about them."""

from __future__ import annotations

from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from stackmemory.exports.person import lines_about
from stackmemory.exports.sending import send
from workspaces.request import PersonRequest


@require_http_methods(["GET", "HEAD", "POST"])
def account_data(request: PersonRequest) -> HttpResponseBase | HttpResponse:
    """A POST gives the file: what it holds is not for a link that somebody else could plant."""
    if request.method != "POST":
        return render(request, "account/data.html")
    name = f"stackmemory-{timezone.now():%Y-%m-%d}.json"
    return send(request, lines_about(request.user), name=name, kind="application/json")
