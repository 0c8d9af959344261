"""Routes about people and workspaces themselves."""

from __future__ import annotations

from django.urls import path

app_name = "workspaces"
urlpatterns: list = []
