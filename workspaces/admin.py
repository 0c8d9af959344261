"""The operators' admin: people, workspaces, and who may do what in them."""

from __future__ import annotations

from typing import Any

from allauth.account.models import EmailAddress
from django import forms
from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.forms import AdminUserCreationForm
from django.db import models
from django.http import HttpRequest

from workspaces.models import (
    ApiKey,
    AttemptLimit,
    Audit,
    AuditHead,
    Bucket,
    History,
    IdempotencyKey,
    Invitation,
    Limit,
    LoginAttempts,
    LoginPlace,
    Membership,
    News,
    PlanLimit,
    Pulse,
    Spending,
    Usage,
    User,
    Workspace,
)
from workspaces.operators import BoundedPaginator, OperatorAdmin

admin.site.site_header = admin.site.site_title = "StackMemory for operators"
admin.site.index_title = "Everything in this installation"


class NewUserForm(AdminUserCreationForm):
    class Meta:
        model = User
        fields = ("email", "name")

    def clean_email(self) -> str:
        return str(self.cleaned_data["email"]).strip().lower()


@admin.register(User)
class UserAdmin(DjangoUserAdmin):
    """Accounts are switched off, not deleted: what they did keeps their name."""

    add_form = NewUserForm
    paginator = BoundedPaginator
    show_full_result_count = False
    ordering = ("email",)
    list_display = ("email", "name", "is_active", "is_staff", "is_superuser", "last_login")
    list_filter = ("is_active", "is_staff", "is_superuser")
    search_fields = ("email", "name")
    readonly_fields = ("id", "last_login", "date_joined")
    fieldsets = (
        (None, {"fields": ("id", "email", "password")}),
        ("Person", {"fields": ("name",)}),
        (
            "May",
            {"fields": ("is_active", "is_staff", "is_superuser", "groups", "user_permissions")},
        ),
        ("Times", {"fields": ("last_login", "date_joined")}),
    )
    add_fieldsets = (
        (
            None,
            {
                "classes": ("wide",),
                "fields": ("email", "name", "usable_password", "password1", "password2"),
            },
        ),
    )

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if not change:  # an operator's word that the address is theirs
            EmailAddress.objects.create(user=obj, email=obj.email, primary=True, verified=True)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Workspace)
class WorkspaceAdmin(OperatorAdmin):
    changeable = ("plan",)
    list_display = ("slug", "name", "plan", "created_at", "deleted_at", "erased_at")
    list_select_related = ()
    search_help_text = "An id or an address."

    def in_workspace(
        self, queryset: models.QuerySet[Workspace], slug: str, source_id: str = ""
    ) -> models.QuerySet[Workspace]:
        return queryset.filter(slug=slug)


class MembershipForm(forms.ModelForm):
    def clean_role(self) -> str:
        """A workspace keeps an owner, whoever changes the role."""
        role, member = str(self.cleaned_data["role"]), self.instance
        owners = Membership.objects.in_workspace(member.workspace).filter(role="owner")
        if member.role == "owner" != role and not owners.exclude(pk=member.pk).exists():
            raise forms.ValidationError("Make somebody else an owner first.")
        return role


@admin.register(Membership)
class MembershipAdmin(OperatorAdmin):
    form = MembershipForm
    changeable = ("role",)
    list_display = ("user", "workspace", "role", "last_seen_at")
    list_select_related = ("workspace", "user")
    list_filter = ("role",)


@admin.register(Invitation)
class InvitationAdmin(OperatorAdmin):
    hidden = ("token_digest",)
    list_display = ("email", "workspace", "role", "sent_at", "expires_at", "accepted_at")


@admin.register(ApiKey)
class ApiKeyAdmin(OperatorAdmin):
    hidden = ("digest",)
    list_display = ("name", "shown", "workspace", "scopes", "expires_at", "revoked_at")


@admin.register(Audit)
class AuditAdmin(OperatorAdmin):
    hidden = ("salt",)
    large = ("details",)
    list_display = ("seq", "action", "workspace", "created_at", "actor_id")


@admin.register(AuditHead)
class AuditHeadAdmin(OperatorAdmin):
    list_display = ("workspace", "seq", "hash")


@admin.register(Usage)
class UsageAdmin(OperatorAdmin):
    list_display = ("day", "kind", "amount", "workspace", "project_id")
    list_filter = ("kind",)


@admin.register(LoginPlace)
class LoginPlaceAdmin(OperatorAdmin):
    list_display = ("user", "first_at", "last_at")
    list_select_related = ("user",)
    search_fields = ()


@admin.register(PlanLimit)
class PlanLimitAdmin(OperatorAdmin):
    theirs = ("plan", "name")
    changeable = ("amount",)
    list_display = ("plan", "name", "amount")
    list_select_related = ()
    search_fields = ()


@admin.register(Limit)
class LimitAdmin(OperatorAdmin):
    theirs = ("workspace", "name")
    changeable = ("amount",)
    raw_id_fields = ("workspace",)
    list_display = ("workspace", "name", "amount")


@admin.register(Spending)
class SpendingAdmin(OperatorAdmin):
    list_display = ("workspace", "name", "period", "amount")


@admin.register(Bucket)
class BucketAdmin(OperatorAdmin):
    list_display = ("subject", "full_at")
    list_select_related = ()
    ordering = ("subject",)


@admin.register(IdempotencyKey)
class IdempotencyKeyAdmin(OperatorAdmin):
    large = ("body",)
    list_display = ("name", "workspace", "status", "created_at")


@admin.register(AttemptLimit)
class AttemptLimitAdmin(OperatorAdmin):
    changeable = ("amount", "seconds")
    list_display = ("name", "amount", "seconds")
    list_select_related = ()
    ordering = ("name",)
    search_fields = ()


@admin.register(LoginAttempts)
class LoginAttemptsAdmin(OperatorAdmin):
    ordering = ("-since",)
    list_display = ("subject", "since", "count")
    list_select_related = ()
    search_fields = ()


@admin.register(News)
class NewsAdmin(OperatorAdmin):
    ordering = ("-position",)
    list_display = ("position", "kind", "what", "count", "workspace", "created_at")


@admin.register(Pulse)
class PulseAdmin(OperatorAdmin):
    list_display = ("minute", "ms", "amount", "failures", "workspace")


@admin.register(History)
class HistoryAdmin(OperatorAdmin):
    list_display = ("at", "span", "name", "amount", "project_id", "workspace")
