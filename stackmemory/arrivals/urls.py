"""Routes of archives that people bring in."""

from __future__ import annotations

from django.urls import path

from stackmemory.arrivals import views

urlpatterns = [
    path("workspaces/import/", views.arrivals, name="arrivals"),
    path("workspaces/import/progress/", views.progress, name="arrivals-progress"),
    path(
        "workspaces/import/<uuid:arrival_id>/cancellation/",
        views.cancellation,
        name="arrival-cancellation",
    ),
]
