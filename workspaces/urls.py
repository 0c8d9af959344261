"""Routes about people and workspaces themselves."""

from __future__ import annotations

from django.urls import include, path

from workspaces.views import account, audit, invitation, keys, members, settings, start

app_name = "workspaces"

inside = [
    path("settings/", settings.settings, name="settings"),
    path("settings/leave/", settings.leave, name="leave"),
    path("settings/transfer/", settings.transfer, name="transfer"),
    path("settings/delete/", settings.delete, name="delete"),
    path("members/", members.member_list, name="members"),
    path("members/<uuid:membership_id>/role/", members.role, name="member-role"),
    path("members/<uuid:membership_id>/remove/", members.remove, name="member-remove"),
    path("invitations/", members.invite, name="invite"),
    path(
        "invitations/<uuid:invitation_id>/resend/",
        members.invitation_resend,
        name="invitation-resend",
    ),
    path(
        "invitations/<uuid:invitation_id>/revoke/",
        members.invitation_revoke,
        name="invitation-revoke",
    ),
    path("keys/", keys.key_list, name="keys"),
    path("keys/new/", keys.create, name="key-create"),
    path("keys/<uuid:key_id>/rotate/", keys.rotate, name="key-rotate"),
    path("keys/<uuid:key_id>/revoke/", keys.revoke, name="key-revoke"),
    path("audit/", audit.log, name="audit"),
    path("audit/export/", audit.export, name="audit-export"),
]

urlpatterns = [
    path("", start.start, name="start"),
    path("workspaces/", start.workspace_list, name="list"),
    path("workspaces/new/", start.new, name="new"),
    path("workspaces/<uuid:workspace_id>/restore/", start.restore, name="restore"),
    path("account/", account.profile, name="account"),
    path("account/sessions/<int:session_id>/end/", account.session_end, name="session-end"),
    path("invitations/<str:token>/", invitation.invitation, name="invitation"),
    path("w/<slug:workspace_slug>/", include(inside)),
]
