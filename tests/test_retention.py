"""Events age: what goes by a project's setting, what stays whatever it says, and that it is said first."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse

from frames import retention
from frames.models import Event, Frame, Project
from frames.retention import DAYS, DIGEST, Policy, apply_everywhere, preview
from search.indexing import reindex
from search.models import Document
from tests.pages import few_queries, make_anchor, make_frame, make_project
from tests.stacks import NOON, closed, happen
from workspaces.models import Audit

pytestmark = pytest.mark.django_db
OLD = NOON - timedelta(days=40)
SAID = [("note", {"text": "said"}, 0), ("error", {"text": "broke"}, 1), ("note", {"text": "x"}, 2)]


@pytest.fixture
def frames(acme):
    """Frames with three events of 40 days ago, and three of today where the name says so."""
    project = make_project(acme)
    made = {
        "old": make_frame(project, name="old", **closed(started_at=OLD), digest_text="What it was"),
        "both": make_frame(project, name="both", started_at=OLD),
        "undigested": make_frame(project, name="undigested", **closed(started_at=OLD)),
        "pinned": make_frame(project, name="pinned", **closed(started_at=OLD), digest_text="Kept"),
        "kept": make_frame(project, name="kept", started_at=OLD, retention="keep_forever"),
        "new": make_frame(project, name="new", **closed(), digest_text="Now"),
    }
    for name, frame in made.items():
        if name != "new":
            happen(acme, frame, SAID, start=OLD)
        if name in ("both", "new"):
            happen(acme, frame, SAID, start=NOON)
    make_anchor(project, frame=made["pinned"], pinned=True)
    make_anchor(project, frame=made["old"], pinned=False)
    return made


def left(frames) -> dict[str, int]:
    found = Frame.unscoped.filter(pk__in=[frame.pk for frame in frames.values()])
    counted = {frame.name: frame.event_count for frame in found}
    for frame in found:
        events = Event.unscoped.filter(frame=frame)
        assert events.count() == frame.event_count
        assert events.filter(is_error=True).count() == frame.error_count
        times = [row.occurred_at for row in events.order_by("occurred_at")]
        assert (frame.first_event_at, frame.last_event_at) == (
            (times[0], times[-1]) if times else (None, None)
        )
    return counted


def put(project_or_frames, **policy) -> Project:
    project = Project.unscoped.get()
    project.settings = {"other": 1, "retention": Policy(**policy).stored()}
    project.save()
    return project


def test_for_so_many_days(
    frames, acme, as_application, monkeypatch, django_capture_on_commit_callbacks
):
    """In small steps; search forgets with them; a second run finds nothing; appending goes on."""
    monkeypatch.setattr(retention, "BATCH", 2)
    reindex(workspace=acme)
    assert Document.unscoped.filter(kind="event").count() > 15
    project = put(frames, keep=DAYS, days=30)
    with few_queries(4):
        told = preview(project, Policy.of(project), NOON)
    assert (told.frames, told.events, told.staying, told.oldest) == (3, 9, 2, OLD)
    with as_application(), django_capture_on_commit_callbacks(execute=True):
        assert apply_everywhere(NOON) == 9
    after = {"old": 0, "both": 3, "undigested": 0, "pinned": 3, "kept": 3, "new": 3}
    assert left(frames) == after
    documents = set(Document.unscoped.filter(kind="event").values_list("object_id", flat=True))
    assert documents == set(Event.unscoped.values_list("pk", flat=True))
    assert Frame.unscoped.get(name="old").digest_text == "What it was"
    assert Audit.unscoped.get(action="project.aged").data["after"] == {"events": 9}
    assert preview(project, Policy.of(project), NOON).events == 0
    assert apply_everywhere(NOON) == 0
    # Brought again by a late import, they are there once and counted once, and go again.
    happen(acme, frames["old"], SAID, start=OLD)
    happen(acme, frames["old"], SAID, start=OLD)
    assert left(frames)["old"] == 3
    assert apply_everywhere(NOON) == 3
    assert left(frames) == after


def test_until_there_is_a_digest(frames):
    project = put(frames, keep=DIGEST, days=1)
    told = preview(project, Policy.of(project), NOON)
    assert (told.frames, told.events, told.staying) == (1, 3, 1)
    assert apply_everywhere(NOON) == 3
    stays = {"old": 0, "both": 6, "undigested": 3, "pinned": 3, "kept": 3, "new": 3}
    assert left(frames) == stays
    assert apply_everywhere(NOON + timedelta(days=2)) == 3
    assert left(frames) == stays | {"new": 0}


def test_what_weighs_little_goes_sooner(frames):
    """Closed frames below the score by fewer days; each event is counted once in the preview."""
    Frame.unscoped.filter(name__in=("old", "both", "undigested")).update(score=0.2)
    Frame.unscoped.filter(name="old").update(score=0.9)
    Frame.unscoped.filter(name="both").update(closed_at=NOON)
    weak = {"below": 0.5, "early": 30}
    project = put(frames, keep=DAYS, days=60, **weak)
    for policy, frames_, events in (
        ({"days": 60} | weak, 2, 6),  # the weak ones' old events
        ({"days": 39} | weak, 3, 9),  # the strong one's, too
        ({"days": 60, "below": 0.1}, 0, 0),
        ({"days": 60}, 0, 0),
    ):
        with few_queries(5):
            told = preview(project, Policy(keep=DAYS, **policy), NOON)
        assert (told.frames, told.events) == (frames_, events), policy
    assert apply_everywhere(NOON) == 6
    after = {"old": 3, "both": 3, "undigested": 0, "pinned": 3, "kept": 3, "new": 3}
    assert left(frames) == after
    put(frames, keep=DIGEST, days=60, below=0.95, early=30)
    assert apply_everywhere(NOON) == 3
    assert left(frames) == after | {"old": 0}


def test_a_hold_holds_also_while_it_runs(frames, monkeypatch):
    before = left(frames)
    project = put(frames, keep=DAYS, days=1, hold="Case 7")
    assert preview(project, Policy.of(project), NOON).events == 0
    assert apply_everywhere(NOON) == 0
    assert left(frames) == before
    put(frames, keep=DAYS, days=1)
    plain = retention._shorten

    def held_meanwhile(*given):
        put(frames, keep=DAYS, days=1, hold="Case 8")
        return plain(*given)

    monkeypatch.setattr(retention, "_shorten", held_meanwhile)
    assert apply_everywhere(NOON) == 3, "one frame went before the hold"
    assert sum(left(frames).values()) == sum(before.values()) - 3


def test_killed_it_is_run_again(frames, monkeypatch):
    put(frames, keep=DAYS, days=30)
    monkeypatch.setattr(retention, "BATCH", 2)
    plain, calls = retention.changed, []

    def killed(*given, **named):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        plain(*given, **named)

    monkeypatch.setattr(retention, "changed", killed)
    with pytest.raises(KeyboardInterrupt):
        apply_everywhere(NOON)
    assert sum(left(frames).values()) == 21 - 2 - 1  # two batches; the third was taken back
    apply_everywhere(NOON)
    assert sum(left(frames).values()) == 12


def test_what_is_stored_and_makes_no_sense_keeps_everything():
    for odd in ([1], "x", {"keep": "days"}, {"keep": "days", "days": 0}, {"keep": 1, "days": 3},
                {"keep": "days", "days": True}, {"keep": "days", "days": 10**9}):  # fmt: skip
        assert Policy.of(Project(settings={"retention": odd})) == Policy()
    assert Policy.of(Project(settings={"retention": {"keep": 3, "hold": "why"}})).hold == "why"


def test_the_page_shows_what_would_go_and_asks(frames, acme, login, alice, bob, viola, charlie):
    place = reverse("frames:retention", args=["acme", "shop"])
    browser = login(alice)
    assert "Nothing." in browser.get(place).content.decode()
    asked = {"keep": DAYS, "days": "30", "hold": ""}
    with few_queries():
        page = browser.get(place, asked).content.decode()
    assert "9 events" in page
    assert "2 frames of that age stay whole" in page
    assert "undigested" in page
    assert "Save" not in login(viola).get(place, asked).content.decode()
    assert login(bob).post(place, asked | {"sure": "1"}).status_code == 403
    unsure = browser.post(place, asked)
    assert unsure.status_code == 200
    assert "Tick this" in unsure.content.decode()
    assert "whole number" in browser.post(place, asked | {"days": "x"}).content.decode()
    assert Project.unscoped.get().settings == {}
    assert browser.post(place, asked | {"sure": "1"}).status_code == 302
    kept = {"keep": DAYS, "days": 30, "below": 0, "early": 30, "hold": ""}
    assert Project.unscoped.get().settings["retention"] == kept
    assert "fewer days" in browser.post(place, asked | {"below": "0.5"}).content.decode()
    assert sum(left(frames).values()) == 21, "the setting deletes nothing by itself"
    change = Audit.unscoped.filter(action="project.settings").earliest("id")
    assert change.data["before"] == {"retention": Policy().stored()}
    # Days in the database are kept beside it.
    page = browser.get(place, asked | {"hot": "2"}).content.decode()
    assert "Nothing is there" in page
    browser.post(place, asked | {"sure": "1", "hot": "2"})
    assert Project.unscoped.get().settings == {"retention": kept, "hot_days": 2}
    assert (
        "greater than or equal to 1" in browser.post(place, asked | {"hot": "0"}).content.decode()
    )
    # A hold is laid without being sure of anything, and says so.
    browser.post(place, asked | {"hold": "Case 7"})
    assert "under legal hold" in browser.get(place).content.decode()
    # Somebody else's private frame is counted and not named.
    Frame.unscoped.filter(name="undigested").update(visibility="private", owner=bob)
    page = browser.get(place, asked).content.decode()
    assert "9 events" in page
    assert "undigested" not in page
