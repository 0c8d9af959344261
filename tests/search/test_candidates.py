"""What is read of candidates and beside them: the same on both engines."""

from __future__ import annotations

import pytest

from frames.models import Frame
from search.analyze import counted
from search.backends import Filters, backend
from search.models import Document
from search.searching import find
from stackmemory.lib.tenancy import workspace_scope

pytestmark = pytest.mark.django_db
TEXT = "o'clock back\\slash max_body_bytes, webhook webhook webhook 缓存 O'Clock"


def measured(shop, words, closely=None):
    workspace = shop.actor.workspace
    filters = Filters(person=shop.actor.user.pk)
    with workspace_scope(workspace.pk):
        ids = list(Document.objects.in_workspace(workspace).values_list("pk", flat=True))
        return backend().measured(workspace, filters, ids, words, None, "", closely)


def test_how_often_each_word_stands_there(shop):
    shop.say(shop.frame("Odd signs"), TEXT, "webhook")
    shop.ready()
    words = list(counted(TEXT))
    for asked in (words, [*words, *(f"none{n}" for n in range(20))]):  # few, and many
        found = {each.row.place: each.held for each in measured(shop, asked)}
        assert found[1] == counted(TEXT)
        assert found[2] == {"webhook": 1}


def test_texts_of_those_that_hold_all_words(shop):
    shop.say(shop.frame("Odd signs"), TEXT, "webhook", "o'clock webhook")
    shop.ready()
    words = list(counted("webhook o'clock"))
    texts = {each.row.place: each.text for each in measured(shop, words, words)}
    assert texts == {None: None, 1: f"Odd signs\n{TEXT}", 2: None, 3: "Odd signs\no'clock webhook"}
    assert all(each.text for each in measured(shop, words, []))
    assert not any(each.text for each in measured(shop, words))


def test_the_next_two_on_each_side_come_along(shop):
    frame = shop.frame("Long talk")
    shop.say(frame, *[f"part {n}" for n in range(5)], "the swordfish", *["more"] * 5)
    shop.ready()
    workspace = shop.actor.workspace
    with workspace_scope(workspace.pk):
        found = find(actor=shop.actor, text="swordfish")
        assert found.pool[0].place == 6
        assert {row.place for row in found.pool} == {4, 5, 6, 7, 8}
        of_others = Filters(types=["assistant_message"])
        assert backend().beside(workspace, of_others, found.pool[:1]) == []
        # a frame that has become somebody else's private one brings nothing along, nor itself
        Frame.objects.in_workspace(workspace).filter(pk=frame.pk).update(
            visibility="private", owner=None
        )
        assert find(actor=shop.actor, text="swordfish").pool == []
