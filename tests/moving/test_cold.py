"""Cold storage: events of months long past leave for the object store, and nothing is lost or doubled."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.core.files.storage import storages
from django.core.management import call_command

from frames.cold import moving, reading, store
from frames.cold.moving import archive
from frames.models import ArchivedPeriod, Event, Frame, Project
from stackmemory.lib.tenancy import system_scope
from tests.pages import make_anchor, make_frame, make_project, make_session
from tests.stacks import closed, happen

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
JUNE = datetime(2026, 6, 29, 12, 0, tzinfo=UTC)
SAID = [("note", {"text": f"said “{n}” · \u2028"}, n // 3) for n in range(30)] + [
    ("error", "no { json \\", 40),
    ("note", {"text": "x" * 3_000}, 3 * 86_400),
]
LATER = [("note", {"n": n}, n) for n in range(5)]


@pytest.fixture(autouse=True)
def objects(settings, tmp_path):
    settings.STORAGES = settings.STORAGES | {
        "objects": {
            "BACKEND": "stackmemory.lib.objects.Folder",
            "OPTIONS": {"location": str(tmp_path / "objects")},
        }
    }
    store._kept.clear()
    return tmp_path / "objects"


@pytest.fixture
def frames(acme) -> dict[str, Frame]:
    """Frames with 32 events of June and July, and five of today; some may not leave."""
    project = make_project(acme)
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
        happen(acme, frame, SAID, start=JUNE)
    happen(acme, made["long"], LATER, start=NOW - timedelta(hours=1))
    make_anchor(project, frame=made["pinned"], pinned=True)
    return made


def table() -> list[tuple]:
    """Every event there is, from the table or from objects, as one row each."""
    fields = [f.attname for f in Event._meta.concrete_fields]
    rows = {e.pk: e for e in Event.unscoped.all()}
    frames = Frame.unscoped.all()
    for frame in frames:
        for row in reading.of_frames(frame.workspace_id, [frame.pk]):
            event = store_event(row, frame.workspace_id)
            assert rows.setdefault(event.pk, event).payload == event.payload
    return sorted([tuple(getattr(e, f) for f in fields) for e in rows.values()], key=lambda r: r[0])


def store_event(row, workspace_id):
    from frames.cold.container import as_event

    return as_event(row, workspace_id)


def move(**options) -> int:
    with system_scope():
        projects = list(Project.unscoped.select_related("workspace"))
    return sum(m.events for project in projects for m in archive(project, now=NOW, **options))


def objects_there() -> set[str]:
    return set(ArchivedPeriod.unscoped.values_list("object", flat=True))


def test_months_leave_and_hold_what_the_table_held(frames, as_application):
    before = table()
    Event.unscoped.filter(frame=frames["old"], seq=3).update(source={"b": 1, "a": [1.5, None]})
    before = table()
    with as_application():
        assert move() == 64
        assert move() == 0
    assert table() == before
    hot = {f.name: Event.unscoped.filter(frame=f).count() for f in frames.values()}
    assert hot == {"old": 0, "long": 5, "open": 32, "running": 32, "pinned": 32, "kept": 32}
    counted = dict(Frame.unscoped.values_list("name", "cold_count"))
    assert {name: n for name, n in counted.items() if n} == {"old": 32, "long": 32}
    june, july = ArchivedPeriod.unscoped.order_by("month")
    assert (june.state, june.events, july.events, july.frames) == ("cold", 62, 2, 2)
    assert storages["objects"].size(june.object) == june.bytes
