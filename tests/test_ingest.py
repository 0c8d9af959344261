"""Appending events is idempotent and keeps the counters."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from frames import partitions
from frames.ingest import NewEvent, append_events, event_id
from frames.models import Activity, Event, Frame, Project
from stackmemory.lib.uuid7 import uuid7

AT = datetime(2026, 3, 5, 10, 30, tzinfo=UTC)


@pytest.fixture
def frame(acme):
    project = Project.unscoped.create(workspace=acme, slug="p", name="P")
    frame_id = uuid7()
    return Frame.unscoped.create(
        id=frame_id, root_id=frame_id, workspace=acme, project=project, name="work"
    )


def new_event(workspace, frame, number, **fields):
    return NewEvent(
        id=event_id(workspace, f"e{number}", AT, number),
        project_id=frame.project_id,
        frame_id=frame.id,
        session_id=None,
        type="observation",
        occurred_at=AT,
        seq=number,
        source_id=f"e{number}",
        **fields,
    )


def test_replayed_batch_adds_nothing(acme, frame):
    partitions.ensure([partitions.month_of(AT)])
    batch = [new_event(acme, frame, n, is_error=n == 2) for n in range(5)]
    assert len(append_events(workspace=acme, rows=batch)) == 5
    assert append_events(workspace=acme, rows=batch) == set()
    more = [*batch, new_event(acme, frame, 5), new_event(acme, frame, 5)]
    assert len(append_events(workspace=acme, rows=more)) == 1
    frame.refresh_from_db()
    assert (frame.event_count, frame.error_count, frame.last_event_at) == (6, 1, AT)
    assert Event.objects.in_workspace(acme).count() == 6
    hour = Activity.objects.in_workspace(acme).get()
    assert (hour.events, hour.errors) == (6, 1)


def test_text_comes_back_as_it_was(acme, frame):
    partitions.ensure([partitions.month_of(AT)])
    payload = '{"b":1,"a":"\\u0000 \\ud800","b":1.10}'
    append_events(
        workspace=acme, rows=[new_event(acme, frame, 1, payload=payload, source='{"z":1,"a":2}')]
    )
    event = Event.objects.in_workspace(acme).get()
    assert event.payload == payload
    assert list(event.source) == ["z", "a"]
    assert event.id == event_id(acme, "e1", AT, 1)


HOSTILE = [
    "NULL",
    "null",
    "",
    "{a,b}",
    'say "x"',
    "back\\slash \\N \\t",
    "a\tb\nc\r",
    "é ☃ 🐛",
    "%s %%",
    "'",
]


@pytest.mark.parametrize("fillers", [0, 2100], ids=["at once", "staged"])
def test_any_text_comes_back_however_many_rows_there_are(acme, frame, fillers):
    partitions.ensure([partitions.month_of(AT)])
    rows = [
        new_event(acme, frame, n, payload=text, tool=text, score=n / 3 if n % 2 else None)
        for n, text in enumerate([*HOSTILE, *["x"] * fillers])
    ]
    assert len(append_events(workspace=acme, rows=rows)) == len(rows)
    found = Event.objects.in_workspace(acme).order_by("seq")[: len(HOSTILE)]
    assert [(e.payload, e.tool) for e in found] == [(text, text) for text in HOSTILE]
    assert [e.score for e in found] == [n / 3 if n % 2 else None for n in range(len(HOSTILE))]


def test_hours_are_those_of_utc(acme, frame):
    early = datetime(2026, 3, 5, 10, 10, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    partitions.ensure([partitions.month_of(AT)])
    rows = [replace(new_event(acme, frame, 1), occurred_at=early), new_event(acme, frame, 2)]
    append_events(workspace=acme, rows=rows)
    hours = Activity.objects.in_workspace(acme).order_by("hour").values_list("hour", "events")
    assert [(f"{hour:%H:%M}", number) for hour, number in hours] == [("04:00", 1), ("10:00", 1)]
