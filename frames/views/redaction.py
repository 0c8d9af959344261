"""What a workspace takes out of texts before they are stored: on or off, and its own patterns."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from frames.redaction import own
from workspaces import audit
from workspaces.access import requires
from workspaces.models import Workspace
from workspaces.request import WorkspaceRequest


class RedactionForm(forms.Form):
    enabled = forms.BooleanField(
        required=False,
        label="Take secrets out of what agents and people write, before it is stored",
    )
    patterns = forms.CharField(
        required=False,
        label="Your own patterns",
        help_text="One a line, as <code>name: regular expression</code>, for example"
        " <code>ticket: TICKET-[0-9]{6}</code>. Where one has a group, only the group is taken out.",
        widget=forms.Textarea(attrs={"rows": 6, "class": "mono", "spellcheck": "false"}),
    )

    def clean_patterns(self) -> list[dict[str, str]]:
        found = []
        for number, line in enumerate(self.cleaned_data["patterns"].splitlines(), start=1):
            if not line.strip():
                continue
            name, colon, pattern = line.partition(":")
            if not colon:
                raise forms.ValidationError(f"Line {number} has no colon: write name: pattern.")
            found.append({"name": name.strip(), "pattern": pattern.strip()})
        try:
            own.check(found)
        except own.InvalidPattern as problem:
            raise forms.ValidationError(str(problem)) from None
        return found


@requires("settings")
@require_http_methods(["GET", "POST"])
def redaction(request: WorkspaceRequest) -> HttpResponse:
    now = request.workspace.settings.get("redaction") or {"enabled": True, "patterns": []}
    lines = "\n".join(f"{p['name']}: {p['pattern']}" for p in now.get("patterns", []))
    initial = {"enabled": now.get("enabled", True), "patterns": lines}
    form = RedactionForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        change(request, form.cleaned_data)
        messages.success(request, "Saved. It holds for what is written from now on.")
        return redirect("frames:redaction", request.workspace.slug)
    return render(request, "frames/redaction.html", {"form": form})


def change(request: WorkspaceRequest, value: dict[str, object]) -> None:
    """Store the setting and say so in the audit log; nothing where nothing changes."""
    workspace = Workspace.objects.select_for_update().get(pk=request.workspace.pk)
    before = workspace.settings.get("redaction")
    if before == value:
        return
    workspace.settings["redaction"] = value
    workspace.save(update_fields=["settings"])
    audit.record(
        workspace=workspace,
        action="workspace.settings",
        target=workspace,
        before={"redaction": before},
        after={"redaction": value},
        request=request,
    )
