"""API keys: list, make (the key is shown once), rotate, revoke."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from workspaces import api_keys
from workspaces.access import requires
from workspaces.forms import KeyForm
from workspaces.models import ApiKey
from workspaces.request import WorkspaceRequest


@requires("keys")
@require_GET
def key_list(request: WorkspaceRequest) -> HttpResponse:
    return _page(request, KeyForm(workspace=request.workspace))


@requires("keys")
@require_POST
@never_cache
def create(request: WorkspaceRequest) -> HttpResponse:
    """The answer itself shows the key: it is never stored, so it cannot be redirected to."""
    form = KeyForm(request.POST, workspace=request.workspace)
    if not form.is_valid():
        return _page(request, form, status=422)
    data = form.cleaned_data
    key, text = api_keys.create(
        workspace=request.workspace,
        name=data["name"],
        scopes=data["scopes"],
        project_id=data["project"].pk if data["project"] else None,
        expires_at=data["expires"],
        request=request,
    )
    return _shown_once(request, key, text)


@requires("keys")
@require_POST
@never_cache
def rotate(request: WorkspaceRequest, key_id: UUID) -> HttpResponse:
    old = _key(request, key_id)
    try:
        key, text = api_keys.rotate(old, request=request)
    except api_keys.InvalidKey as problem:
        messages.error(request, str(problem))
        return redirect("workspaces:keys", request.workspace.slug)
    old.refresh_from_db()
    return _shown_once(request, key, text, old=old)


@requires("keys")
@require_POST
def revoke(request: WorkspaceRequest, key_id: UUID) -> HttpResponse:
    key = _key(request, key_id)
    api_keys.revoke(key, request=request)
    messages.success(request, f"“{key.name}” is revoked. It stopped working just now.")
    return redirect("workspaces:keys", request.workspace.slug)


def _page(request: WorkspaceRequest, form: KeyForm, status: int = 200) -> HttpResponse:
    keys = request.workspace.apikeys.select_related("created_by", "replaced_by").order_by("-id")
    shown = list(keys[:500])
    for key in shown:
        key.project = form.projects.get(str(key.project_id)) if key.project_id else None
    context = {
        "form": form,
        "usable": [key for key in shown if key.is_usable],
        "ended": [key for key in shown if not key.is_usable],
    }
    return render(request, "workspaces/keys.html", context, status=status)


def _shown_once(
    request: WorkspaceRequest, key: ApiKey, text: str, old: ApiKey | None = None
) -> HttpResponse:
    context = {"key": key, "text": text, "old": old}
    return render(request, "workspaces/key_new.html", context, status=201)


def _key(request: WorkspaceRequest, key_id: UUID) -> ApiKey:
    return get_object_or_404(request.workspace.apikeys, pk=key_id)
