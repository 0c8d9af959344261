"""What a person says of the export they want."""

from __future__ import annotations

from typing import Any

from django import forms

from frames.models import Export, Project
from workspaces.models import Workspace


class StoreForm(forms.Form):
    format = forms.CharField(initial=Export.Format.STORE, widget=forms.HiddenInput)
    project: Any = forms.ModelChoiceField(
        Project.unscoped.none(), to_field_name="slug", empty_label=None
    )
    schema = forms.ChoiceField(
        label="For",
        choices=[("new", "version 1.x of the local tool"), ("old", "version 0.x")],
        required=False,
    )
    private = forms.BooleanField(label="Others’ private frames too", required=False)

    def __init__(self, *args: Any, workspace: Workspace, owner: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        projects = Project.objects.in_workspace(workspace).order_by("name")
        self.fields["project"].queryset = projects  # type: ignore[attr-defined]
        if not owner:
            del self.fields["private"]


class ArchiveForm(forms.Form):
    format = forms.CharField(initial=Export.Format.ARCHIVE, widget=forms.HiddenInput)
    private = forms.BooleanField(label="Everybody’s private frames too", required=False)
