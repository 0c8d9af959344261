"""What the tests of cold storage share: frames with events of months ago, and all events as one list."""

from __future__ import annotations

import uuid
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

from frames.cold import forgetting, manifest, merging, moving, reading, restoring, store
from frames.cold.container import as_event
from frames.cold.moving import archive
from frames.models import ArchivedPeriod, Event, Frame, Project
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


def in_store(objects) -> set[str]:
    return {str(p.relative_to(objects)) for p in objects.rglob("*.zip")}


def in_manifest() -> set[str]:
    return set(ArchivedPeriod.unscoped.exclude(object="").values_list("object", flat=True))


def in_step() -> bool:
    """Whether the counters of all frames are what the table and the objects say."""
    periods = ArchivedPeriod.unscoped.filter(state__in=ArchivedPeriod.HOLDING)
    held = Counter()
    for period in periods:
        held.update(restoring.counts(store.read(period)))
    every = Counter(uuid.UUID(row[FIELDS.index("frame_id")]) for row in table())
    counted = Frame.unscoped.values_list("pk", "event_count", "cold_count")
    return all((every[pk], held[pk]) == (events, cold) for pk, events, cold in counted)


class Killed(BaseException):
    pass


def killed_at(step, monkeypatch, work):
    """Run `work` and let it die at its nth door: a transaction's begin or end, the object store."""
    left = [step]

    def door():
        left[0] -= 1
        if left[0] == 0:
            raise Killed

    def guarded(inner):
        def call(*args, **kwargs):
            door()
            result = inner(*args, **kwargs)
            door()
            return result

        return call

    class Scope:
        def __init__(self):
            door()
            self.scope = real()

        def __enter__(self):
            return self.scope.__enter__()

        def __exit__(self, *told):
            self.scope.__exit__(*told)
            if told[0] is None:
                door()

    real = moving.system_scope
    with monkeypatch.context() as patched:
        for module in (moving, manifest, merging, restoring, forgetting):
            patched.setattr(module, "system_scope", Scope)
        doors = {name: guarded(getattr(store, name)) for name in ("put", "delete", "read")}
        for name, guard in doors.items():
            patched.setattr(store, name, guard)
        try:
            work()
        except Killed:
            return True
    return False
