"""Cold storage: events of months long past leave for the object store, and nothing is lost or doubled."""

from __future__ import annotations

import io
import json
from datetime import date, timedelta

import pytest
from django.core.checks import run_checks
from django.core.files.storage import storages
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from frames import partitions, retention
from frames.cold import choosing, forgetting, moving, restoring, store
from frames.cold.errors import ColdLost
from frames.digest import make_digest
from frames.ingest import append_events
from frames.models import ArchivedPeriod, Event, Frame, Project
from frames.retention import Policy
from stackmemory.archive.contents import part_named
from stackmemory.archive.rows import Reader
from tests.moving.cold import (
    ALL,
    JUNE,
    LEAVE,
    NOW,
    SAID,
    in_manifest,
    in_step,
    in_store,
    killed_at,
    make_frames,
    move,
    table,
)
from tests.pages import make_frame, make_project
from tests.stacks import closed, happen
from workspaces.models import Audit

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("objects")]
SOON = timedelta(hours=1)


@pytest.fixture
def frames(acme) -> dict[str, Frame]:
    return make_frames(acme)


def archived(workspace) -> list:
    """Frames and events as an archive of the workspace has them."""
    reader = Reader(workspace)
    named = [part_named("frames.frame"), part_named("frames.event")]
    return [row for part in named for rows in reader.chunks(part) for row in rows]


def bring_back(**options) -> int:
    return sum(restoring.restore(p) for p in ArchivedPeriod.unscoped.filter(**options))


def test_months_leave_and_hold_what_the_table_held(frames, as_application, objects, acme):
    Event.unscoped.filter(frame=frames["old"], seq=3).update(
        source={"b": 1, "a": [1.5, None]}, score=0.25, source_id="x\ty"
    )
    before, exported = table(), archived(acme)
    with as_application():
        assert move() == 64
        assert move() == 0
    assert table() == before
    assert archived(acme) == exported
    hot = {f.name: Event.unscoped.filter(frame=f).count() for f in frames.values()}
    assert hot == {"old": 0, "long": 5, "open": 33, "running": 33, "pinned": 32, "kept": 32}
    counted = dict(Frame.unscoped.values_list("name", "cold_count"))
    assert {name: n for name, n in counted.items() if n} == {"old": 32, "long": 32}
    june, july = ArchivedPeriod.unscoped.order_by("month")
    assert (june.state, june.events, july.events, july.frames) == ("cold", 62, 2, 2)
    assert storages["objects"].size(june.object) == june.bytes
    assert in_store(objects) == in_manifest()
    assert Audit.unscoped.get(action="project.archived").data["after"] == {"events": 64}
    # and back
    with as_application():
        periods = [june, july]
        assert sum(map(restoring.restore, periods)) == 64
        assert sum(map(restoring.restore, periods)) == 0
    assert table() == before
    assert Event.unscoped.count() == len(before)
    assert not Frame.unscoped.filter(cold_count__gt=0).exists()
    assert archived(acme) == exported
    # A month that came back stays for as long as one that is new; its object goes after a day.
    assert move() == 0
    assert in_store(objects) == {june.object, july.object}
    assert move(timezone.now() + timedelta(days=2)) == 0
    assert in_store(objects) == set()
    # By then nothing has come for long to the two that were open, either.
    assert move(timezone.now() + timedelta(days=31)) == 128
    assert table() == before


def test_killed_at_any_step_nothing_is_lost_or_doubled(acme, monkeypatch, objects):
    """Moving out, then bringing back, then erasing a frame: each dies at each of its steps once."""
    monkeypatch.setattr(moving, "BATCH", 4)
    monkeypatch.setattr(restoring, "BATCH", 4)
    project = make_project(acme)
    frames = [make_frame(project, **closed(started_at=JUNE)) for _ in range(2)]
    for frame in frames:
        happen(acme, frame, SAID[:3], start=JUNE)
    before, steps = table(), 0
    later = timezone.now() + SOON
    while killed_at(steps + 1, monkeypatch, move):
        steps += 1
        assert table() == before
        # The next run finds what was left; here everything is put back, for the next death.
        assert move(later) + ArchivedPeriod.unscoped.filter(state="cold").count()
        assert table() == before
        assert not Event.unscoped.exists()
        bring_back(state="cold")
        ArchivedPeriod.unscoped.all().delete()
        assert not Frame.unscoped.filter(cold_count__gt=0).exists()
    assert steps > 25
    steps = 0
    while killed_at(steps + 1, monkeypatch, bring_back):
        steps += 1
        assert table() == before
        if steps % 2:  # the clock finds it before whoever wanted it back
            assert move(later) in (0, 6)
            assert in_step()
            assert table() == before
        bring_back()
        assert table() == before
        assert Event.unscoped.count() == len(before)
        ArchivedPeriod.unscoped.all().delete()
        assert move() == 6
    assert steps > 7
    ArchivedPeriod.unscoped.all().delete()
    assert move() == 6
    old = frames[0].pk
    events = {str(pk) for pk in [row[0] for row in before if str(old) in row]}
    for step in range(1, 100):
        if not killed_at(step, monkeypatch, lambda: forgetting.forget(acme, frames=[old])):
            break
    moving.archive_everywhere(later)
    rest = [row for row in before if row[0] not in events]
    assert table() == rest
    assert in_store(objects) >= in_manifest()
    held = set().union(*(store.read(p).id_set() for p in ArchivedPeriod.unscoped.all()))
    assert len(held) == 3


def test_what_nobody_closed_leaves_when_it_has_been_still_for_long(frames, acme):
    """Agents crash: their frames stay open, and a client may keep one session for months."""
    assert move() == LEAVE
    still = Frame.unscoped.filter(name__in=("open", "running"))
    Event.unscoped.filter(frame__in=still, occurred_at__gte=NOW - timedelta(hours=1)).delete()
    still.update(last_event_at=JUNE + timedelta(days=3))
    before = table()
    assert move() == 64
    still = Frame.unscoped.get(name="open")
    assert (still.state, still.cold_count, still.event_count) == ("active", 32, 33)
    # Its agent comes back after all: what is new is in the table, and closing tells of all of it.
    happen(acme, still, [("note", {"back": 1}, 0)], start=NOW)
    assert len(table()) == len(before) + 1
    still.refresh_from_db()
    assert make_digest(still)["errors"]


def test_what_comes_late_is_there_already(frames, acme):
    before = table()
    assert move() == 64
    counters = list(Frame.unscoped.order_by("pk").values())
    for frame in frames.values():
        happen(acme, frame, SAID, start=JUNE)
    assert table() == before
    assert list(Frame.unscoped.order_by("pk").values()) == counters
    # What is new goes in, and leaves in a part of its own.
    happen(acme, frames["old"], [*SAID, ("note", {"new": 1}, 50)], start=JUNE)
    assert len(table()) == len(before) + 1
    assert Event.unscoped.filter(frame=frames["old"]).count() == 1
    assert move() == 1
    parts = ArchivedPeriod.unscoped.filter(month=date(2026, 6, 1)).order_by("part")
    assert [period.part for period in parts] == [1, 2]
    happen(acme, frames["old"], [*SAID, ("note", {"new": 1}, 50)], start=JUNE)
    assert not Event.unscoped.filter(frame=frames["old"]).exists()


def test_who_appends_now_asks_nothing(frames, acme):
    assert move() == 64
    rows = happen(acme, frames["open"], [("note", {"n": 1}, 0)], start=timezone.now())
    with CaptureQueriesContext(connection) as asked:
        append_events(workspace=acme, rows=rows)
    assert not any("archivedperiod" in query["sql"] for query in asked.captured_queries)


def test_two_at_once(frames, monkeypatch):
    """A second worker leaves a month alone that a first one is at, and what a hold or pin came for."""
    seen = []

    def meanwhile(period):
        seen.append(move())
        return read(period)

    read = store.read
    before = table()
    monkeypatch.setattr(store, "read", meanwhile)
    move()
    assert seen[0] <= 2  # July, while the first was at June
    assert table() == before
    assert not ArchivedPeriod.unscoped.exclude(state="cold").exists()
    assert ArchivedPeriod.unscoped.count() == 2


def test_a_hold_or_a_pin_that_comes_while_the_object_is_written(frames, monkeypatch, objects):
    read, before = store.read, table()
    project = Project.unscoped.get()

    def held(period):
        project.settings = {"retention": Policy(hold="a lawsuit").stored()}
        project.save()
        return read(period)

    monkeypatch.setattr(store, "read", held)
    assert move() == 0
    assert (ArchivedPeriod.unscoped.count(), in_store(objects), table()) == (0, set(), before)
    assert move() == 0
    project.settings = {"hot_days": 400}
    project.save()
    monkeypatch.setattr(store, "read", read)
    assert move() == 0
    assert (move(days=150), move(days=140)) == (0, 60 + 2 + 2)
    assert table() == before


def test_an_object_that_was_lost_or_damaged_is_named(frames, acme, objects, capsys):
    move()
    period = ArchivedPeriod.unscoped.get(month=date(2026, 6, 1))
    whole = (objects / period.object).read_bytes()
    for damaged in (whole[:-1], whole.replace(b"events-", b"Events-"), None):
        store._kept.clear()
        if damaged is None:
            (objects / period.object).unlink()
        else:
            (objects / period.object).write_bytes(damaged)
        for ask in (
            table,
            lambda: happen(acme, frames["old"], SAID, start=JUNE),
            lambda: restoring.restore(period),
            lambda: forgetting.forget(acme, frames=[frames["old"].pk]),
        ):
            with pytest.raises(ColdLost, match="June 2026") as said:
                ask()
            assert period.object in said.value.message
        with pytest.raises(SystemExit):
            call_command("verify_payloads")
        assert period.object in capsys.readouterr().err
    (objects / period.object).write_bytes(whole)
    assert len(table()) == ALL
    call_command("verify_payloads")
    assert "2 objects of cold storage, 0 missing" in capsys.readouterr().out


def test_retention_reaches_what_is_cold(frames, acme, objects, django_capture_on_commit_callbacks):
    before = table()
    assert move() == 64
    project = Project.unscoped.get()
    # On 2 July, 30 hours of June and the last event are past the edge of so many days.
    project.settings = {"retention": Policy(keep=retention.DAYS, days=141).stored()}
    project.save()
    told = retention.preview(project, Policy.of(project), NOW)
    assert retention.apply_everywhere(NOW) == told.events == 4 * 31
    left = table()
    assert len(left) == len(before) - told.events
    for frame in Frame.unscoped.all():
        mine = sorted(row for row in left if str(frame.pk) in row)
        assert frame.event_count == len(mine)
    old = Frame.unscoped.get(name="old")
    assert (old.event_count, old.cold_count, old.error_count) == (1, 1, 0)
    assert old.first_event_at == old.last_event_at == JUNE + timedelta(days=3)
    assert [p.month for p in ArchivedPeriod.unscoped.all()] == [date(2026, 7, 1)]
    assert in_store(objects) == in_manifest()
    assert retention.apply_everywhere(NOW) == 0


def test_erasing_a_session_and_a_project(frames, acme, objects):
    move()
    session = frames["old"].session_id
    assert len(forgetting.forget(acme, sessions=[session])) == 32
    old = Frame.unscoped.get(name="old")
    assert (old.event_count, old.cold_count, old.first_event_at) == (0, 0, None)
    assert Frame.unscoped.get(name="long").event_count == 37
    assert in_store(objects) == in_manifest()
    assert len(forgetting.forget(acme, project=Project.unscoped.get())) == 32
    assert in_store(objects) == in_manifest() == set()
    assert Frame.unscoped.get(name="long").event_count == 5


def test_commands(frames, monkeypatch):
    monkeypatch.setattr(timezone, "now", lambda: NOW)

    def said(name, *arguments):
        out = io.StringIO()
        call_command(name, *arguments, stdout=out)
        return out.getvalue()

    before = table()
    assert "64 events would leave" in said("archive_events", "--dry-run")
    assert Event.unscoped.count() == len(before)
    told = json.loads(said("archive_events", "--workspace", "acme", "--json"))
    assert (told["events"], len(told["objects"])) == (64, 2)
    assert "Nothing to move" in said("archive_events")
    with pytest.raises(CommandError, match="older-than has to be"):
        said("archive_events", "--older-than", "0")
    with pytest.raises(CommandError, match="no such project"):
        said("archive_events", "--workspace", "nobody")
    with pytest.raises(CommandError, match=r"as 2026-06"):
        said("restore_events", "--workspace", "acme", "--month", "June")
    assert "2 events are back" in said(
        "restore_events", "--workspace", "acme", "--month", "2026-07"
    )
    told = json.loads(said("restore_events", "--workspace", "acme", "--json"))
    assert told["events"] == 62
    assert "Nothing of it" in said("restore_events", "--workspace", "acme")
    assert Event.unscoped.count() == len(before)
    assert table() == before


@pytest.mark.parametrize(
    ("switch", "bucket", "events"),
    [("auto", "", 0), ("auto", "memory", 64), ("on", "", 64), ("off", "memory", 0)],
)
def test_by_the_clock(frames, settings, switch, bucket, events):
    settings.COLD_STORAGE, settings.OBJECTS_S3_BUCKET = switch, bucket
    assert moving.archive_everywhere(NOW) == events
    assert choosing.hot_days(Project(settings={"hot_days": "x"})) == 30
    assert "stackmemory.E003" not in {message.id for message in run_checks()}
    settings.COLD_STORAGE = "yes"
    assert "stackmemory.E003" in {message.id for message in run_checks()}


@pytest.mark.postgresql_only
def test_a_month_with_nothing_left_is_dropped_and_made_again(frames, acme, as_application):
    june, july = date(2026, 6, 1), date(2026, 7, 1)
    with as_application():
        assert not {june, july} & set(partitions.drop_empty())
    Frame.unscoped.filter(name__in=("open", "running", "pinned", "kept")).delete()
    before = table()
    assert move() == 64
    with as_application():
        assert {june, july} <= set(partitions.drop_empty())
        assert not {june, july} & partitions.existing()
        assert partitions.missing() == []
        assert partitions.drop_empty() == []
    # Brought back, or by something late, it is there again.
    period = ArchivedPeriod.unscoped.get(month=july)
    with as_application():
        assert restoring.restore(period) == 2
    assert july in partitions.existing()
    rows = happen(acme, frames["old"], [("note", {}, 900)], start=JUNE)
    assert june in partitions.existing()
    assert len(table()) == len(before) + len(rows)
