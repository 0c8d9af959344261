"""How long a project keeps its events: the setting, and what would go by another."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from frames.cold import choosing
from frames.models import Project
from frames.retention import DAYS, DIGEST, EARLY_DAYS, EVER, MOST_DAYS, Policy, aging, preview
from workspaces import audit
from workspaces.access import may, requires
from workspaces.request import WorkspaceRequest

TOP = 10
CHOICES = {
    EVER: "For ever",
    DAYS: "For so many days after they happened",
    DIGEST: "Until their frame has been closed for so many days, and has a digest",
}


class RetentionForm(forms.Form):
    keep = forms.ChoiceField(label="Keep events", choices=CHOICES.items(), widget=forms.RadioSelect)
    days = forms.IntegerField(label="Days", min_value=1, max_value=MOST_DAYS)
    below = forms.FloatField(
        label="Sooner, where the frame closed with a score below",
        required=False,
        min_value=0,
        max_value=1,
        widget=forms.NumberInput(attrs={"step": "0.05", "inputmode": "decimal"}),
        help_text="Between 0 and 1; empty or 0 for no such difference.",
    )
    early = forms.IntegerField(
        label="Days for those", required=False, min_value=1, max_value=MOST_DAYS
    )
    hot = forms.IntegerField(
        label="Days in the database",
        required=False,
        min_value=choosing.LEAST_DAYS,
        max_value=MOST_DAYS,
        help_text="A month that was over so many days ago goes to cold storage, and is read from there.",
    )
    hold = forms.CharField(
        label="Legal hold",
        required=False,
        max_length=200,
        help_text="While a reason stands here, nothing of the project goes, whatever is chosen above.",
    )
    sure = forms.BooleanField(label="Yes, delete them", required=False)

    @property
    def policy(self) -> Policy:
        given = self.cleaned_data
        early = given["early"] or EARLY_DAYS
        return Policy(
            given["keep"], given["days"], given["below"] or 0, early, given["hold"].strip()
        )

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        if given.get("below") and (given.get("early") or EARLY_DAYS) >= (given.get("days") or 0):
            self.add_error("early", "Give fewer days than for the others.")
        return given


@requires("read")
@require_http_methods(["GET", "POST"])
def retention(request: WorkspaceRequest, project_slug: str) -> HttpResponse:
    """The setting; ?keep=… shows what would go by another; a POST keeps it, once one is sure."""
    project = get_object_or_404(
        request.workspace.projects.select_related("workspace"), slug=project_slug
    )
    today = Policy.of(project)
    asked = request.POST if request.method == "POST" else request.GET
    hot = choosing.hot_days(project)
    form = RetentionForm(asked or None, initial=today.stored() | {"hot": hot})
    may_change = may(request.membership.role, "settings")
    if request.method == "POST" and not may_change:
        return HttpResponse("Only who may change settings can change this.", status=403)
    policy = form.policy if form.is_bound and form.is_valid() else today
    if form.is_bound and form.is_valid():
        hot = form.cleaned_data["hot"] or hot
    goes = preview(project, policy)
    if request.method == "POST" and form.is_valid():
        if not goes.events or form.cleaned_data["sure"]:
            keep(request, project, policy, hot)
            messages.success(request, "Saved.")
            return redirect("frames:retention", request.workspace.slug, project.slug)
        form.add_error("sure", "Tick this to have them deleted, or choose to keep more.")
    frames = project.frames.visible_to(request.user)
    frames = frames.filter(pk__in=aging(project, policy, timezone.now()).values("pk"))
    return render(
        request,
        "frames/retention.html",
        {
            "project": project,
            "form": form,
            "policy": policy,
            "is_tried": form.is_bound and (policy, hot) != (today, choosing.hot_days(project)),
            "may_change": may_change,
            "goes": goes,
            "cold": choosing.standing(project, hot),
            "frames": frames.order_by("-event_count", "-pk")[:TOP],
        },
    )


def keep(request: WorkspaceRequest, project: Project, policy: Policy, hot: int) -> None:
    """Store the settings and say so in the audit log; nothing where nothing changes."""
    row = request.workspace.projects.select_for_update().get(pk=project.pk)
    before, was_hot = Policy.of(row), choosing.hot_days(row)
    old: dict[str, Any] = {}
    new: dict[str, Any] = {}
    if policy != before:
        old["retention"], new["retention"] = before.stored(), policy.stored()
    if hot != was_hot:
        old["hot_days"], new["hot_days"] = was_hot, hot
    if not new:
        return
    row.settings = {**row.settings, **new}
    row.save(update_fields=["settings"])
    audit.record(
        workspace=request.workspace, action="project.settings", target=row, before=old, after=new,
        request=request,
    )  # fmt: skip
