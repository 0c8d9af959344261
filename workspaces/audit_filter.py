"""Which part of the log somebody wants to see: who, what, when."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django import forms
from django.utils import timezone

from workspaces.audit import ACTIONS
from workspaces.models import Audit, Workspace


class AuditFilter(forms.Form):
    """All optional; what makes no sense is ignored rather than refused."""

    who = forms.ChoiceField(required=False, widget=forms.Select(attrs={"aria-label": "Who"}))
    what = forms.ChoiceField(required=False, widget=forms.Select(attrs={"aria-label": "What"}))
    since = forms.DateField(required=False, widget=forms.DateInput(attrs={"type": "date"}))
    until = forms.DateField(required=False, widget=forms.DateInput(attrs={"type": "date"}))

    def __init__(self, *args: Any, workspace: Workspace, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.workspace = workspace
        members = workspace.memberships.select_related("user").order_by("user__email")
        self.people = {one.user_id: one.user for one in members}
        people = [(f"user:{pk}", str(user)) for pk, user in self.people.items()]
        keys = [
            (f"key:{key.pk}", f"Key {key.name}") for key in workspace.apikeys.order_by("-id")[:100]
        ]
        fields: dict[str, Any] = self.fields
        fields["who"].choices = [("", "Anybody"), *people, *keys, ("none", "Nobody (command)")]
        fields["what"].choices = [("", "Anything"), *ACTIONS.items()]

    def entries(self) -> Any:
        """The entries asked for, newest first once ordered by -seq."""
        self.is_valid()
        entries, wanted = Audit.objects.in_workspace(self.workspace), self.cleaned_data
        if what := wanted.get("what"):
            entries = entries.filter(action=what)
        if since := wanted.get("since"):
            entries = entries.filter(created_at__gte=_midnight(since))
        if until := wanted.get("until"):
            entries = entries.filter(created_at__lt=_midnight(until + dt.timedelta(days=1)))
        kind, _, value = (wanted.get("who") or "").partition(":")
        if kind == "none":
            return entries.filter(actor_id=None, key_id=None)
        return (
            entries.filter(**{{"user": "actor_id", "key": "key_id"}[kind]: value})
            if kind
            else entries
        )

    @property
    def is_set(self) -> bool:
        return any(self.cleaned_data.get(name) for name in self.fields)


def _midnight(day: dt.date) -> dt.datetime:
    """The beginning of a day, in the reader's zone."""
    return timezone.make_aware(dt.datetime.combine(day, dt.time.min))
