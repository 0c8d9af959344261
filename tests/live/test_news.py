"""What is told, to whom, and in which order: rows, made by the verbs as they are called."""

from __future__ import annotations

import pytest
from django.db import transaction
from django.utils import timezone

from frames.accepting import EventIn
from frames.appending import append_batch
from frames.calls import close_frame, open_session, promote_frame, start_frame
from frames.partitions import ensure, month_of
from stackmemory.lib.tenancy import workspace_scope
from stackmemory.lib.uuid7 import uuid7
from tests.pages import make_project
from workspaces import news
from workspaces.actor import Actor
from workspaces.models import Membership, News

pytestmark = pytest.mark.django_db


@pytest.fixture
def actor(acme, bob) -> Actor:
    return Actor.of_member(Membership.unscoped.select_related("user", "workspace").get(user=bob))


def told(workspace) -> list[tuple[str, str, int]]:
    return [(m.kind, m.what, m.count) for m in news.since(workspace.pk, 0, most=100)]


def test_verbs_tell_ids_once_their_transaction_ends(acme, actor, as_application):
    project = make_project(acme)
    ensure([month_of(timezone.now())])
    with as_application(), workspace_scope(acme.pk):
        session, _ = open_session(actor=actor, project=project)
        outer, _ = start_frame(actor=actor, project=project, session=session, name="outer")
        inner, _ = start_frame(actor=actor, project=project, session=session, name="inner")
        events = [EventIn(str(inner.pk), "note", {"n": n}) for n in range(60)]
        append_batch(actor=actor, events=events[:30])
        append_batch(actor=actor, events=events[30:])
        close_frame(actor=actor, frame=outer)
        assert not News.unscoped.exists()
    assert told(acme) == [
        ("session", "began", 1),
        ("frame", "opened", 1),
        ("frame", "opened", 1),
        ("event", "appended", 60),
        ("frame", "closed", 1),
        ("frame", "closed", 1),
    ]
    messages = news.since(acme.pk, 0, most=100)
    assert [m.position for m in messages] == sorted({m.position for m in messages})
    appended = messages[3]
    assert (appended.project, appended.frame) == (project.pk, inner.pk)
    assert len(appended.ids) == news.MOST_IDS
    assert (messages[2].frame, messages[2].ids) == (outer.pk, [str(inner.pk)])
    assert news.since(acme.pk, messages[4].position, most=100) == messages[5:]
    assert news.latest(acme.pk) == messages[-1].position


def test_what_is_undone_is_not_told(acme):
    with workspace_scope(acme.pk):
        news.tell(acme.pk, "frame", "opened", [uuid7()])
        with pytest.raises(ValueError, match="no"), transaction.atomic():  # noqa: PT012
            news.tell(acme.pk, "task", "created", [uuid7()])
            raise ValueError("no")
    assert told(acme) == [("frame", "opened", 1)]
    with pytest.raises(ValueError, match="no"), workspace_scope(acme.pk):  # noqa: PT012
        news.tell(acme.pk, "task", "created", [uuid7()])
        raise ValueError("no")
    assert told(acme) == [("frame", "opened", 1)]


def test_much_at_once_is_told_together(acme):
    with workspace_scope(acme.pk):
        for _ in range(news.MOST_MESSAGES + 1):
            news.tell(acme.pk, "event", "appended", [uuid7()] * 200, frame=uuid7())
    [message] = news.since(acme.pk, 0, most=100)
    assert (message.frame, message.count) == (None, 200 * (news.MOST_MESSAGES + 1))
    with workspace_scope(acme.pk):
        for _ in range(news.MOST_MESSAGES):
            news.tell(acme.pk, "event", "appended", [uuid7()] * 200, frame=uuid7())
    assert len(news.since(acme.pk, message.position, most=100)) == news.MOST_MESSAGES


def test_private_frames_are_told_to_their_owner_alone(acme, actor, bob):
    project = make_project(acme)
    ensure([month_of(timezone.now())])
    frame, _ = start_frame(actor=actor, project=project, name="mine", visibility="private")
    append_batch(actor=actor, events=[EventIn(str(frame.pk), "note", {})])
    promote_frame(actor=actor, frame=frame)
    append_batch(actor=actor, events=[EventIn(str(frame.pk), "note", {})])
    assert [(m.what, m.private_to) for m in news.since(acme.pk, 0, most=10)] == [
        ("opened", bob.pk),
        ("appended", bob.pk),
        ("promoted", None),
        ("appended", None),
    ]


def test_workspaces_are_told_apart_and_old_news_forgotten(acme, globex, as_application):
    day = int(news.KEPT.total_seconds() * 1e6)
    with as_application(), workspace_scope(acme.pk):
        news.tell(acme.pk, "frame", "opened", [uuid7()])
        news.tell(globex.pk, "task", "created", [uuid7()])
    assert told(acme) == [("frame", "opened", 1)]
    assert told(globex) == [("task", "created", 1)]
    old = news.latest(acme.pk) - 2 * day
    assert news.is_kept(news.latest(acme.pk))
    assert not news.is_kept(old)
    News.unscoped.filter(workspace=acme).update(position=old)
    with as_application():
        news.forget()
    assert told(acme) == []
    assert told(globex) == [("task", "created", 1)]


@pytest.mark.postgresql_only
def test_positions_grow_in_the_order_of_commits(transactional_db, acme, alone):
    """Two transactions told in one order commit in the other: readers see the order of commits."""
    first, second = alone(), alone()
    tell = "SELECT workspaces_tell(%s, %s::jsonb)"
    word = '[{"row": "%s", "kind": "a", "what": "b", "ids": [], "count": 1}]'
    second.execute("LISTEN stackmemory_news")
    with first.transaction():
        first.execute(tell, [acme.pk, word % uuid7()])
        second.execute("SET lock_timeout = '50ms'")
        with pytest.raises(Exception, match="lock timeout"):
            second.execute(tell, [acme.pk, word % uuid7()])
    second.execute(tell, [acme.pk, word % uuid7()])
    heard = [news.Message.parse(n.payload) for n in second.notifies(timeout=1, stop_after=2)]
    assert [m.position for m in heard] == sorted(m.position for m in heard)
    assert heard == news.since(acme.pk, 0, most=10)
