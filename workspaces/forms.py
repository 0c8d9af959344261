"""What people type about themselves and their teams."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from allauth.account import forms as account_forms
from allauth.core import context
from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone

from workspaces import invitations
from workspaces.models import ApiKey, Membership, User, Workspace

Role = Membership.Role

ROLE_HELP = {
    Role.OWNER: "Everything, including deleting the workspace and making owners.",
    Role.ADMIN: "Members, keys, settings, imports and erasing.",
    Role.MEMBER: "Reads and writes.",
    Role.VIEWER: "Reads.",
}


class SignupForm(account_forms.SignupForm):
    """Sign-up with a name. Who comes with an invitation signs up with the invited address."""

    field_order = ("name", "email", "password1")
    name = forms.CharField(
        label="Your name",
        max_length=150,
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
        help_text="How your team will see you.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.invitation = invitations.remembered(context.request)
        self.fields["email"].widget.attrs.pop("placeholder", None)
        if self.invitation:
            self.fields["email"].initial = self.invitation.email
            self.fields["email"].widget.attrs["readonly"] = True
            self.fields["email"].help_text = "The address you were invited at."

    def clean_email(self) -> str:
        email = super().clean_email()
        if self.invitation and email != self.invitation.email:
            raise ValidationError(f"Your invitation is for {self.invitation.email}.")
        return email


class ProfileForm(forms.ModelForm):
    class Meta:
        model = User
        fields = ("name",)
        labels = {"name": "Your name"}
        help_texts = {"name": "How your team sees you. Empty: the first part of your address."}


class WorkspaceForm(forms.ModelForm):
    """Name and address; nothing else of a workspace can be posted."""

    class Meta:
        model = Workspace
        fields = ("name", "slug")
        labels = {"slug": "Address"}
        error_messages = {"slug": {"unique": "This address is taken."}}
        help_texts = {
            "name": "For people: your team or company.",
            "slug": "For links: lower-case letters, digits and hyphens. A later change breaks links people have kept.",
        }

    def clean_slug(self) -> str:
        return self.cleaned_data["slug"].lower()


class InviteForm(forms.Form):
    email = forms.EmailField(label="E-mail address", max_length=254)
    role = forms.ChoiceField(choices=Role.choices, initial=Role.MEMBER)

    def __init__(self, *args: Any, owners: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        fields: dict[str, Any] = self.fields
        fields["role"].choices = role_choices(owners)


class RoleForm(forms.Form):
    role = forms.ChoiceField(choices=Role.choices)


class ConfirmForm(forms.Form):
    """Typing a word to say that one means it."""

    typed = forms.CharField(label="Confirmation", max_length=100)

    def __init__(self, *args: Any, expected: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.expected = expected
        self.fields["typed"].widget.attrs |= {"autocomplete": "off", "spellcheck": "false"}

    def clean_typed(self) -> str:
        if self.cleaned_data["typed"].strip() != self.expected:
            raise ValidationError(f"Type {self.expected} to confirm.")
        return self.expected


class TransferForm(forms.Form):
    """Who the workspace is handed to: any other member."""

    member = forms.ModelChoiceField(queryset=Membership.unscoped.none(), empty_label="Choose…")

    def __init__(self, *args: Any, workspace: Workspace, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        others = workspace.memberships.exclude(user=user).select_related("user")
        field: Any = self.fields["member"]
        field.queryset = others.order_by("user__email")
        field.label_from_instance = lambda one: f"{one.user} ({one.user.email})"


class KeyForm(forms.Form):
    DAYS = (("30", "30 days"), ("90", "90 days"), ("365", "a year"), ("", "never"))

    name = forms.CharField(max_length=100, help_text="What it is for, so that you know it later.")
    scopes = forms.MultipleChoiceField(
        choices=ApiKey.Scope.choices,
        initial=["read", "write"],
        widget=forms.CheckboxSelectMultiple,
    )
    project = forms.ChoiceField(required=False, help_text="A key for one project sees no other.")
    expires = forms.ChoiceField(choices=DAYS, initial="90", required=False)

    def __init__(self, *args: Any, workspace: Workspace, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Reached through the workspace: projects are an app above this one.
        self.projects = {str(p.pk): p for p in workspace.projects.order_by("name")}
        choices = [(pk, project.name) for pk, project in self.projects.items()]
        fields: dict[str, Any] = self.fields
        fields["project"].choices = [("", "All projects"), *choices]

    def clean_expires(self) -> datetime | None:
        days = self.cleaned_data["expires"]
        return timezone.now() + timedelta(days=int(days)) if days else None

    def clean_project(self) -> Any:
        return self.projects.get(self.cleaned_data["project"])


def role_choices(owners: bool) -> list[tuple[str, str]]:
    """The roles a person may give: an owner is made by owners alone."""
    return [choice for choice in Role.choices if owners or choice[0] != Role.OWNER]
