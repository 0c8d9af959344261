"""Routes of erasing, inside a workspace."""

from __future__ import annotations

from django.urls import path

from stackmemory.erasing import person_views, views

urlpatterns = [
    path("f/<uuid:frame_id>/erasure/", views.frame_erasure, name="frame-erasure"),
    path(
        "members/<uuid:membership_id>/erasure/", person_views.member_erasure, name="member-erasure"
    ),
    path("s/<uuid:session_id>/erasure/", views.session_erasure, name="session-erasure"),
]
