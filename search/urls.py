"""Search inside a workspace: everything under /w/<workspace_slug>/search/."""

from __future__ import annotations

from django.urls import path

from search import views

app_name = "search"
urlpatterns = [
    path("search/", views.search, name="search"),
    path("search/saved/", views.save, name="save"),
    path("search/saved/<uuid:saved_id>/deletion/", views.forget, name="forget"),
]
