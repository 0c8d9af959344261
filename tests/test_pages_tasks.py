"""Tasks: filters, what a hostile file may hold, paging."""

import pytest
from django.urls import reverse

from frames.models import Task
from tests.pages import ago, few_queries, make_frame, make_project, new_task


@pytest.fixture
def get(alice, acme, login):
    client = login(alice)

    def ask(person_client=client, **query):
        return person_client.get(reverse("frames:tasks", args=["acme"]), query)

    return ask


def titles(response):
    return [task.title for task in response.context["page"]]


def make_task(project, **fields):
    task = new_task(project, **fields)
    task.save(force_insert=True)
    return task


def test_filters_by_status_project_and_title(acme, get):
    shop, other = make_project(acme, "shop"), make_project(acme, "other")
    make_task(shop, title="Refund twice", status="blocked", opened_at=ago(days=2))
    make_task(shop, title="Rename cart", status="pending", opened_at=ago(days=1))
    make_task(other, title="Drop table", status="waiting_for_godot")
    assert titles(get()) == ["Drop table", "Rename cart", "Refund twice"]
    assert titles(get(status="blocked")) == ["Refund twice"]
    assert titles(get(status="waiting_for_godot")) == ["Drop table"]
    assert titles(get(project="shop", q="CART")) == ["Rename cart"]
    assert dict(get().context["statuses"]) == {"pending": 1, "blocked": 1, "waiting_for_godot": 1}
    assert "waiting_for_godot" in get().content.decode()


def test_tasks_of_private_frames_are_their_owners(acme, bob, get, login):
    project = make_project(acme)
    frame = make_frame(project, owner=bob, visibility="private")
    make_task(project, title="Secret task", frame=frame)
    make_task(project, title="Open task")
    assert titles(get()) == ["Open task"]
    assert set(titles(get(login(bob)))) == {"Open task", "Secret task"}


def test_a_file_may_hold_anything(acme, get):
    project = make_project(acme)
    make_task(
        project,
        title="<script>alert(1)</script>",
        description="<img src=x onerror=alert(1)>" * 50_000,
        status="<b>",
        priority="",
        tags={"not": "a list"},
        depends_on=["<i>", None, 3, {"a": 1}],
        external={"linear": {"id": "ENG-1", "url": "javascript:alert(1)"}, "github": "nonsense"},
        estimated_minutes=-4.0,
        actual_minutes=1e300,
    )
    make_task(project, title="", tags=["ui"] * 500, external=[1, 2], estimated_minutes=30)
    make_task(project, title="t" * 1_000_000, external={"x": {"url": "http://[bad"}})
    response = get()
    page = response.content.decode()
    assert response.status_code == 200
    assert len(response.content) < 80_000
    for bad in ("<script>alert", "<img src=x", "javascript:", "<b>", "<i>"):
        assert bad not in page
    assert "(no title)" in page


def test_a_web_address_of_a_tracker_is_a_link(acme, get):
    url = "https://linear.app/acme/issue/ENG-41"
    make_task(make_project(acme), external={"linear": {"id": "ENG-41", "url": url}})
    assert f'<a href="{url}" rel="noreferrer noopener">ENG-41</a>' in get().content.decode()


def test_another_workspaces_tasks_are_not_found(acme, globex, get, charlie, login):
    make_task(make_project(globex))
    assert titles(get()) == []
    assert get(login(charlie)).status_code == 404


def test_the_number_of_queries_does_not_grow(acme, get, bob):
    for n in range(8):
        project = make_project(acme, f"p{n}")
        frame = make_frame(project, owner=bob)
        Task.unscoped.bulk_create(
            new_task(project, frame=frame, title=str(i), opened_at=ago(hours=i)) for i in range(30)
        )
    with few_queries():
        first = get()
    second = get(cursor=first.context["page"].next)
    ids = {task.id for task in first.context["page"]} | {t.id for t in second.context["page"]}
    assert len(ids) == 100
