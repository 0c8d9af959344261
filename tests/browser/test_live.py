"""Two people on one workspace: what one's agent does appears on the other's page by itself."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.cast import PASSWORD


@pytest.fixture
def bob(chromium, house):
    """Bob's browser, logged in, on the served product; what its scripts throw fails the test."""
    context = chromium.new_context(base_url=house.url, reduced_motion="reduce")
    page, complaints = context.new_page(), []
    page.set_default_timeout(20_000)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto("/account/login/")
    page.locator("input[name=login]").fill("bob@example.com")
    page.locator("input[name=password]").fill(PASSWORD)
    page.locator("input[name=password]").press("Enter")
    page.wait_for_url("**/w/acme/")
    yield page
    context.close()
    assert not complaints


def send(house, path, **body):
    answer = house.post(body, "alice", path=f"/api/v1/{path}")
    assert answer.status_code in (200, 201), answer.text
    return answer.json()


def on(page):
    """The page as it is once it follows what happens."""
    expect(page.locator("[data-live-state=on]")).to_have_count(1)
    return page


def test_a_teammates_work_appears_without_reload(house, bob):
    project = house.new_project()
    root = send(house, "frames", name="Rebuild the till", project=project)
    bob.goto(f"/w/acme/p/{project}/")
    on(bob).evaluate("window.mine = 'the same page'")
    send(house, "frames", name="Count the coins", project=project, parent=root["id"])
    child = bob.get_by_role("treeitem").filter(has_text="Count the coins")
    expect(child).to_have_attribute("aria-level", "2")
    other = send(house, "frames", name="<b>Sweep</b>", project=project)
    expect(bob.locator(".f-name").first).to_have_text("<b>Sweep</b>")
    bob.locator(".tree-row .twist").first.click()
    send(house, f"frames/{other['id']}/close", result="clean")
    expect(bob.locator("li.is-closed .f-name")).to_have_text("<b>Sweep</b>")
    assert bob.evaluate("window.mine") == "the same page"

    bob.goto(f"/w/acme/f/{root['id']}/")
    on(bob).evaluate("window.mine = 'the same page'")
    note = {"frame": root["id"], "type": "note", "payload": {"text": "The drawer sticks."}}
    send(house, "events", **note)
    expect(bob.get_by_text("Nothing was recorded")).to_have_count(0)
    expect(bob.get_by_text("The drawer sticks.")).to_be_visible()
    on(bob).evaluate("window.mine = 'the same page'")
    note["payload"] = {"text": "Oiled it."}
    send(house, "events", **note)
    expect(bob.get_by_text("Oiled it.")).to_be_visible()
    expect(bob.get_by_text("The drawer sticks.")).to_be_visible()
    assert bob.evaluate("window.mine") == "the same page"

    bob.goto("/w/acme/")
    on(bob)
    send(house, "anchors", text="Coins are counted twice", type="DECISION", project=project)
    expect(bob.locator("#live-decisions")).to_contain_text("Coins are counted twice")
