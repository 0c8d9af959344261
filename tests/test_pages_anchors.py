"""Anchors: filters, what replaced what, paging."""

import pytest
from django.urls import reverse

from frames.models import Anchor
from tests.pages import ago, few_queries, make_anchor, make_frame, make_project, new_anchor


@pytest.fixture
def get(alice, acme, login):
    client = login(alice)

    def ask(person_client=client, **query):
        return person_client.get(reverse("frames:anchors", args=["acme"]), query)

    return ask


def texts(response):
    return [anchor.words for anchor in response.context["page"]]


def test_pinned_first_then_newest(acme, get):
    project = make_project(acme)
    make_anchor(project, text="old", noted_at=ago(days=9))
    make_anchor(project, text="pinned", pinned=True, noted_at=ago(days=99))
    make_anchor(project, text="new", noted_at=ago(days=1))
    assert texts(get()) == ["pinned", "new", "old"]


def test_filters_by_type_project_and_words(acme, get):
    shop, other = make_project(acme, "shop"), make_project(acme, "other")
    make_anchor(shop, type="DECISION", text="Integer cents")
    make_anchor(shop, type="RISK", text="Tax service down")
    make_anchor(other, type="DECISION", text="Use Postgres")
    make_anchor(other, type="HUNCH", text="Cron at :00")
    assert texts(get(type="RISK")) == ["Tax service down"]
    assert texts(get(project="other", type="DECISION")) == ["Use Postgres"]
    assert texts(get(q="CENTS")) == ["Integer cents"]
    assert texts(get(type="HUNCH")) == ["Cron at :00"]
    assert dict(get(project="other").context["types"]) == {"DECISION": 1, "HUNCH": 1}
    assert "No anchor matches" in get(q="nowhere").content.decode()


@pytest.mark.parametrize("value", ["%", "_", "\x00", "'", "é" * 900, "\\", "<script>"])
def test_odd_filters_are_harmless(acme, get, value):
    make_anchor(make_project(acme), text="plain")
    for name in ("q", "type", "project", "show", "cursor"):
        response = get(**{name: value})
        assert response.status_code == 200
        assert "<script>" not in response.content.decode().replace("<script src", "")


def test_a_superseded_one_says_what_replaced_it(acme, get):
    project = make_project(acme)
    newer = make_anchor(project, text="Use Postgres")
    make_anchor(project, text="Use Redis", superseded_by=newer, superseded_at=ago(days=1))
    page = get().content.decode()
    assert "struck" in page
    assert page.count("Use Postgres") == 2
    assert texts(get(show="standing")) == ["Use Postgres"]


def test_a_private_successor_is_not_given_away(acme, bob, get, login):
    project = make_project(acme)
    secret = make_frame(project, owner=bob, visibility="private", name="Secret frame")
    newer = make_anchor(project, frame=secret, text="Secret words")
    make_anchor(project, text="Old words", superseded_by=newer)
    page = get().content.decode()
    assert "Secret" not in page
    assert "an anchor you cannot see" in page
    assert "Secret words" in get(login(bob)).content.decode()


def test_each_anchor_is_on_one_page_only(acme, get):
    project = make_project(acme)
    Anchor.unscoped.bulk_create(
        new_anchor(project, text=str(n), noted_at=ago(hours=n // 3)) for n in range(120)
    )
    seen, cursor = [], ""
    while True:
        response = get(cursor=cursor)
        seen += texts(response)
        cursor = response.context["page"].next
        if not cursor:
            break
    assert sorted(map(int, seen)) == list(range(120))


def test_a_bad_cursor_says_so_and_shows_the_first_page(acme, get):
    make_anchor(make_project(acme), text="still here")
    response = get(cursor="nonsense")
    assert texts(response) == ["still here"]
    assert "could not be found again" in response.content.decode()


def test_a_long_text_is_not_sent_whole(acme, get):
    make_anchor(make_project(acme), text="x" * 1_000_000, priority=99)
    response = get()
    assert len(response.content) < 60_000
    assert "priority 10" in response.content.decode()


def test_another_workspaces_anchors_are_not_found(acme, globex, get, charlie, login):
    make_anchor(make_project(globex, "theirs"), text="theirs")
    make_project(acme)
    assert texts(get()) == []
    assert texts(get(project="theirs")) == []
    assert get(login(charlie)).status_code == 404


def test_no_anchors_teach_the_import(acme, get):
    assert "--workspace acme" in get().content.decode()


def test_the_number_of_queries_does_not_grow(acme, get, bob):
    for n in range(8):
        project = make_project(acme, f"p{n}")
        frame = make_frame(project, owner=bob)
        newer = make_anchor(project)
        Anchor.unscoped.bulk_create(
            new_anchor(project, frame=frame, superseded_by=newer, type=f"T{i % 20}")
            for i in range(40)
        )
    with few_queries():
        assert len(get().context["page"]) == 50
