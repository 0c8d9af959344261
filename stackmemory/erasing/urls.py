"""Routes of erasing, inside a workspace."""

from __future__ import annotations

from django.urls import path

from stackmemory.erasing import views

urlpatterns = [
    path("f/<uuid:frame_id>/erasure/", views.frame_erasure, name="frame-erasure"),
    path("s/<uuid:session_id>/erasure/", views.session_erasure, name="session-erasure"),
]
