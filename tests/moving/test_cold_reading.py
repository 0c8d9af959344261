"""Events in cold storage are read as any others: the same pages, answers, exports and finds."""

from __future__ import annotations

import json
import sqlite3
from datetime import timedelta

import boto3
import pytest
from django.core.management import call_command
from django.urls import reverse
from django.utils import timezone

from frames import timeline, usage
from frames.cold import restoring, store
from frames.digest import make_digest
from frames.models import ArchivedPeriod, Event, Frame
from frames.scoring import digests
from search.indexing import index, reindex
from search.models import Document
from stackmemory.lib import objects as lib_objects
from tests.api.client import error_of, key_for
from tests.moving.cold import ALL, JUNE, make_frames, move, table
from tests.moving.conftest import REGION
from tests.pages import few_queries
from workspaces.models import Usage

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("objects")]


@pytest.fixture
def frames(acme) -> dict[str, Frame]:
    return make_frames(acme)


def listed(api, frame, **query) -> list:
    """A frame's events by the API, page by page."""
    found, cursor = [], ""
    while cursor is not None:
        answer = api.get(f"frames/{frame.pk}/events", limit=7, cursor=cursor, **query).json()
        found += answer["items"]
        cursor = answer["next"]
    return found


def walked(acme, frame) -> list:
    """A frame's lines, back from the last page and on from the first."""
    frame = Frame.unscoped.get(pk=frame.pk)
    stretch = timeline.stretch_of(frame)
    page = timeline.newest(acme, stretch)
    back = page.lines
    while page.older:
        page = timeline.before(acme, stretch, page.older)
        back = [*page.lines, *back]
    page = timeline.since(acme, stretch, stretch.first)
    on = page.lines
    while page.newer:
        page = timeline.after(acme, stretch, page.newer)
        on = [*on, *page.lines]
    said = [
        [(line.place, line.head, line.octets, line.is_error) for line in ls] for ls in (back, on)
    ]
    assert said[0] == said[1]
    return said


def asked(client, key, **arguments):
    """What get_timeline answers."""
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call",
            "params": {"name": "get_timeline", "arguments": arguments}}  # fmt: skip
    answer = client.post(
        "/mcp", json.dumps(call), "application/json",
        headers={"authorization": f"Bearer {key.text}", "accept": "application/json, text/event-stream"},
    )  # fmt: skip
    return answer.json()["result"]


def test_timelines_answer_as_before(frames, acme, bob, login, monkeypatch):
    monkeypatch.setattr(timeline, "PAGE", 10)
    api, browser = key_for(acme, bob, "read"), login(bob)
    long, event = frames["long"], Event.unscoped.filter(frame=frames["old"]).earliest("occurred_at")

    def everything():
        return [
            listed(api, long), listed(api, long, newest=True), listed(api, frames["old"]),
            api.get(f"events/{event.pk}").json(),
            walked(acme, long), walked(acme, frames["old"]),
            asked(browser, api, frame=str(long.pk), limit=9),
            asked(browser, api, frame=str(long.pk), limit=50, order="newest"),
            asked(browser, api, frame=str(long.pk), errors=True),
            asked(browser, api, event=str(event.pk)),
        ]  # fmt: skip

    before = everything()
    assert len(before[0]) == 37
    assert move() == 64
    assert everything() == before
    page = reverse("frames:frame", args=["acme", long.pk])
    with few_queries():
        text = browser.get(page).content.decode()
    assert text.count("Older events, read from storage") == 1
    old = reverse("frames:frame", args=["acme", frames["open"].pk])
    assert "read from storage" not in browser.get(old).content.decode()
    one = reverse("frames:frame-event", args=["acme", event.frame_id, event.pk])
    assert b"said" in browser.get(one).content
    assert browser.get(f"{one}?raw").content.decode() == event.payload
    stranger = reverse("frames:frame-event", args=["acme", frames["open"].pk, event.pk])
    assert browser.get(stranger).status_code == 404


def test_settings_and_operators_see_it(frames, acme, alice, login, settings):
    settings.COLD_STORAGE = "on"
    place, browser = reverse("frames:retention", args=["acme", "shop"]), login(alice)
    with few_queries():
        assert "Nothing is there. At least 32 go there" in browser.get(place).content.decode()
    assert move() == 64
    page = browser.get(place, {"keep": "ever", "days": "30", "hot": "9000"}).content.decode()
    assert "<strong>64 events</strong> of 2 months" in page
    assert "go there at" not in page
    settings.COLD_STORAGE = "off"
    assert "nothing goes there by itself" in browser.get(place).content.decode()
    alice.is_staff = alice.is_superuser = True
    alice.save()
    page = browser.get(reverse("operations")).content.decode()
    assert "Events in cold storage" in page
    assert "2026-06" in page


def test_what_is_lost_is_said_and_the_rest_shown(frames, acme, bob, login, objects):
    event = Event.unscoped.filter(frame=frames["old"]).earliest("occurred_at")
    move()
    period = ArchivedPeriod.unscoped.get(events=62)
    (objects / period.object).unlink()
    api, browser = key_for(acme, bob, "read"), login(bob)
    page = browser.get(reverse("frames:frame", args=["acme", frames["long"].pk]))
    text = page.content.decode()
    assert "Events are missing here" in text
    assert period.object in text
    assert text.count('class="tl ') >= 5
    answer = api.get(f"frames/{frames['long'].pk}/events")
    assert error_of(answer) == (503, "cold_storage_lost", None)
    assert period.object in answer.content.decode()
    one = browser.get(reverse("frames:frame-event", args=["acme", event.frame_id, event.pk]))
    assert (one.status_code, period.object in one.content.decode()) == (503, True)


def test_digests_scores_search_and_usage(frames, acme):
    reindex(workspace=acme)
    usage.measure(acme)
    documents = {d.object_id: d.content_hash for d in Document.unscoped.filter(kind="event")}
    used = set(Usage.unscoped.values_list("day", "kind", "amount"))
    old = Frame.unscoped.get(pk=frames["old"].pk)
    made, scored = make_digest(old), digests(acme, [old])
    ids = list(Event.unscoped.filter(frame=old).values_list("pk", flat=True))
    assert move() == 64
    old.refresh_from_db()
    assert make_digest(old) == made
    assert digests(acme, [old]) == scored
    index(workspace=acme, kind="event", ids=ids)  # a job that comes late
    assert {
        d.object_id: d.content_hash for d in Document.unscoped.filter(kind="event")
    } == documents
    Document.unscoped.filter(kind="event").delete()
    reindex(workspace=acme, everything=True)
    assert {
        d.object_id: d.content_hash for d in Document.unscoped.filter(kind="event")
    } == documents
    Usage.unscoped.all().delete()
    usage.measure(acme)
    assert set(Usage.unscoped.values_list("day", "kind", "amount")) == used


def test_a_preview_of_retention_says_what_cannot_be_counted(frames, acme, alice, login, objects):
    move()
    for path in objects.rglob("*.zip"):
        path.unlink()
    store._kept.clear()
    page = login(alice).get(
        reverse("frames:retention", args=["acme", "shop"]),
        {"keep": "days", "days": (timezone.now() - JUNE - timedelta(hours=1)).days, "hot": 30},
    )
    assert "is not in the object store" in page.content.decode()


def test_exports_hold_it(frames, acme, tmp_path):
    for name in ("before", "after"):
        call_command(
            "export_stackmemory", "--workspace", "acme", "--project", "shop", "--output",
            str(tmp_path / f"{name}.db"), "--json",
        )  # fmt: skip
        if name == "before":
            assert move() == 64
    rows = []
    for name in ("before", "after"):
        with sqlite3.connect(tmp_path / f"{name}.db") as db:
            rows.append(db.execute("SELECT * FROM events ORDER BY frame_id, ts, seq").fetchall())
    assert rows[0] == rows[1]
    assert len(rows[0]) == ALL


def test_in_a_bucket(frames, acme, settings, s3):
    """The same over HTTP, with an endpoint that speaks S3."""
    who = {"key": "key", "secret": "secret", "region": REGION}
    made = lib_objects.bucket("cold", endpoint=s3, **who)
    settings.STORAGES = settings.STORAGES | {"objects": made}
    client = boto3.client("s3", endpoint_url=s3, aws_access_key_id="key",
                          aws_secret_access_key="secret", region_name=REGION)  # fmt: skip
    client.create_bucket(Bucket="cold", CreateBucketConfiguration={"LocationConstraint": REGION})
    before = table()
    assert move() == 64
    store._kept.clear()
    assert table() == before
    assert len(client.list_objects_v2(Bucket="cold")["Contents"]) == 2
    assert sum(map(restoring.restore, ArchivedPeriod.unscoped.all())) == 64
    assert table() == before
    assert move(timezone.now() + timedelta(days=2), days=30) == 64
    client.delete_object(Bucket="cold", Key=ArchivedPeriod.unscoped.latest("pk").object)
    store._kept.clear()
    with pytest.raises(Exception, match="is not in the object store"):
        table()
