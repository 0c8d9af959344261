"""What the tests of cold storage share: frames with events of months ago, and all events as one list."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from frames.cold import reading
from frames.cold.container import as_event
from frames.cold.moving import archive
from frames.models import Event, Frame, Project
from stackmemory.lib.tenancy import system_scope
from tests.pages import make_anchor, make_frame, make_project, make_session
from tests.stacks import closed, happen
from workspaces.models import Workspace

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
JUNE = datetime(2026, 6, 29, 12, 0, tzinfo=UTC)
SAID = [
    *(("note", {"text": f"said “{n}” · \u2028"}, n // 3) for n in range(30)),
    ("error", "no { json \\", 40),
    ("note", {"text": "x" * 3_000}, 3 * 86_400),  # in July
]
LATER = [("note", {"n": n}, n) for n in range(5)]
ALL, LEAVE = 6 * 32 + 5 + 2, 2 * 32
FIELDS = [field.attname for field in Event._meta.concrete_fields]


def make_frames(workspace: Workspace) -> dict[str, Frame]:
    """Frames with 32 events of June and July; some may not leave. Today "long" has had five more, and
    one came to each in which something goes on."""
    project = make_project(workspace)
    over = make_session(project, ended_at=JUNE)
    made = {
        "old": make_frame(project, name="old", session=over, **closed(started_at=JUNE)),
        "long": make_frame(project, name="long", **closed(started_at=JUNE)),
        "open": make_frame(project, name="open", started_at=JUNE),
        "running": make_frame(
            project, name="running", session=make_session(project), **closed(started_at=JUNE)
        ),
        "pinned": make_frame(project, name="pinned", **closed(started_at=JUNE)),
        "kept": make_frame(
            project, name="kept", retention="keep_forever", **closed(started_at=JUNE)
        ),
    }
    for frame in made.values():
        happen(workspace, frame, SAID, start=JUNE)
    happen(workspace, made["long"], LATER, start=NOW - timedelta(hours=1))
    for name in ("open", "running"):
        happen(workspace, made[name], LATER[:1], start=NOW - timedelta(hours=1))
    make_anchor(project, frame=made["pinned"], pinned=True)
    return made


def table() -> list[tuple[Any, ...]]:
    """Every event there is, from the table or from objects, each once."""
    rows = {event.pk: event for event in Event.unscoped.all()}
    for frame in Frame.unscoped.all():
        for row in reading.of_frames(frame.workspace_id, [frame.pk]):
            event = as_event(row, frame.workspace_id)
            assert plain(rows.setdefault(event.pk, event)) == plain(event)
    return sorted(map(plain, rows.values()))


def plain(event: Event) -> tuple[Any, ...]:
    return tuple(str(getattr(event, name)) for name in FIELDS)


def move(now: datetime = NOW, **options: Any) -> int:
    with system_scope():
        projects = list(Project.unscoped.select_related("workspace"))
    return sum(m.events for project in projects for m in archive(project, now=now, **options))
