"""What work weighs in a project: the weights, and which frames would lead by them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods

from frames.models import Frame, Project
from frames.scoring import BASES, FIELDS, NAMES, Weights, digests, frame_score
from stackmemory.lib.queue import enqueue
from workspaces import audit
from workspaces.access import may, requires
from workspaces.request import WorkspaceRequest

LOOKED_AT, TOP = 200, 10
WORDS = {
    "base": ("Weightiest call", "Times the value of its kind below."),
    "impact": ("How many files", "Full at ten files."),
    "persistence": ("Whether it lasts", "A fifth of it, for writes, edits, tasks and decisions."),
    "reference": ("How much refers to it", "Full at a hundred events."),
}


class ScoringForm(forms.Form):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in NAMES:
            label, help_text = WORDS[name]
            self.fields[name] = _number(label, help_text)
        for kind in BASES:
            self.fields[f"kind-{kind}"] = _number(kind.replace("_", " ").capitalize(), "")

    @property
    def weights(self) -> Weights:
        given = self.cleaned_data
        return Weights(
            **{name: given[name] for name in NAMES},
            bases={kind: given[f"kind-{kind}"] for kind in BASES},
        )

    def parts(self) -> list[tuple[str, list[forms.BoundField]]]:
        return [
            ("Weights", [self[name] for name in NAMES]),
            ("Kinds of calls", [self[f"kind-{kind}"] for kind in BASES]),
        ]


@dataclass(frozen=True)
class Place:
    """A frame among the first by the new weights; `before` is its place by those of today."""

    frame: Frame
    score: float
    was: float
    before: int


@requires("read")
@require_http_methods(["GET", "POST"])
def scoring(request: WorkspaceRequest, project_slug: str) -> HttpResponse:
    """The weights; ?base=… shows which frames would lead by others; a POST keeps them."""
    project = get_object_or_404(request.workspace.projects.all(), slug=project_slug)
    today = Weights.of(project)
    asked = request.POST if request.method == "POST" else request.GET
    form = ScoringForm(asked or None, initial=_initial(today))
    may_change = may(request.membership.role, "settings")
    if request.method == "POST":
        if not may_change:
            return HttpResponse("Only who may change settings can change weights.", status=403)
        if form.is_valid():
            keep(request, project, Weights() if "usual" in request.POST else form.weights)
            messages.success(request, "Saved. Frames get their new scores within moments.")
            return redirect("frames:scoring", request.workspace.slug, project.slug)
    new = form.weights if form.is_bound and form.is_valid() else today
    return render(
        request,
        "frames/scoring.html",
        {
            "project": project,
            "form": form,
            "is_tried": form.is_bound and new != today,
            "is_usual": today == Weights(),
            "may_change": may_change,
            "places": _places(request, project, today, new),
            "looked_at": LOOKED_AT,
        },
    )


def keep(request: WorkspaceRequest, project: Project, weights: Weights) -> None:
    """Store the weights, say so in the audit log, and have the frames scored anew."""
    row = request.workspace.projects.select_for_update().get(pk=project.pk)
    before, after = row.settings.get("scoring"), weights.stored()
    if weights == Weights.of(row):
        return
    row.settings = {**row.settings, "scoring": after}
    row.save(update_fields=["settings"])
    audit.record(
        workspace=request.workspace, action="project.settings", target=row,
        before={"scoring": before}, after={"scoring": after}, request=request,
    )  # fmt: skip
    enqueue("frames.jobs.rescore", request.workspace.pk, row.pk)


def _places(
    request: WorkspaceRequest, project: Project, today: Weights, new: Weights
) -> list[Place]:
    frames = project.frames.visible_to(request.user).exclude(closed_at=None)
    latest = frames.only(*FIELDS, "name", "started_at").order_by("-started_at", "-id")
    rows = list(latest[:LOOKED_AT])
    told = digests(request.workspace, rows)
    scored = []
    for frame in rows:
        was, score = frame_score(told[frame.pk], today), frame_score(told[frame.pk], new)
        if was is not None and score is not None:
            scored.append((frame, score, was))
    by_today = sorted(scored, key=lambda row: -row[2])
    before = {row[0].pk: number for number, row in enumerate(by_today, start=1)}
    by_new = sorted(scored, key=lambda row: -row[1])
    return [Place(frame, score, was, before[frame.pk]) for frame, score, was in by_new[:TOP]]


def _initial(weights: Weights) -> dict[str, float]:
    named = {name: getattr(weights, name) for name in NAMES}
    return named | {f"kind-{kind}": value for kind, value in weights.bases.items()}


def _number(label: str, help_text: str) -> forms.FloatField:
    widget = forms.NumberInput(attrs={"step": "0.05", "inputmode": "decimal"})
    return forms.FloatField(
        label=label, help_text=help_text, min_value=0, max_value=1, widget=widget
    )
