"""Routes inside a workspace: everything under /w/<workspace_slug>/."""

from __future__ import annotations

from django.urls import path

from frames.views import (
    anchors,
    home,
    import_actions,
    imports,
    sessions,
    tasks,
)

app_name = "frames"
urlpatterns = [
    path("", home.home, name="home"),
    path("projects/", home.projects, name="projects"),
    path("sessions/", sessions.sessions, name="sessions"),
    path("anchors/", anchors.anchors, name="anchors"),
    path("tasks/", tasks.tasks, name="tasks"),
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
]
