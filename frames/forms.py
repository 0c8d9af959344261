"""Forms of the pages inside a workspace."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.utils.text import slugify

from workspaces.models import Workspace
from workspaces.models.workspace import slug_validator

FILES = 12


class ManyFilesInput(forms.FileInput):
    allow_multiple_selected = True


class ManyFilesField(forms.FileField):
    """A list of uploaded files, at least one."""

    widget = ManyFilesInput

    def clean(self, data: Any, initial: Any = None) -> list[UploadedFile]:
        files = data if isinstance(data, list | tuple) else [data] if data else []
        if not files:
            raise forms.ValidationError(self.error_messages["required"], code="required")
        if len(files) > FILES:
            raise forms.ValidationError(
                f"These are {len(files)} files; an import takes at most {FILES}. "
                "Put the .stackmemory folder into one .zip instead."
            )
        return [super(ManyFilesField, self).clean(one, initial) for one in files]


class ImportForm(forms.Form):
    """Which files, and into which project."""

    files = ManyFilesField(  # type: ignore[assignment]  # a form's own `files` is set on the instance
        error_messages={
            "required": "Choose the context.db of a .stackmemory folder, or a .zip of the folder.",
            "empty": "That file is empty: choose the context.db that your agent writes to.",
        }
    )
    into = forms.ChoiceField(
        choices=[("new", "A new project"), ("existing", "One that is here"), ("keep", "By id")],
        required=False,
    )
    new_project = forms.CharField(required=False, max_length=200)
    existing = forms.CharField(required=False)
    dry_run = forms.BooleanField(required=False)

    def __init__(self, *args: Any, workspace: Workspace, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.projects = list(workspace.projects.order_by("name"))

    def clean_new_project(self) -> str:
        """The slug of the name given, or nothing: the importer then names it by the repository."""
        name = self.cleaned_data["new_project"].strip()
        if not name or self.cleaned_data.get("into") in ("existing", "keep"):
            return ""
        slug = slugify(name)[:50].strip("-_")
        try:
            slug_validator(slug)
        except forms.ValidationError:
            raise forms.ValidationError(
                "A project's name needs at least one letter or digit of a–z, 0–9."
            ) from None
        return slug

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        known = {project.slug for project in self.projects}
        if data.get("into") == "existing" and data.get("existing") not in known:
            self.add_error("existing", "That project is not there any more: choose another one.")
        return data

    def for_receive(self) -> dict[str, Any]:
        """The arguments of frames.transfer.upload.receive that this form decides."""
        data = self.cleaned_data
        existing = data["into"] == "existing"
        return {
            "files": data["files"],
            "project_slug": data["existing"] if existing else data["new_project"],
            "keep_project_ids": data["into"] == "keep",
            "dry_run": data["dry_run"],
        }
