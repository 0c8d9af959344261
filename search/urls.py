"""Search inside a workspace: everything under /w/<workspace_slug>/search/."""

from __future__ import annotations

from django.urls import path

from search import context_views, views

app_name = "search"
urlpatterns = [
    path("search/", views.search, name="search"),
    path("search/saved/", views.save, name="save"),
    path("search/saved/<uuid:saved_id>/deletion/", views.forget, name="forget"),
    path("context/<uuid:bundle_id>/", context_views.context, name="context"),
    path("context/<uuid:bundle_id>/marks/", context_views.context_mark, name="context-mark"),
    path("s/<uuid:session_id>/context/", context_views.contexts, name="contexts"),
    path("s/<uuid:session_id>/context/new/", context_views.context_new, name="context-new"),
]
