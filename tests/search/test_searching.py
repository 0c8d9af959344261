"""What is found, in which order and why: the same on both engines."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import pytest
from django.utils import timezone

from frames import calls
from frames.anchoring import add_anchor
from search.asking import Chosen, ask
from search.searching import search
from stackmemory.lib.tenancy import workspace_scope
from tests.search.conftest import acting

pytestmark = pytest.mark.django_db


def titles(actor, text, **given):
    with workspace_scope(actor.workspace.pk):
        return [hit.document.head for hit in search(actor=actor, text=text, **given)]


def asked(actor, given, **more):
    with workspace_scope(actor.workspace.pk):
        return ask(actor=actor, given=given, **more)


def heads(answer):
    return [hit.document.head for hit in answer.hits]


@pytest.fixture
def stocked(shop):
    frame = shop.frame("Webhook delivery")
    shop.say(
        frame,
        "Retries of the webhook back off exponentially",
        "TypeError: cannot read property 'id' of undefined in src/app/webhook.ts",
        "Call parseHTTPHeader before max_body_bytes is checked",
        "支払いの再試行は三回まで",
        "缓存在一小时后过期",
        "The cache of product pages expires after an hour",
        "Lunch was good today",
    )
    shop.anchor("Cache product pages for an hour", "DECISION", aliases=["page cache"])
    shop.ready()
    return shop


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("how do webhook retries back off?", "Retries of the webhook"),
        ("parseHTTPHeader", "Call parseHTTPHeader"),
        ("http header", "Call parseHTTPHeader"),
        ("max_body_bytes", "Call parseHTTPHeader"),
        ("src/app/webhook.ts", "TypeError"),
        ("webhook.ts", "TypeError"),
        ("cannot read property 'id' of undefined", "TypeError"),
        ("再試行", "支払い"),
        ("缓存过期", "缓存"),
        ("product pages", "Cache product pages"),
    ],
)
def test_words_identifiers_paths_errors_and_other_scripts(stocked, text, found):
    assert titles(stocked.actor, text)[0].startswith(found)


def test_a_mistyped_word_is_taken_for_the_near_one_and_says_so(stocked):
    answer = asked(stocked.actor, "exponentialy webhok retries")
    assert answer.hits[0].document.head.startswith("Retries of the webhook")
    assert any("webhok → webhook" in reason for reason in answer.hits[0].reasons)
    assert any(part.startswith("webhok → ") for part in answer.query.understood)


def test_a_mistyped_word_alone_finds(stocked):
    assert titles(stocked.actor, "webhok")
    assert titles(stocked.actor, "wbehook")


@pytest.mark.parametrize(
    "text",
    ["xqzvw plmokn", "qwertzuiop", "how do I bake a lasagna with mushrooms", "!!!", "", "the of and",
     "\x00", "  ", "%", "' OR 1=1 --", "a" * 5000],
)  # fmt: skip
def test_nonsense_finds_nothing(stocked, text):
    assert titles(stocked.actor, text) == []


def test_unrelated_questions_find_nothing_by_meaning_either(shop, with_meaning):
    frame = shop.frame("Webhook delivery")
    shop.say(frame, "Retries of the webhook back off exponentially", "The cache expires in an hour")
    shop.ready()
    assert titles(shop.actor, "how do I bake a lasagna with mushrooms") == []
    assert titles(shop.actor, "xqzvw plmokn") == []
    assert titles(shop.actor, "trying a failed webhook request again later")[0].startswith(
        "Retries"
    )


def test_reasons_name_words_alias_phrase_and_age(stocked):
    (hit, *_) = asked(stocked.actor, "page cache").hits
    assert hit.document.kind == "anchor"
    assert "also known as “page cache”" in hit.reasons
    assert "the words as a phrase" in hit.reasons
    assert any(reason.startswith("words: page, cache") for reason in hit.reasons)
    assert "recent: today" in hit.reasons
    (phrase, *_) = asked(stocked.actor, '"expires after an hour"').hits
    assert "the phrase “expires after an hour”" in phrase.reasons


def test_pinned_first_and_superseded_last_with_reasons(shop):
    old = shop.anchor("Deploy on Fridays is fine", "DECISION")
    shop.anchor("Deploy rules are reviewed quarterly", "DECISION")
    with workspace_scope(shop.actor.workspace.pk):
        add_anchor(
            actor=shop.actor, project=shop.project, text="Deploy on Mondays is fine",
            type="DECISION", supersedes=old,
        )  # fmt: skip
    shop.ready()
    hits = asked(shop.actor, "deploy is fine").hits
    assert hits[0].document.head == "Deploy on Mondays is fine"
    replaced = next(hit for hit in hits if "Fridays" in hit.document.head)
    assert any(reason.startswith("superseded") for reason in replaced.reasons)
    assert replaced.score < hits[0].score


def test_a_plain_question_is_left_as_it_is(stocked):
    for text in ("how do webhook retries back off?", "What did the cache do on product pages?"):
        answer = asked(stocked.actor, text)
        with workspace_scope(stocked.actor.workspace.pk):
            plain = search(actor=stocked.actor, text=text)
        assert [h.document.pk for h in answer.hits] == [h.document.pk for h in plain]


def test_private_work_is_its_owner_s(shop, acme, bob, alice):
    frame = shop.frame("Secret plan", visibility="private")
    shop.say(frame, "the zebra flies at midnight")
    shop.ready()
    assert titles(shop.actor, "zebra")
    assert titles(acting(acme, bob), "zebra") == []
    assert titles(acting(acme, None), "zebra") == []
    # Neither the words nor the names of private work show in anybody's corrections.
    assert asked(acting(acme, bob), "zebrra").query.understood == []
    with workspace_scope(acme.pk):
        calls.promote_frame(actor=shop.actor, frame=frame)
    shop.ready()


def test_what_became_private_elsewhere_is_not_shown_though_its_document_lags(shop, acme, bob):
    frame = shop.frame("Plan")
    shop.say(frame, "the zebra flies at midnight")
    shop.ready()
    type(frame).unscoped.filter(pk=frame.pk).update(visibility="private")
    assert titles(acting(acme, bob), "zebra") == []
    assert titles(shop.actor, "zebra")


def test_another_team_finds_nothing_of_it(stocked, globex, charlie):
    assert titles(acting(globex, charlie), "webhook retries") == []
    assert asked(acting(globex, charlie), "webhok").query.understood == []


def test_facets_count_and_choices_narrow(stocked, store_of, alice, acme):
    other = store_of(alice, acme, "till")
    other.say(other.frame("Receipts"), "The webhook prints receipts")
    other.ready()
    answer = asked(stocked.actor, "webhook")
    projects = {choice.value: choice.count for choice in answer.facets["project"]}
    assert projects["till"] >= 1
    assert sum(projects.values()) == answer.total
    assert [c.label for c in answer.facets["person"]] == ["Alice"]
    only = asked(stocked.actor, "webhook", chosen=Chosen(project="till"))
    assert {hit.document.project.slug for hit in only.hits} == {"till"}
    assert asked(stocked.actor, "webhook", chosen=Chosen(kind="anchor")).hits == []
    assert asked(stocked.actor, "webhook", chosen=Chosen(project="nowhere")).hits == []


def test_modifiers_hold_and_words_yield(stocked):
    late = timezone.now() + timedelta(days=3)
    answer = asked(stocked.actor, "webhook retries yesterday", now=late)
    assert answer.yielded == ["time"]
    assert answer.hits
    assert asked(stocked.actor, "webhook retries +last:1d", now=late).hits == []


def test_filters_alone_list_the_newest(stocked):
    answer = asked(stocked.actor, "+type:decision")
    assert heads(answer)[0].startswith("Cache product pages")
    assert asked(stocked.actor, "decisions").total == 1
    assert heads(asked(stocked.actor, "+file:*.ts"))[0].startswith("TypeError")
    assert asked(stocked.actor, "+file:*.py").hits == []
    assert asked(stocked.actor, "+owner:alice +limit:2").query.limit == 2
    assert len(asked(stocked.actor, "+owner:alice +limit:2").hits) == 2


def test_people_by_owner(stocked, store_of, bob, acme):
    bobs = store_of(bob, acme)
    bobs.say(bobs.frame("Bob's"), "The webhook needs a signature")
    bobs.ready()
    assert heads(asked(stocked.actor, "webhook +owner:bob"))[0].startswith("The webhook needs")
    assert all(hit.document.owner == bob for hit in asked(stocked.actor, "bob's webhook work").hits)
    assert all(hit.document.owner != bob for hit in asked(stocked.actor, "my webhook work").hits)


def test_decisions_count_more_where_they_are_asked_for(shop):
    frame = shop.frame("Caching")
    shop.say(frame, "We talked about caching for long", "caching caching caching is hard")
    shop.anchor("Caching: one hour for product pages", "DECISION")
    shop.ready()
    (hit, *_) = asked(shop.actor, "what did we decide about caching").hits
    assert hit.document.kind == "anchor"
    assert "of the kind asked for: decision" in hit.reasons


def test_sorting_by_time_excluding_words_and_ids(stocked):
    ats = [hit.document.at for hit in asked(stocked.actor, "webhook hour +sort:time").hits]
    assert ats == sorted(ats, reverse=True)
    structured = {"text": "webhook", "content": {"excludeKeywords": ["typeerror"]}}
    assert all("TypeError" not in head for head in heads(asked(stocked.actor, structured)))


def test_many_documents_cost_no_more_queries(shop, django_assert_max_num_queries):
    frame = shop.frame("Long")
    for part in range(3):
        shop.say(frame, *[f"webhook number {part} {n}" for n in range(100)])
    shop.ready()
    with workspace_scope(shop.actor.workspace.pk), django_assert_max_num_queries(8):
        assert len(ask(actor=shop.actor, given="webhook number").hits) == 20


def test_kinds_and_types_named_together_are_either(stocked):
    both = asked(stocked.actor, "+type:decision,frame")
    assert {hit.document.kind for hit in both.hits} == {"anchor", "frame"}
    assert both.query.understood == ["type: decision", "type: frame"]
    found = asked(stocked.actor, "webhook cache +type:decision,frame")
    assert {(hit.document.kind, hit.document.type) for hit in found.hits} == {
        ("anchor", "DECISION"), ("frame", stocked.project.frames.get().type),
    }  # fmt: skip
    # what is picked beside it narrows either of them; a kind and a type apart are both held to
    assert {hit.document.kind for hit in asked(stocked.actor, "+type:decision,frame", chosen=Chosen(kind="frame")).hits} == {"frame"}  # fmt: skip
    assert {hit.document.kind for hit in asked(stocked.actor, "+type:decision,frame", chosen=Chosen(type="decision")).hits} == {"anchor"}  # fmt: skip
    assert asked(stocked.actor, "+kind:frame +type:decision").hits == []
    kinds = {hit.document.kind for hit in asked(stocked.actor, "+kind:frame,anchor").hits}
    assert kinds == {"frame", "anchor"}


def test_hits_in_groups_stand_together_under_headings(stocked, alice):
    stocked.say(stocked.frame("Other"), "the webhook of the other frame")
    stocked.ready()
    answer = asked(stocked.actor, "webhook +group:frame")
    groups = [hit.group for hit in answer.hits]
    assert set(groups) >= {"Webhook delivery", "Other"}
    assert len([1 for a, b in pairwise(groups) if a != b]) == len(set(groups)) - 1
    assert answer.hits[0].score == max(hit.score for hit in answer.hits)
    for by, heading in (
        ("owner", alice.name),
        ("time", "Today"),
        ("project", "Shop"),
        ("type", "User message"),
    ):
        assert heading in {hit.group for hit in asked(stocked.actor, f"webhook +group:{by}").hits}
    assert {hit.group for hit in asked(stocked.actor, "webhook").hits} == {""}
