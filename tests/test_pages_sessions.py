"""The list of sessions."""

import pytest
from django.urls import reverse

from frames.models import AgentSession, Frame
from tests.pages import ago, few_queries, make_frame, make_project, make_session, new_frame


@pytest.fixture
def get(alice, acme, login):
    client = login(alice)

    def ask(person_client=client, **query):
        return person_client.get(reverse("frames:sessions", args=["acme"]), query)

    return ask


def ids(response):
    return [session.id for session in response.context["page"]]


def test_a_session_says_who_where_and_how_much(acme, bob, get):
    session = make_session(
        make_project(acme, name="Storefront"), user=bob, client="cursor", branch="fix/refunds"
    )
    make_frame(session.project, session=session, event_count=30, error_count=2)
    make_frame(session.project, session=session, event_count=12)
    response = get()
    assert response.context["page"].items[0].figures == {
        "session": session.id, "frames": 2, "events": 42, "errors": 2,
    }  # fmt: skip
    page = response.content.decode()
    for words in ("Bob", "cursor", "Storefront", "fix/refunds", "1 h", "2 errors"):
        assert words in page


def test_latest_first_and_filters(acme, bob, alice, get):
    shop, other = make_project(acme, "shop"), make_project(acme, "other")
    old = make_session(shop, user=bob, last_seen_at=ago(days=3), branch="main")
    new = make_session(shop, user=alice, last_seen_at=ago(days=1), branch="fix/refunds")
    theirs = make_session(other, last_seen_at=ago(days=2))
    assert ids(get()) == [new.id, theirs.id, old.id]
    assert ids(get(project="shop")) == [new.id, old.id]
    assert ids(get(by=str(bob.id))) == [old.id]
    assert ids(get(q="REFUND")) == [new.id]
    assert ids(get(by="nobody")) == [new.id, theirs.id, old.id]


def test_a_session_is_called_by_its_outermost_frame(acme, bob, get, login):
    session = make_session(make_project(acme), user=bob)
    inner = {"session": session, "depth": 1, "started_at": ago(minutes=1)}
    make_frame(session.project, name="Run the tests", **inner)
    make_frame(session.project, session=session, name="Fix the refunds", started_at=ago(minutes=9))
    make_frame(
        session.project, session=session, name="My own notes", owner=bob, visibility="private"
    )
    assert get().context["page"].items[0].about == "Fix the refunds"
    assert get(login(bob)).context["page"].items[0].about == "My own notes"


def test_private_frames_of_others_are_not_counted(acme, bob, get, login):
    session = make_session(make_project(acme), user=bob)
    make_frame(session.project, session=session, owner=bob, visibility="private", event_count=9)
    assert get().context["page"].items[0].figures["events"] == 0
    assert get(login(bob)).context["page"].items[0].figures["events"] == 9


def test_odd_runs_are_shown(acme, get):
    project = make_project(acme)
    make_session(project, client="<script>", source_id="<b>" * 5000, branch="<i>")
    make_session(project, started_at=ago(hours=1), last_seen_at=ago(hours=2))
    response = get()
    assert response.status_code == 200
    assert "<script>" not in response.content.decode().replace("<script src", "")
    assert "<b>" not in response.content.decode()


def test_another_workspaces_sessions_are_not_found(acme, globex, get, charlie, login):
    make_session(make_project(globex), user=charlie)
    response = get()
    assert ids(response) == []
    assert "Charlie" not in response.content.decode()
    assert get(login(charlie)).status_code == 404


def test_the_number_of_queries_does_not_grow(acme, bob, get):
    for n in range(8):
        project = make_project(acme, f"p{n}")
        AgentSession.unscoped.bulk_create(
            AgentSession(
                workspace=acme,
                project=project,
                user=bob,
                started_at=ago(hours=i + 1),
                last_seen_at=ago(hours=i),
            )
            for i in range(20)
        )
    Frame.unscoped.bulk_create(
        new_frame(session.project, session=session)
        for session in acme.agentsessions.select_related("project")
        for _ in range(10)
    )
    with few_queries():
        assert len(ids(get())) == 50
