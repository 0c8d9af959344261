"""Every route, assembled."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("w/<slug:workspace_slug>/", include("frames.urls")),
    path("", include("workspaces.urls")),
]
