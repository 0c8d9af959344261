"""The stream for programs: `GET /api/v1/stream`, by key."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja import Query, Router

from frames.reach import find_project
from stackmemory.lib.contract import actor_of
from stackmemory.lib.operations import permits
from stackmemory.live.passes import Pass
from stackmemory.live.stream import stream
from workspaces.actor import Actor

router = Router(tags=["Live"])
ANSWER: dict[str, Any] = {
    "responses": {
        "200": {
            "description": "Server-sent events, until either side ends them. Each message is one"
            " line of JSON: `kind` (frame, event, anchor, task, session, hand_off, project,"
            " import), `what` was done, the `ids` it was done to (the first 50 of `count`), their"
            " `project`, the `frame` they belong to or hang below, and `at`. Named events:"
            " `ready` at the beginning, `beat` every 15 seconds, `reset` when too much was missed"
            " (look at everything anew), `ended` when the key may no longer read, `bye` when the"
            " server stops (come back).",
            "content": {"text/event-stream": {"schema": {"type": "string"}}},
        },
        "204": {"description": "This server cannot stream; ask again later, or poll."},
    }
}


@router.get("/stream", summary="Follow what happens", openapi_extra=ANSWER)
@permits("read")
def follow(
    request: HttpRequest,
    project: str = Query("", description="Only of this project: its slug or id."),
    since: str = Query(
        "",
        max_length=30,
        description="The id of the last message you got, as `Last-Event-ID` would say it. What"
        " happened since is told first; it is kept for a day.",
    ),
) -> Any:
    """What is done in the workspace, as it is done, in the order of commits; ids only."""
    actor: Actor = actor_of(request)
    only = find_project(actor, project).pk if project else None
    return stream(
        request,
        Pass(
            actor.workspace.pk,
            key=actor.key.pk if actor.key else None,
            person=actor.user.pk if actor.user else None,
            bound_to=actor.project_id,
            only=only,
        ),
    )
