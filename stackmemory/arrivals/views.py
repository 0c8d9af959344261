"""The page on which somebody makes a workspace of an archive: send it, see how far it is, stop it."""

from __future__ import annotations

import uuid
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from stackmemory.arrivals import arriving
from stackmemory.arrivals.progress import told
from stackmemory.lib.refusal import Refusal
from stackmemory.models import ArchiveImport
from workspaces.request import PersonRequest

SHOWN = 10


class ArrivalForm(forms.Form):
    file = forms.FileField(label="Archive", widget=forms.FileInput(attrs={"accept": ".zip"}))
    slug = forms.CharField(
        label="Address", required=False, max_length=50,
        help_text="Empty for the one it had.",
    )  # fmt: skip


@require_http_methods(["GET", "HEAD", "POST"])
def arrivals(request: PersonRequest) -> HttpResponse:
    form = ArrivalForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        file = form.cleaned_data["file"]
        try:
            arrival = arriving.announce(
                user=request.user, name=str(file.name), slug=form.cleaned_data["slug"].strip(),
                size=file.size,
            )  # fmt: skip
        except Refusal as refusal:
            form.add_error("slug" if refusal.field == "slug" else "file", refusal.message)
        else:
            arriving.take_file(arrival, file.chunks(1 << 20))
            return redirect("arrivals")
    context = _context(request) | {"form": form}
    status = 422 if form.is_bound else 200
    return render(request, "arrivals/arrivals.html", context, status=status)


@require_safe
def progress(request: PersonRequest) -> HttpResponse:
    """The part of the page that moves; it says when there is nothing more to wait for."""
    context = _context(request)
    response = render(request, "arrivals/_list.html", context)
    response["Cache-Control"] = "no-store"
    if not context["under_way"]:
        response["X-Over"] = "1"
    return response


@require_POST
def cancellation(request: PersonRequest, arrival_id: uuid.UUID) -> HttpResponse:
    arrival = get_object_or_404(arriving.arrivals_of(request.user), pk=arrival_id)
    if arriving.cancel(arrival):
        messages.success(request, "It is being stopped, and nothing of it is kept.")
    return redirect("arrivals")


def _context(request: PersonRequest) -> dict[str, Any]:
    found = list(arriving.arrivals_of(request.user).order_by("-id")[:SHOWN])
    for arrival in found:
        arrival.silent = arriving.is_silent(arrival)  # type: ignore[attr-defined]
        if arrival.state == ArchiveImport.State.RUNNING:
            now = told(arrival)
            done, total = now.get("done", 0), max(now.get("total", 0), 1)
            arrival.phase = now.get("phase", "")  # type: ignore[attr-defined]
            arrival.percent = min(99, 100 * done // total)  # type: ignore[attr-defined]
    waiting = [a for a in found if not a.is_over and not a.silent]  # type: ignore[attr-defined]
    return {"arrivals": found, "under_way": bool(waiting)}
