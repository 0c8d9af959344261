"""Small objects of a month become one: nothing is lost or doubled, whoever comes between."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.core.files.storage import storages
from django.core.management import CommandError, call_command
from django.utils import timezone

from frames import retention, usage
from frames.cold import forgetting, merging, restoring, store
from frames.cold.errors import ColdLost
from frames.models import ArchivedPeriod, Event, Frame, Project
from tests.moving.cold import (
    JUNE,
    SAID,
    in_manifest,
    in_step,
    in_store,
    killed_at,
    move,
    table,
)
from tests.pages import make_frame, make_project
from tests.stacks import closed, happen
from workspaces.models import Audit

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("objects")]
SOON = timedelta(hours=1)


@pytest.fixture
def crumbs(acme, monkeypatch) -> Frame:
    """A closed frame whose June lies in six objects of one event each."""
    monkeypatch.setattr(merging, "FEW", 9)
    frame = make_frame(make_project(acme), **closed(started_at=JUNE))
    for n in range(6):
        happen(acme, frame, [("note", {"n": n}, n)], start=JUNE - timedelta(hours=n))
        assert move() == 1
    monkeypatch.undo()
    assert ArchivedPeriod.unscoped.count() == 6
    return frame


def test_small_objects_of_a_month_become_one(crumbs, acme, monkeypatch, objects):
    """Dying at each step, then in peace."""
    before, later = table(), timezone.now() + SOON
    for step in range(1, 100):
        if not killed_at(step, monkeypatch, move):
            break
        assert table() == before
        assert in_step()
        with monkeypatch.context() as patched:
            patched.setattr(merging, "FEW", 9)
            move(later)
        assert in_store(objects) == in_manifest()
        if ArchivedPeriod.unscoped.filter(state="replaced").exists():
            break
    assert step > 12
    move()
    one = ArchivedPeriod.unscoped.get(state="cold")
    assert (one.events, one.frames, one.part, ArchivedPeriod.unscoped.count()) == (6, 1, 7, 7)
    assert in_step()
    store._kept.clear()
    assert table() == before
    assert {name for name, _ in store._kept} == {one.object}
    # Who began to read the small ones had a day for it.
    assert len(in_store(objects)) == 7
    move(timezone.now() + timedelta(days=2))
    assert in_store(objects) == in_manifest() == {one.object}
    assert (ArchivedPeriod.unscoped.count(), table() == before) == (1, True)


def test_small_objects_are_brought_back_while_they_become_one(crumbs, monkeypatch):
    """Whichever comes first, the other sees it; an event is never in two objects that count."""
    before, read, back = table(), store.read, []
    small = list(ArchivedPeriod.unscoped.order_by("part"))

    def meanwhile(period):
        if not back:
            back.append(small[2])
            restoring.restore(small[2])
        return read(period)

    with monkeypatch.context() as patched:
        patched.setattr(store, "read", meanwhile)
        assert merging.merge(Project.unscoped.get()) == 0
    assert (Event.unscoped.count(), table() == before, in_step()) == (1, True, True)
    assert merging.merge(Project.unscoped.get()) == 5
    # Asked of one that is replaced, what came in its place is brought back.
    assert restoring.restore(small[0]) == 5
    assert (Event.unscoped.count(), table() == before, in_step()) == (6, True, True)


def test_what_is_lost_for_good_is_given_up(crumbs, acme, objects, capsys, monkeypatch):
    """Nothing else of the month is stuck behind it any more."""
    rest = [row for row in table() if '{"n": 2}' not in row]
    call_command("restore_events", "--workspace", "acme", "--give-up-lost")
    assert "can be read" in capsys.readouterr().out
    period = ArchivedPeriod.unscoped.order_by("part")[2]
    (objects / period.object).write_bytes(b"damaged")
    store._kept.clear()
    assert retention.apply_everywhere() == 0
    usage.measure_all()
    with monkeypatch.context() as patched:
        patched.setattr(storages["objects"], "open", lambda *a: 1 / 0)
        with pytest.raises(CommandError, match="cannot be read"):
            call_command("restore_events", "--workspace", "acme", "--give-up-lost")
    assert ArchivedPeriod.unscoped.count() == 6, "nothing is given up where the store is silent"
    with pytest.raises(ColdLost):
        table()
    call_command("restore_events", "--workspace", "acme", "--give-up-lost", "--json")
    told = json.loads(capsys.readouterr().out)
    assert (told["events"], [each["object"] for each in told["objects"]]) == (1, [period.object])
    assert (table() == rest, in_step(), in_store(objects) == in_manifest()) == (True, True, True)
    assert Audit.unscoped.get(action="project.lost").data["after"]["events"] == 1


def test_erasing_reaches_what_small_objects_became_meanwhile(crumbs, acme, monkeypatch, objects):
    other = make_frame(Project.unscoped.get(), **closed(started_at=JUNE))
    happen(acme, other, SAID[:3], start=JUNE)
    with monkeypatch.context() as patched:
        patched.setattr(merging, "FEW", 9)
        assert move() == 3
    read, done = store.read, []

    def first(period):
        if not done:
            done.append(0)
            done[0] = merging.merge(Project.unscoped.get())
        return read(period)

    monkeypatch.setattr(store, "read", first)
    assert len(forgetting.forget(acme, frames=[crumbs.pk])) == 6
    assert done == [7]
    assert (len(table()), in_store(objects)) == (3, in_manifest())
    for period in ArchivedPeriod.unscoped.all():
        assert crumbs.pk not in read(period).frames
    # One that waits to be deleted, and is gone already, holds nobody up.
    ArchivedPeriod.unscoped.create(
        workspace=acme,
        project=other.project,
        month="2026-06-01",
        part=90,
        state="replaced",
        object="cold/gone",
    )
    assert len(forgetting.forget(acme, frames=[other.pk])) == 3
