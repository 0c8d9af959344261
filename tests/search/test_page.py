"""The search page, the API and that they agree."""

from __future__ import annotations

import pytest

from search.models import SavedSearch
from tests.api.client import error_of, key_for, ok
from tests.pages import few_queries

pytestmark = pytest.mark.django_db
URL = "/w/acme/search/"


@pytest.fixture
def stocked(shop):
    frame = shop.frame("Webhook <b>delivery</b>")
    shop.say(
        frame,
        "Retries of the webhook back off <script>alert(1)</script>",
        *[f"webhook attempt {n}" for n in range(60)],
    )
    shop.anchor("Retry webhooks five times", "DECISION")
    shop.ready()
    return shop


def test_hits_are_marked_reasoned_and_lead_to_their_moment(stocked, login, alice):
    page = login(alice).get(URL, {"q": "webhook retries back off"}).content.decode()
    assert "<mark>Retries</mark> of the <mark>webhook</mark>" in page
    assert "words: webhook, retries, back" in page
    assert "?at=20" in page
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page


def test_the_page_costs_few_queries_with_much_to_find(stocked, login, alice):
    client = login(alice)
    client.get(URL, {"q": "webhook"})
    for text in ("webhook attempt", "webhok atempt", "+type:decision", "my webhook work yesterday"):
        with few_queries():
            assert client.get(URL, {"q": text}).status_code == 200


def test_the_page_costs_few_queries_by_meaning(stocked, login, alice, with_meaning):
    stocked.ready()
    client = login(alice)
    client.get(URL, {"q": "webhook"})  # which model's vectors there are is remembered for a while
    with few_queries():
        assert client.get(URL, {"q": "webhook attempt"}).status_code == 200


def test_a_part_for_typing_and_the_whole_without_script(stocked, login, alice):
    client = login(alice)
    part = client.get(URL, {"q": "webhook", "part": "1"}).content.decode()
    assert "<html" not in part
    assert "part=1" not in part
    whole = client.get(URL, {"q": "webhook"}).content.decode()
    assert part.count('class="hit"') == whole.count('class="hit"') == 20


def test_facets_narrow_and_widen(stocked, login, alice):
    client = login(alice)
    page = client.get(URL, {"q": "webhook", "kind": "anchor"}).content.decode()
    assert page.count('class="hit"') == 1
    assert 'aria-current="true"' in page
    assert "Decision" in page
    empty = client.get(URL, {"q": "webhook", "project": "nowhere"}).content.decode()
    assert "search everywhere" in empty


def test_empty_states_teach(shop, stocked, login, alice, charlie):
    asked = login(alice).get(URL).content.decode()
    assert "what did we decide about caching" in asked
    other = login(charlie).get("/w/globex/search/").content.decode()
    assert "Nothing to find yet" in other
    nothing = login(alice).get(URL, {"q": "zebra"}).content.decode()
    assert "Nothing fits" in nothing
    wrong = login(alice).get(URL, {"q": "+ownr:alice"}).content.decode()
    assert "did you mean +owner:" in wrong


@pytest.mark.parametrize(
    "q", ["\x00", "<img src=x onerror=alert(1)>", "{" * 900, "+file:" + "*" * 90, "%' OR 1=1"
]
)  # fmt: skip
def test_hostile_queries_are_safe(stocked, login, alice, q):
    response = login(alice).get(URL, {"q": q.encode("utf-8", "replace").decode(), "type": q[:5]})
    assert response.status_code == 200
    assert "<img src=x" not in response.content.decode()


def test_saved_searches_are_one_s_own(stocked, login, alice, bob):
    client = login(alice)
    client.post(URL + "saved/", {"name": "Hooks", "query": "q=webhook&kind=event&evil=1"})
    saved = SavedSearch.unscoped.get()
    assert (saved.user, saved.name, saved.query) == (alice, "Hooks", "q=webhook&kind=event")
    assert "Hooks" in client.get(URL).content.decode()
    assert "Hooks" not in login(bob).get(URL).content.decode()
    assert login(bob).post(f"{URL}saved/{saved.pk}/deletion/").status_code == 404
    client.post(URL + "saved/", {"name": "Hooks", "query": "q=other"})
    assert SavedSearch.unscoped.get().query == "q=other"
    client.post(f"{URL}saved/{saved.pk}/deletion/")
    assert not SavedSearch.unscoped.exists()


def test_a_search_without_anything_is_not_saved(stocked, login, alice):
    login(alice).post(URL + "saved/", {"name": "x", "query": "evil=1"})
    assert not SavedSearch.unscoped.exists()


def test_the_api_answers_as_the_page_does(stocked, acme, bob):
    api = key_for(acme, bob, "read")
    body = ok(api.get("search", q="webhook retries back off", limit=3))
    assert len(body["hits"]) == 3
    first = body["hits"][0]
    assert first["text"].startswith("Retries of the webhook")
    assert (first["kind"], first["project"]) == ("event", "shop")
    assert "words: webhook, retries, back" in first["reasons"]
    assert "/w/acme/f/" in first["url"]
    assert body["facets"]["kind"]
    assert body["understood"]["text"] == "webhook retries back off"
    ids = ok(api.get("search", q="webhook +format:ids +limit:2"))["hits"]
    assert [set(hit) for hit in ids] == [{"id", "kind"}] * 2
    full = ok(api.post("search", {"query": {"text": "back off", "output": {"format": "full"}}}))
    assert "alert(1)" in full["hits"][0]["text"]


def test_the_api_says_what_is_wrong(stocked, acme, bob):
    api = key_for(acme, bob, "read")
    for given in ({"q": "+ownr:bob"}, {"q": ""}, {"q": "x" * 2001}, {"q": "x", "limit": 1000}):
        assert error_of(api.get("search", **given))[:2] == (400, "invalid")
    assert error_of(api.post("search", {"query": {"tiem": {}}}))[:2] == (400, "invalid")


def test_a_project_s_key_finds_its_project_alone(stocked, store_of, alice, acme, bob):
    till = store_of(alice, acme, "till")
    till.say(till.frame("Till"), "The webhook of the till")
    till.ready()
    api = key_for(acme, bob, "read", project_id=till.project.pk)
    hits = ok(api.get("search", q="webhook"))["hits"]
    assert {hit["project"] for hit in hits} == {"till"}
    assert error_of(api.get("search", q="webhook +project:shop"))[0] == 400


def test_hits_in_groups_have_headings(stocked, login, alice, acme, bob):
    page = login(alice).get(URL, {"q": "webhook retries +group:frame"}).content.decode()
    assert page.count('class="hits-group"') == 2
    assert "Webhook &lt;b&gt;delivery&lt;/b&gt;</bdi></h2>" in page
    assert "hits-group" not in login(alice).get(URL, {"q": "webhook"}).content.decode()
    answer = ok(key_for(acme, bob, "read").get("search", q="webhook retries +group:frame"))
    assert {hit["group"] for hit in answer["hits"]} == {"Webhook <b>delivery</b>", "Outside frames"}
