"""The pages: what agents of a session were given, and what people say of it."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from search.context.compile import compile_context, items_of
from search.context.forgetting import forget_old
from search.models import ContextBundle, ContextMark
from stackmemory.lib.tenancy import workspace_scope
from tests.pages import few_queries

pytestmark = pytest.mark.django_db


@pytest.fixture
def given(run):
    frame = run.begin("Retry <b>webhooks</b>")
    run.store.say(frame, "The webhook answers <script>alert(1)</script>")
    for number in range(30):
        run.store.anchor(f"Rule {number}: never <i>guess</i>", "CONSTRAINT", priority=number % 10)
    run.store.ready()
    return run.given("webhooks", budget=3_000)


def url(name, *args):
    return reverse(f"search:{name}", args=["acme", *args])


def test_a_bundle_with_reasons_tokens_and_the_text_word_for_word(given, run, login, alice):
    browser = login(alice)
    with few_queries():
        page = browser.get(url("context", given.pk)).content.decode()
    assert "on top of the stack" in page
    assert re.search(rf'<meter[^>]* value="{given.tokens}">', page)
    assert "<script>alert" not in page
    assert "<b>webhooks" not in page
    assert "Rule 9: never &lt;i&gt;guess&lt;/i&gt;" in page
    assert re.search(r'<meter[^>]*max="3000"', page)
    session = browser.get(reverse("frames:session", args=["acme", run.session.pk]))
    assert url("contexts", run.session.pk) in session.content.decode()
    for _ in range(20):
        run.given()
    with few_queries():
        listed = browser.get(url("contexts", run.session.pk)).content.decode()
    assert url("context", given.pk) in listed


def test_marks_are_kept_changed_taken_back_and_move_the_score(given, run, login, alice, bob):
    one = next(item for item in items_of(given) if item.section == "rules")
    other = next(
        item for item in items_of(run.given()) if item.section == "rules" and item.id != one.id
    )
    place = url("context-mark", given.pk)
    for user in (alice, bob):
        assert login(user).post(place, {"item": one.id, "useful": "no"}).status_code == 302
    assert ContextMark.unscoped.count() == 2
    page = login(alice).get(url("context", given.pk)).content.decode()
    assert page.count('aria-pressed="true"') == 1
    marked = next(item for item in items_of(run.given("webhooks")) if item.id == one.id)
    assert marked.score < one.score
    assert "marked useful by 0 of 2" in marked.reason
    assert ([i.id for i in items_of(run.given("webhooks"))].index(other.id)
            < [i.id for i in items_of(run.given("webhooks"))].index(one.id))  # fmt: skip
    login(bob).post(place, {"item": one.id, "useful": "yes"})
    assert ContextMark.unscoped.get(user=bob).useful
    for answer in ("yes", ""):
        login(bob).post(place, {"item": one.id, "useful": answer})
    assert not ContextMark.unscoped.filter(user=bob).exists()
    for item in ("nonsense", str(given.pk), ""):
        login(alice).post(place, {"item": item, "useful": "yes"})
    assert ContextMark.unscoped.count() == 1


def test_viewers_read_and_ask_but_do_not_mark(given, run, login, viola):
    browser = login(viola)
    page = browser.get(url("context", given.pk)).content.decode()
    assert "context-marks" not in page
    assert browser.post(url("context-mark", given.pk), {"item": "x"}).status_code == 403
    answer = browser.post(url("context-new", run.session.pk), {"budget": "500"})
    assert ContextBundle.unscoped.get(origin="page").budget == 500
    assert answer.status_code == 302


def test_as_of_from_the_page_and_what_is_no_time(given, run, login, alice):
    browser, place = login(alice), url("context-new", run.session.pk)
    browser.post(place, {"as_of": "2026-01-31T12:00:00", "query": "x\x00", "budget": "nonsense"})
    bundle = ContextBundle.unscoped.get(origin="page")
    assert bundle.as_of.isoformat() == "2026-01-31T12:00:00+00:00"
    assert bundle.text == ""
    empty = browser.get(url("context", bundle.pk)).content.decode()
    assert "Nothing was given" in empty
    for wrong in ({"as_of": "soon"}, {"as_of": "2999-01-01T00:00"}, {"budget": "5"}):
        answer = browser.post(place, wrong, follow=True)
        assert "message" in answer.content.decode()
    assert ContextBundle.unscoped.filter(origin="page").count() == 1


def test_private_bundles_are_their_owner_s_and_other_teams_see_none(
    run, login, alice, bob, charlie, acme
):
    run.begin("Zebra plan", visibility="private")
    bundle = run.given()
    assert "Zebra" in login(alice).get(url("context", bundle.pk)).content.decode()
    assert login(bob).get(url("context", bundle.pk)).status_code == 404
    assert login(bob).post(url("context-mark", bundle.pk)).status_code == 404
    assert str(bundle.pk) not in login(bob).get(url("contexts", run.session.pk)).content.decode()
    assert login(charlie).get(url("context", bundle.pk)).status_code == 404
    elsewhere = reverse("search:context", args=["globex", bundle.pk])
    assert login(charlie).get(elsewhere).status_code == 404
    with workspace_scope(acme.pk):
        robot = compile_context(actor=run.actor, project=run.store.project, query="zebra")
    assert robot.session is None
    assert login(alice).get(url("context", robot.pk)).status_code == 200


def test_old_ones_are_let_go_and_marks_stay(run, login, alice, settings):
    run.store.anchor("Rule", "CONSTRAINT")
    old, young = run.given(), run.given()
    item = next(items_of(old))
    login(alice).post(url("context-mark", old.pk), {"item": item.id, "useful": "yes"})
    past = timezone.now() - timedelta(days=181)
    ContextBundle.unscoped.filter(pk=old.pk).update(created_at=past)
    settings.CONTEXT_DAYS = 0
    assert forget_old() == 0
    settings.CONTEXT_DAYS = 180
    assert forget_old() == 1
    assert ContextBundle.unscoped.get() == young
    assert ContextMark.unscoped.get().bundle is None
