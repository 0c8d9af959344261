"""Every route, assembled."""

from allauth.account.decorators import secure_admin_login
from django.contrib import admin
from django.urls import include, path

from stackmemory.api import urls as api_urls
from stackmemory.connect import command, hook_script
from stackmemory.erasing.person_views import account_erasure
from stackmemory.exports.account import account_data
from stackmemory.live.views import page_stream
from stackmemory.mcp.views import endpoint as mcp
from stackmemory.operations_page import operations

# Operators log in where everybody does: with throttling and the second factor.
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]

urlpatterns = [
    path("account/data/", account_data, name="account-data"),
    path("account/erasure/", account_erasure, name="account-erasure"),
    path("account/", include("allauth.urls")),
    path("admin/operations/", admin.site.admin_view(operations), name="operations"),
    path("admin/", admin.site.urls),
    path("api/v1/", api_urls()),
    path("connect/stackmemory-hook.py", hook_script, name="hook-script"),
    path("connect/stackmemory.pyz", command, name="command"),
    path("mcp", mcp, name="mcp"),
    path("mcp/<slug:project>", mcp, name="mcp-project"),
    path("", include("stackmemory.arrivals.urls")),
    path("", include("workspaces.urls")),
    path("w/<slug:workspace_slug>/stream", page_stream, name="stream"),
    path("w/<slug:workspace_slug>/", include("stackmemory.exports.urls")),
    path("w/<slug:workspace_slug>/", include("stackmemory.erasing.urls")),
    path("w/<slug:workspace_slug>/", include("frames.urls")),
    path("w/<slug:workspace_slug>/", include("search.urls")),
]
