"""Connect: client, key, what to paste, and whether it works."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django import forms
from django.conf import settings
from django.http import HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from frames.models import AgentSession
from frames.snippets import BLANK_KEY, CLIENTS, Client, snippets
from workspaces import api_keys
from workspaces.access import may, requires
from workspaces.models import ApiKey
from workspaces.request import WorkspaceRequest


class ConnectKeyForm(forms.Form):
    """A key for one agent: it reads and writes, as its maker may."""

    name = forms.CharField(max_length=100, label="Name", help_text="Which agent, on which machine.")
    project = forms.ChoiceField(
        required=False, help_text="All projects: the repository’s folder decides."
    )

    def __init__(self, *args: Any, request: WorkspaceRequest, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.projects = {str(p.pk): p for p in request.workspace.projects.order_by("name")}
        choices = [(pk, project.name) for pk, project in self.projects.items()]
        fields: dict[str, Any] = self.fields
        fields["project"].choices = [("", "All projects"), *choices]

    def clean_project(self) -> Any:
        return self.projects.get(self.cleaned_data["project"])


@requires("write")
@require_GET
def connect(request: WorkspaceRequest) -> HttpResponse:
    return _page(request, _client(request.GET.get("client")), key=_chosen(request))


@requires("keys")
@require_POST
@never_cache
def connect_key(request: WorkspaceRequest) -> HttpResponse:
    """Make a key and show it where it is to be pasted, this once."""
    client = _client(request.POST.get("client"))
    form = ConnectKeyForm(request.POST, request=request)
    if not form.is_valid():
        return _page(request, client, form=form, status=422)
    project = form.cleaned_data["project"]
    key, text = api_keys.create(
        workspace=request.workspace,
        name=form.cleaned_data["name"],
        scopes=["read", "write"],
        project_id=project.pk if project else None,
        request=request,
    )
    return _page(request, client, key=key, text=text, status=201)


@requires("write")
@require_GET
@never_cache
def connect_status(request: WorkspaceRequest) -> JsonResponse:
    """{"state": "waiting" | "reached" | "green", "text", "url"?}"""
    since = _since(request.GET.get("since")) or timezone.now()
    found = progress(request, _client(request.GET.get("client")), _chosen(request), since)
    return JsonResponse(
        {"state": found.state, "text": found.text, **({"url": found.url} if found.url else {})}
    )


@dataclass(frozen=True)
class Progress:
    state: str
    text: str
    url: str = ""


def progress(
    request: WorkspaceRequest, client: Client, key: ApiKey | None, since: datetime
) -> Progress:
    """How far the agent has got since the page was opened. One query."""
    sessions = AgentSession.objects.in_workspace(request.workspace).filter(last_seen_at__gte=since)
    if key is not None and key.created_by_id:
        sessions = sessions.filter(user=key.created_by_id)
    if key is not None and key.project_id:
        sessions = sessions.filter(project=key.project_id)
    if client.captures:
        sessions = sessions.filter(client=client.slug)
    session = sessions.select_related("project").order_by("-last_seen_at").first()
    if session is not None:
        url = reverse("frames:session", args=[request.workspace.slug, session.pk])
        return Progress("green", f"The first event is here, in {session.project.name}.", url)
    used = key.last_used_at if key else None
    if used and used >= since:
        if client.captures:
            return Progress("reached", "The key was used. Waiting for the first event …")
        return Progress("green", "Your agent is connected. What it notes will show up here.")
    return Progress("waiting", "Waiting to hear from your agent …")


def _page(
    request: WorkspaceRequest,
    client: Client,
    *,
    key: ApiKey | None = None,
    text: str = "",
    form: ConnectKeyForm | None = None,
    status: int = 200,
) -> HttpResponse:
    since = _since(request.GET.get("since")) or (key.created_at if text and key else timezone.now())
    person = request.user.display_name
    context = {
        "clients": CLIENTS,
        "client": client,
        "key": key,
        "key_text": text,
        "may_make_keys": may(request.membership.role, "keys"),
        "form": form
        or ConnectKeyForm(request=request, initial={"name": f"{client.name} of {person}"}),
        "keys": _usable(request),
        "snippets": snippets(client.slug, url=settings.SITE_URL, key=text or BLANK_KEY),
        "blank_key": BLANK_KEY,
        "site_url": settings.SITE_URL,
        "since": int(since.timestamp() * 1000),
        "progress": progress(request, client, key, since),
    }
    return render(request, "frames/connect.html", context, status=status)


def _usable(request: WorkspaceRequest) -> list[ApiKey]:
    """Keys that may write, the person's own first: for who may see keys."""
    if not may(request.membership.role, "keys"):
        return []
    keys = [key for key in request.workspace.apikeys.order_by("-id")[:200] if key.is_usable]
    keys = [key for key in keys if "write" in key.scopes]
    return sorted(keys, key=lambda key: key.created_by_id != request.user.pk)[:50]


def _chosen(request: WorkspaceRequest) -> ApiKey | None:
    """The key the page was asked for, if it is one of this workspace."""
    try:
        key_id = UUID(request.GET.get("key", ""))
    except ValueError:
        return None
    if not may(request.membership.role, "keys"):
        return None
    return request.workspace.apikeys.filter(pk=key_id).first()


def _client(slug: str | None) -> Client:
    return next((client for client in CLIENTS if client.slug == slug), CLIENTS[0])


def _since(text: str | None) -> datetime | None:
    """A moment as the page remembers it: milliseconds of the epoch."""
    if not text or not text.isdecimal() or len(text) > 15:
        return None
    try:
        return datetime.fromtimestamp(int(text) / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return None
