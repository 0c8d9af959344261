"""The stack in a browser: keys in the tree, more frames and events in place, zoom of the flame."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from playwright.sync_api import expect

from frames.models import Frame
from tests.pages import make_project, make_session
from tests.stacks import NOON, called, closed, happen

pytestmark = pytest.mark.django_db(transaction=True)
HOSTILE = '<img src=x onerror="document.title=1">'


@pytest.fixture
def page(visit, live_server, alice, acme):
    """A browser in which alice is logged in."""
    client = Client()
    client.force_login(alice)
    page = visit()
    page.context.add_cookies(
        [{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": live_server.url}]
    )
    return page


@pytest.fixture
def run(acme, alice):
    """A session of a root, three children one after the other and a grandchild below the first."""
    project = make_project(acme)
    session = make_session(project, user=alice)
    hour = timedelta(hours=1)
    root = called(project, session=session, name="root", owner=alice)
    parts = [
        called(project, root, session=session, name=f"part {n}", state="closed",
               started_at=NOON + n * hour, closed_at=NOON + (n + 1) * hour)
        for n in range(3)
    ]  # fmt: skip
    deep = called(project, parts[0], session=session, name=HOSTILE, **closed())
    Frame.unscoped.bulk_create([root, *parts, deep])
    for frame in (root, *parts, deep):
        happen(acme, frame, [("note", {"text": f"in {frame.name}"})], start=frame.started_at)
    return session


def focused(page):
    return page.evaluate(
        "document.activeElement.querySelector('.f-name, title')?.textContent.trim()"
    )


def test_the_tree_by_keyboard(page, run):
    page.goto("/w/acme/p/shop/")
    page.keyboard.press("j")
    assert focused(page) == "root"
    page.keyboard.press("ArrowDown")
    assert focused(page) == "part 0"
    page.keyboard.press("ArrowLeft")
    expect(page.get_by_role("treeitem", name=HOSTILE)).to_be_hidden()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert focused(page) == HOSTILE
    page.keyboard.press("h")
    assert focused(page) == "part 0"
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("part 1")


def test_more_frames_and_events_come_in_place(page, acme):
    project = make_project(acme)
    root = called(project, name="root")
    many = [
        called(project, root, name=f"c{n}", started_at=NOON + timedelta(seconds=n))
        for n in range(60)
    ]
    Frame.unscoped.bulk_create([root, *many])
    happen(acme, root, [("note", {"text": f"event {n}."}, n) for n in range(130)])
    page.goto("/w/acme/p/shop/")
    expect(page.locator(".f-name")).to_have_count(21)
    page.get_by_text("Show 40 earlier frames").click()
    expect(page.locator(".f-name")).to_have_count(61)
    assert page.locator(".f-name").all_inner_texts() == ["root", *(f"c{n}" for n in range(60))]
    page.goto(f"/w/acme/f/{root.pk}/")
    expect(page.get_by_text("event 79.")).to_have_count(0)
    page.get_by_role("link", name="Older events").click()
    expect(page.get_by_text("event 79.")).to_be_visible()
    page.get_by_role("link", name="Older events").click()
    expect(page.get_by_text("event 0.")).to_be_visible()
    expect(page.get_by_role("link", name="Older events")).to_have_count(0)
    times = [row.get_attribute("data-at") for row in page.locator(".tl[data-at]").all()]
    assert len(times) == 130
    assert times == sorted(times)


def test_a_whole_event_on_demand(page, acme):
    project = make_project(acme)
    frame = called(project)
    frame.save(force_insert=True)
    happen(acme, frame, [("assistant_message", {"content": "word " * 20_000 + "the end"})])
    page.goto(f"/w/acme/f/{frame.pk}/")
    page.get_by_role("link", name="Load all").click()
    expect(page.locator(".tl-text")).to_contain_text("the end")


def test_the_flame_graph_zooms_and_opens(page, run):
    page.goto(f"/w/acme/s/{run.pk}/")
    bars = page.locator(".fl-link")
    expect(bars).to_have_count(5)
    bars.first.focus()
    page.keyboard.press("ArrowDown")
    assert focused(page).startswith("part 0")
    page.keyboard.press("ArrowRight")
    assert focused(page).startswith("part 1")
    page.keyboard.press("Enter")
    expect(bars).to_have_count(2)
    assert focused(page).startswith("part 1")
    expect(page.get_by_text("in part 1")).to_be_visible()
    expect(page.get_by_text("in part 0")).to_have_count(0)
    page.keyboard.press("0")
    expect(bars).to_have_count(5)
    page.go_back()
    expect(bars).to_have_count(2)
    page.locator(".fl-link.is-chosen").focus()
    page.keyboard.press("o")
    expect(page.get_by_role("heading", level=1)).to_have_text("part 1")


def test_it_reads_without_scripts(visit, live_server, alice, acme, run):
    client = Client()
    client.force_login(alice)
    page = visit(java_script_enabled=False, viewport={"width": 390, "height": 844})
    page.context.add_cookies(
        [{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": live_server.url}]
    )
    page.goto("/w/acme/p/shop/")
    expect(page.get_by_role("link", name="part 2")).to_be_visible()
    page.get_by_role("link", name="part 2").click()
    expect(page.get_by_text("in part 2")).to_be_visible()
    page.goto(f"/w/acme/s/{run.pk}/")
    page.locator(".fl-link").nth(1).click(position={"x": 2, "y": 8})
    expect(page.get_by_role("link", name="Open frame")).to_be_visible()
