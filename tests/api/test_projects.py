"""Projects: made once, found by slug or id, told with how much there is of them."""

from __future__ import annotations

import pytest

from frames.models import Project, Revision
from tests.api.client import error_of, key_for, ok
from tests.pages import few_queries
from workspaces.models import Audit

pytestmark = pytest.mark.django_db


def test_a_project_is_made_once(agent):
    first = ok(agent.post("projects", {"name": "Web Shop", "aliases": ["shop-1"]}), 201)
    again = ok(agent.post("projects", {"name": "Other words", "slug": "web-shop"}), 200)
    assert first["slug"] == "web-shop"
    assert again == first
    assert first["url"].endswith("/w/acme/p/web-shop/")


def test_making_one_is_noted_with_the_key(agent, bob):
    ok(agent.post("projects", {"name": "Shop"}), 201)
    entry = Audit.unscoped.get(action="project.created")
    assert (entry.actor_id, entry.key_id) == (bob.pk, agent.key.pk)
    assert entry.data["ip"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": "  "}, "name"),
        ({"name": "???"}, "slug"),
        ({"name": "x", "slug": "Not A Slug"}, "slug"),
        ({"name": "x", "slug": "-a"}, "slug"),
    ],
)
def test_names_that_make_no_slug_are_refused(agent, body, field):
    assert error_of(agent.post("projects", body)) == (400, "invalid", field)


def test_two_teams_may_call_their_projects_alike(agent, stranger):
    ok(agent.post("projects", {"name": "Shop"}), 201)
    ok(stranger.post("projects", {"name": "Shop"}), 201)


def test_a_project_is_found_by_slug_and_by_id(agent, shop):
    by_slug, by_id = (ok(agent.get(f"projects/{ref}")) for ref in ("shop", shop["id"]))
    assert by_slug == by_id
    assert by_slug.items() >= shop.items()


def test_what_there_is_of_it_is_counted(agent, shop, frame):
    session = ok(agent.post("sessions", {"project": "shop", "source_id": "run"}), 201)
    ok(agent.post("events", {"frame": frame["id"], "type": "note"}), 201)
    ok(agent.post(f"frames/{frame['id']}/close"))
    ok(agent.post("anchors", {"text": "x"}), 201)
    ok(agent.post("tasks", {"title": "x"}), 201)
    counts = ok(agent.get("projects/shop"))["counts"]
    assert counts == {
        "sessions": 1, "frames": 1, "open_frames": 0, "events": 1, "anchors": 1,
        "open_tasks": 1, "last_seen_at": session["last_seen_at"],
    }  # fmt: skip


def test_only_what_is_given_is_changed_and_what_was_is_kept(agent, shop):
    changed = ok(agent.patch("projects/shop", {"name": "Store", "repo_url": "git@x:y"}))
    assert (changed["name"], changed["repo_url"], changed["slug"]) == ("Store", "git@x:y", "shop")
    assert Revision.unscoped.get(kind="project").data == {"name": "Shop", "repo_url": ""}
    ok(agent.patch("projects/shop", {"name": "Store"}))
    assert Revision.unscoped.count() == 1
    assert error_of(agent.patch("projects/shop", {"name": " "})) == (400, "invalid", "name")


def test_pages_follow_one_another(agent, acme):
    for number in range(7):
        Project.unscoped.create(workspace=acme, slug=f"p{number}", name="P")
    seen, cursor = [], ""
    while cursor is not None:
        found = ok(agent.get("projects", limit=3, cursor=cursor))
        seen += [project["slug"] for project in found["items"]]
        cursor = found["next"]
    assert seen == [f"p{number}" for number in range(7)]


def test_a_tied_key_needs_no_name_and_sees_its_own(acme, bob, agent, shop):
    other = ok(agent.post("projects", {"name": "Other"}), 201)
    tied = key_for(acme, bob, "read", "write", project_id=other["id"])
    assert [p["slug"] for p in ok(tied.get("projects"))["items"]] == ["other"]
    assert ok(tied.post("frames", {"name": "x"}), 201)["project"] == "other"
    assert error_of(tied.post("projects", {"name": "More"}))[0] == 403
    assert error_of(agent.post("frames", {"name": "x"})) == (404, "not_found", "project")


def test_a_list_asks_little_of_the_database(agent, acme):
    Project.unscoped.bulk_create(
        Project(workspace=acme, slug=f"p{number}", name="P") for number in range(100)
    )
    agent.get("projects")  # amounts of limits are read every other second
    with few_queries(4):
        assert len(ok(agent.get("projects", limit=100))["items"]) == 100
