"""Routes inside a workspace: everything under /w/<workspace_slug>/."""

from __future__ import annotations

from django.urls import path

from frames.views import (
    anchors,
    connect,
    frame,
    home,
    import_actions,
    imports,
    now,
    project,
    redaction,
    retention,
    scoring,
    session,
    sessions,
    tasks,
    timeline,
    usage,
)

app_name = "frames"
urlpatterns = [
    path("", home.home, name="home"),
    path("projects/", home.projects, name="projects"),
    path("sessions/", sessions.sessions, name="sessions"),
    path("anchors/", anchors.anchors, name="anchors"),
    path("tasks/", tasks.tasks, name="tasks"),
    path("usage/", usage.usage, name="usage"),
    path("now/", now.now, name="now"),
    path("settings/redaction/", redaction.redaction, name="redaction"),
    path("connect/", connect.connect, name="connect"),
    path("connect/key/", connect.connect_key, name="connect-key"),
    path("connect/status/", connect.connect_status, name="connect-status"),
    path("imports/", imports.imports, name="imports"),
    path("imports/new/", import_actions.import_new, name="import-new"),
    path("imports/<uuid:transfer_id>/", imports.import_detail, name="import"),
    path("imports/<uuid:transfer_id>/progress/", imports.import_progress, name="import-progress"),
    path(
        "imports/<uuid:transfer_id>/items/<uuid:item_id>/", imports.import_item, name="import-item"
    ),
    path(
        "imports/<uuid:transfer_id>/cancellation/",
        import_actions.import_cancellation,
        name="import-cancellation",
    ),
    path("imports/<uuid:transfer_id>/retry/", import_actions.import_retry, name="import-retry"),
    path("p/<slug:project_slug>/", project.project, name="project"),
    path("p/<slug:project_slug>/scoring/", scoring.scoring, name="scoring"),
    path("p/<slug:project_slug>/retention/", retention.retention, name="retention"),
    path("f/<uuid:frame_id>/", frame.frame, name="frame"),
    path("f/<uuid:frame_id>/children/", project.children, name="frame-children"),
    path("f/<uuid:frame_id>/events/", timeline.frame_events, name="frame-events"),
    path("f/<uuid:frame_id>/events/<uuid:event_id>/", timeline.event, name="frame-event"),
    path("s/<uuid:session_id>/", session.session, name="session"),
    path("s/<uuid:session_id>/events/", session.session_events, name="session-events"),
]
