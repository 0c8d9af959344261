"""Tasks: created, moved on, made to wait for one another, added up."""

from __future__ import annotations

import pytest

from frames.models import Revision, Task
from tests.api.client import error_of, ok
from tests.pages import few_queries, new_task

pytestmark = pytest.mark.django_db


def create(agent, title: str = "Do it", **fields):
    return ok(agent.post("tasks", {"title": title, "project": "shop"} | fields), 201)


def move(agent, task, status: str):
    return agent.post(f"tasks/{task['id']}/status", {"status": status})


def test_a_task_is_what_was_asked_for(agent, frame):
    first = create(agent, "First", source_id="t-1")
    given = {
        "description": "Long words", "priority": "urgent", "assignee": "bob",
        "frame": frame["id"], "tags": ["a", "b"], "depends_on": ["t-1"], "estimated_minutes": 30,
    }  # fmt: skip
    task = create(agent, " Second ", **given)
    assert task.items() >= (given | {"title": "Second", "status": "pending"}).items()
    assert ok(agent.get(f"tasks/{task['id']}")) == task
    assert ok(agent.get("tasks/t-1"))["id"] == first["id"]
    again = ok(agent.post("tasks", {"title": "x", "project": "shop", "source_id": "t-1"}), 200)
    assert again == first


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "title"), ({"title": " "}, "title"), ({"title": "x", "priority": "asap"}, "priority"),
        ({"title": "x", "depends_on": ["nowhere"]}, "depends_on"),
        ({"title": "x", "estimated_minutes": -1}, "estimated_minutes"),
        ({"title": "x", "frame": "nowhere"}, "frame"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(agent, shop, body, field):
    assert error_of(agent.post("tasks", body))[2] == field


def test_a_frame_of_another_project_is_refused(agent, frame):
    ok(agent.post("projects", {"name": "Other"}), 201)
    body = {"title": "x", "project": "other", "frame": frame["id"]}
    assert error_of(agent.post("tasks", body)) == (400, "invalid", "frame")


def test_moving_on_notes_the_times(agent, shop):
    task = create(agent)
    begun = ok(move(agent, task, "in_progress"))
    assert begun["started_at"]
    ok(move(agent, task, "blocked"))
    assert ok(move(agent, task, "in_progress"))["started_at"] == begun["started_at"]
    done = ok(move(agent, task, "completed"))
    assert done["completed_at"] >= done["started_at"]
    assert done["actual_minutes"] == 0.0
    kept = [row.data["status"] for row in Revision.unscoped.order_by("valid_to")]
    assert kept == ["pending", "in_progress", "blocked", "in_progress"]


def test_what_is_completed_can_only_be_cancelled(agent, shop):
    task = create(agent)
    ok(move(agent, task, "completed"))
    assert error_of(move(agent, task, "pending")) == (409, "completed", "status")
    assert ok(move(agent, task, "completed"))["status"] == "completed"
    assert ok(move(agent, task, "cancelled"))["status"] == "cancelled"
    assert error_of(move(agent, task, "paused")) == (400, "invalid", "status")


def test_waiting_for_another(agent, shop):
    first, second, third = (create(agent, name) for name in ("a", "b", "c"))
    path = "tasks/{}/dependencies".format
    waits = ok(agent.post(path(second["id"]), {"on": first["id"]}))
    assert waits["depends_on"] == [first["id"]]
    assert ok(agent.post(path(second["id"]), {"on": first["id"]})) == waits
    ok(agent.post(path(third["id"]), {"on": second["id"]}))
    for late, early in ((first, third), (first, second), (first, first)):
        response = agent.post(path(late["id"]), {"on": early["id"]})
        assert error_of(response) == (409, "circle", "on")
    gone = ok(agent.delete(f"tasks/{second['id']}/dependencies/{first['id']}"))
    assert gone["depends_on"] == []
    ok(agent.post(path(first["id"]), {"on": second["id"]}))


def test_a_circle_is_seen_through_clients_ids(agent, shop):
    create(agent, source_id="a")
    create(agent, source_id="b", depends_on=["a"])
    assert error_of(agent.post("tasks/a/dependencies", {"on": "b"})) == (409, "circle", "on")
    ok(agent.delete("tasks/b/dependencies/a"))
    assert ok(agent.get("tasks/b"))["depends_on"] == []


def test_a_long_chain_is_followed_with_few_questions(agent, shop):
    chain = [create(agent, f"{number}") for number in range(12)]
    for late, early in zip(chain[1:], chain, strict=False):
        ok(agent.post(f"tasks/{late['id']}/dependencies", {"on": early["id"]}))
    with few_queries(20):
        path = f"tasks/{chain[0]['id']}/dependencies"
        assert error_of(agent.post(path, {"on": chain[-1]["id"]}))[1] == "circle"


def test_metrics(agent, shop):
    ok(agent.post("projects", {"name": "Other"}), 201)
    for title in ("a", "b", "c", "d"):
        create(agent, title)
    create(agent, "elsewhere", project="other", priority="high")
    tasks = Task.unscoped
    tasks.filter(title="a").update(status="completed", estimated_minutes=30, actual_minutes=60)
    tasks.filter(title="b").update(status="completed", estimated_minutes=10, actual_minutes=10)
    tasks.filter(title="c").update(status="odd")
    assert ok(agent.get("tasks/metrics", project="shop")) == {
        "total": 4, "by_status": {"completed": 2, "odd": 1, "pending": 1},
        "by_priority": {"medium": 4}, "completion_rate": 0.5, "mean_minutes": 35.0,
        "estimate_to_actual": 0.75,
    }  # fmt: skip
    everywhere = ok(agent.get("tasks/metrics"))
    assert (everywhere["total"], everywhere["by_priority"]["high"]) == (5, 1)


def test_metrics_of_nothing(agent, shop):
    assert ok(agent.get("tasks/metrics")) == {
        "total": 0, "by_status": {}, "by_priority": {}, "completion_rate": 0.0,
        "mean_minutes": None, "estimate_to_actual": None,
    }  # fmt: skip


def test_filters(agent, frame):
    create(agent, "a", assignee="bob")
    done = create(agent, "b", frame=frame["id"])
    ok(move(agent, done, "completed"))

    def titles(**filters):
        return [task["title"] for task in ok(agent.get("tasks", **filters))["items"]]

    assert titles() == ["b", "a"]
    assert titles(status="open") == titles(assignee="bob") == titles(status="pending") == ["a"]
    assert titles(status="completed") == titles(frame=frame["id"]) == ["b"]


def test_a_list_asks_little_of_the_database(agent, shop, acme):
    project = acme.projects.get(slug="shop")
    Task.unscoped.bulk_create(new_task(project) for _ in range(100))
    with few_queries(6):
        assert len(ok(agent.get("tasks", limit=100))["items"]) == 100
