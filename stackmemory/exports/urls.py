"""Routes of exports, inside a workspace."""

from __future__ import annotations

from django.urls import path

from stackmemory.exports import views

urlpatterns = [
    path("exports/", views.exports, name="exports"),
    path("exports/progress/", views.progress, name="exports-progress"),
    path("exports/<uuid:export_id>/file/", views.download, name="export-file"),
    path("exports/<uuid:export_id>/cancellation/", views.cancellation, name="export-cancellation"),
]
