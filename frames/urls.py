"""Routes inside a workspace: everything under /w/<workspace_slug>/."""

from __future__ import annotations

from django.urls import path

app_name = "frames"
urlpatterns: list = []
