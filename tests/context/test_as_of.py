"""What would have been given then, from what was known then."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from frames import calls, handing_off
from frames.anchoring import add_anchor, change_anchor
from frames.appending import EventIn, append_batch
from frames.models import Anchor, Frame, Revision
from search.models import ContextMark
from stackmemory.lib.tenancy import workspace_scope
from tests.context.conftest import Run, acting, texts

pytestmark = pytest.mark.django_db
NOON = timezone.now() - timedelta(days=2)


def at(hours: float) -> datetime:
    return NOON + timedelta(hours=hours)


@pytest.fixture
def history(run: Run) -> Run:
    """At 0 the work begins, at 1 a part of it, which closes at 3 and opens again at 5."""
    shop = run.store
    top = run.begin("Checkout", started_at=at(0))
    part = run.begin("Retry webhooks", started_at=at(1), constraints=["No new dependency"])
    shop.say(part, "The webhook answers 503", occurred_at=at(2))
    run.end(part, "Retries work.", closed_at=at(3))
    part.refresh_from_db()
    with workspace_scope(shop.actor.workspace.pk):
        calls.reopen_frame(actor=shop.actor, frame=part)
    Revision.unscoped.filter(object_id=part.pk).update(valid_to=at(5))
    shop.say(top, "The till is green", occurred_at=at(6))
    shop.ready()
    return run


def test_frames_as_they_stood_open_closed_and_open_again(history):
    def names(hours: float) -> list[str]:
        return [text.split(" (")[0] for text in texts(history.given(as_of=at(hours)), "path")]

    assert names(-1) == []
    assert names(0.5) == ["Checkout"]
    assert names(2) == ["Checkout", "Retry webhooks"]
    assert names(4) == ["Checkout"]
    assert names(6) == ["Checkout", "Retry webhooks"]
    closed = texts(history.given(as_of=at(4)), "digests")
    assert closed
    assert "Retries work." in closed[0], "the digest it had before it was opened again"
    assert texts(history.given(as_of=at(2)), "digests") == []
    assert texts(history.given(as_of=at(6)), "digests") == []


def test_events_that_had_happened(history):
    assert texts(history.given(as_of=at(1.5)), "events") == []
    assert "503" in texts(history.given(as_of=at(2.5)), "events")[0]
    then = " ".join(texts(history.given(as_of=at(5.5)), "events"))
    assert "503" in then
    assert "green" not in then
    assert "green" in " ".join(texts(history.given(as_of=at(7)), "events"))


def test_anchors_noted_reworded_pinned_and_replaced(history):
    shop, actor = history.store, history.actor
    old = shop.anchor("Use Redis", "DECISION")
    Anchor.unscoped.filter(pk=old.pk).update(noted_at=at(1))
    rule = shop.anchor("At most 3 tries", "CONSTRAINT")
    Anchor.unscoped.filter(pk=rule.pk).update(noted_at=at(1))
    with workspace_scope(actor.workspace.pk):
        change_anchor(actor=actor, anchor=Anchor.unscoped.get(pk=rule.pk), text="At most 5 tries")
        change_anchor(actor=actor, anchor=Anchor.unscoped.get(pk=rule.pk), text="At most 7 tries")
        new, _ = add_anchor(
            actor=actor, project=shop.project, text="Use PostgreSQL", type="DECISION",
            supersedes=Anchor.unscoped.get(pk=old.pk),
        )  # fmt: skip
    first, second = Revision.unscoped.filter(object_id=rule.pk).order_by("valid_to")
    Revision.unscoped.filter(pk=first.pk).update(valid_to=at(2))
    Revision.unscoped.filter(pk=second.pk).update(valid_to=at(4))
    Anchor.unscoped.filter(pk=old.pk).update(superseded_at=at(3))
    Anchor.unscoped.filter(pk=new.pk).update(noted_at=at(3))

    def told(hours: float) -> list[str]:
        bundle = history.given(as_of=at(hours))
        return texts(bundle, "rules") + texts(bundle, "anchors")

    assert told(0.5) == []
    assert told(1.5) == ["At most 3 tries", "Use Redis"]
    assert told(2.5) == ["At most 5 tries", "Use Redis"]
    assert told(3.5) == ["At most 5 tries", "Use PostgreSQL"]
    assert told(4.5) == ["At most 7 tries", "Use PostgreSQL"]


def test_what_was_private_then_is_not_given_to_others(history, acme, bob):
    shop, actor = history.store, history.actor
    frame = shop.frame("Zebra plan", visibility="private", started_at=at(0))
    shop.anchor("Zebra rule", "CONSTRAINT", frame=frame)
    Anchor.unscoped.filter(frame=frame).update(noted_at=at(0))
    with workspace_scope(acme.pk):
        calls.promote_frame(actor=actor, frame=frame)
    Revision.unscoped.filter(object_id=frame.pk).update(valid_to=at(4))
    his = acting(acme, bob)
    history.session = None
    assert "Zebra" not in history.given(as_of=at(2), actor=his).text
    assert "Zebra rule" in history.given(as_of=at(5), actor=his).text
    mine = history.given(as_of=at(2))
    assert "Zebra rule" in mine.text
    assert mine.private, "it was private then, so what is said of then is too"


def test_whose_a_frame_was(history, acme, bob):
    actor = history.actor
    frame = history.store.frame("Ledger", started_at=at(0))
    with workspace_scope(acme.pk):
        offer = handing_off.hand_off(actor=actor, frame=frame, to=bob.email)
        handing_off.answer(actor=acting(acme, bob, "member"), hand_off=offer, accept=True)
    Revision.unscoped.filter(object_id=frame.pk).update(valid_to=at(4))
    assert texts(history.given(as_of=at(2)), "others") == ["Ledger (Alice)"]
    assert texts(history.given(as_of=at(5)), "others") == ["Ledger (Bob)"]


def test_a_question_then_finds_what_there_was_then(history):
    shop = history.store
    shop.anchor("Invoices have numbers", "FACT")
    shop.ready()
    assert "Invoices" in history.given("invoices numbers").text
    assert "Invoices" not in history.given("invoices numbers", as_of=at(5)).text


def test_then_stays_as_it_was_whatever_comes_later(history):
    then = history.given(as_of=at(4))
    shop = history.store
    shop.anchor("A new rule", "CONSTRAINT")
    part = Frame.unscoped.get(name="Retry webhooks")
    with workspace_scope(part.workspace_id):
        append_batch(actor=history.actor, events=[EventIn(str(part.pk), "note", {"text": "later"})])
    history.end(part, "Done at last")
    ContextMark.unscoped.create(
        workspace=part.workspace, project=shop.project, object_id=part.pk, kind="frame",
        user=history.actor.user, useful=True,
    )  # fmt: skip
    shop.ready()
    again = history.given(as_of=at(4))
    assert (again.text, again.hash) == (then.text, then.hash)
    assert f"as of {at(4):%Y-%m-%d %H:%M} UTC" in again.text
