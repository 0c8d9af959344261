"""Which vectors a workspace is searched by: a change of model leaves no gap, large ones have an index."""

from __future__ import annotations

import io
import json
import threading
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from search import jobs, near, searching
from search.backends import Filters
from search.embedders import embedder, embedder_of
from search.embedding import embed_missing
from search.indexing import reindex
from search.models import Document, Embedding, VectorSet
from search.searching import search
from stackmemory.lib.tenancy import workspace_scope

pytestmark = pytest.mark.django_db
# What means the same; each model has axes of its own, so that one's vectors say nothing to another.
MEANINGS = (("drawer", "till", "money"), ("recipe", "bread"))


class Models:
    """An endpoint with two models, `a` and `b`; `away` are those that do not answer."""

    def __init__(self):
        self.asked, self.away = [], set()
        here = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                here.asked.append(body["model"])
                self.send_response(500 if body["model"] in here.away else 200)
                self.end_headers()
                data = [
                    {"index": n, "embedding": here.vector(text, body["model"])}
                    for n, text in enumerate(body["input"])
                ]
                self.wfile.write(json.dumps({"data": data}).encode())

            def log_message(self, *args):
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"

    @staticmethod
    def vector(text, model):
        axis = next((n for n, words in enumerate(MEANINGS) if any(w in text for w in words)), 2)
        return [float(n == axis) for n in range(3)] if model == "a" else [
            float(n == 3 - axis) for n in range(4)
        ]  # fmt: skip


@pytest.fixture
def endpoint(settings):
    models = Models()
    settings.EMBEDDINGS, settings.EMBEDDINGS_URL = "openai", models.url

    def use(model):
        settings.EMBEDDINGS_MODEL, settings.EMBEDDINGS_DIMENSION = model, {"a": 3, "b": 4}[model]
        embedder.cache_clear()
        embedder_of.cache_clear()

    models.use = use
    use("a")
    yield models
    embedder_of.cache_clear()
    models.server.shutdown()
    models.server.server_close()


def found(shop, text="money", **given):
    with workspace_scope(shop.actor.workspace.pk):
        return sorted(hit.document.head for hit in search(actor=shop.actor, text=text, **given))


def by_model(workspace):
    with workspace_scope(workspace.pk):
        rows = Embedding.objects.in_workspace(workspace).order_by("model")
        return {m: rows.filter(model=m).count() for m in rows.values_list("model", flat=True)}


DRAWERS = ["a drawer jams", "the drawer squeaks"]


def test_a_change_of_model_leaves_no_gap(shop, acme, globex, store_of, alice, endpoint):
    frame = shop.frame("Shop")
    shop.say(frame, *DRAWERS)
    shop.say(shop.frame("Site"), "a recipe on the wall")
    shop.ready()
    assert found(shop) == DRAWERS
    endpoint.use("b")

    # the old model's vectors are what there is
    assert found(shop) == DRAWERS
    assert endpoint.asked[-1] == "a"
    # some documents have the new ones by now, and one is written meanwhile: all are found
    with workspace_scope(acme.pk):
        first = Document.objects.in_workspace(acme).get(text=DRAWERS[0])
    embed_missing(workspace=acme, model=embedder(), kind="event", objects=[first.object_id])
    shop.say(frame, "the till is empty")
    with workspace_scope(acme.pk):
        new = frame.events.get(payload__contains="empty").pk
    jobs.index_changed(str(acme.pk), "event", str(new))
    assert by_model(acme) == {"a:3": 6, "b:4": 2}
    assert found(shop) == [*DRAWERS, "the till is empty"]
    assert endpoint.asked[-1] == "a"
    # another team, which had no vectors, goes by the new model from its first document
    other = store_of(alice, globex)
    other.say(other.frame("Other"), "their drawer")
    other.ready()
    assert found(other) == ["their drawer"]
    assert endpoint.asked[-1] == "b"

    out = io.StringIO()
    call_command("reindex", workspace="acme", stdout=out)
    assert "acme: 4 vectors by b:4" in out.getvalue()
    assert "acme: searched by b:4 from now on; the vectors by a:3 go in an hour" in out.getvalue()
    assert found(shop) == [*DRAWERS, "the till is empty"]
    assert endpoint.asked[-1] == "b"


def test_old_vectors_go_when_nobody_can_be_searching_by_them(shop, acme, endpoint, as_application):
    shop.say(shop.frame("Shop"), *DRAWERS)
    shop.ready()
    endpoint.use("b")
    with as_application():
        jobs.find_missing()
        jobs.catch_up(str(acme.pk))
        jobs.prune_vectors()
        assert by_model(acme) == {"a:3": 3, "b:4": 3}
        with workspace_scope(acme.pk):
            old = VectorSet.objects.in_workspace(acme).filter(model="a:3")
            assert old.update(replaced_at=timezone.now() - timedelta(hours=2)) == 1
        jobs.prune_vectors()
        assert by_model(acme) == {"b:4": 3}
        assert found(shop) == DRAWERS
        # back again: it is a new model like any other
        endpoint.use("a")
        assert found(shop) == DRAWERS
        assert endpoint.asked[-1] == "b"
        jobs.catch_up(str(acme.pk))
        assert found(shop) == DRAWERS
        assert endpoint.asked[-1] == "a"


def test_without_the_old_model_words_and_the_new_one_decide(shop, acme, endpoint):
    shop.say(shop.frame("Shop"), *DRAWERS)
    shop.ready()
    endpoint.use("b")
    endpoint.away.add("a")
    with workspace_scope(acme.pk):
        first = Document.objects.in_workspace(acme).get(text=DRAWERS[0])
    jobs.index_changed(str(acme.pk), "event", str(first.object_id))
    assert found(shop, "money") == DRAWERS[:1]
    assert found(shop, "drawer") == DRAWERS


def test_a_large_workspace_is_found_by_an_index_that_it_shares(
    shop, acme, globex, store_of, alice, bob, endpoint, as_application, monkeypatch
):
    monkeypatch.setattr(near, "LARGE", 20)
    monkeypatch.setattr(searching, "BY_VECTOR", 10)
    frame, hidden = shop.frame("Shop"), shop.frame("Mine", visibility="private")
    shop.say(frame, *[f"drawer {n}" for n in range(20)])
    shop.say(hidden, *[f"my till {n}" for n in range(9)])
    shop.say(shop.frame("Site"), "a recipe on the wall", type="error")
    small, bobs = store_of(alice, globex), store_of(bob, acme)
    small.say(small.frame("Other"), "their drawer")
    small.ready()
    reindex(workspace=acme)
    embed_missing(workspace=acme, model=embedder())
    connection.check_constraints()  # an index cannot be made in the transaction that wrote the rows
    with as_application():
        shop.ready()
        with workspace_scope(acme.pk):
            ours = Embedding.objects.in_workspace(acme)
            buckets = set(ours.values_list("bucket", flat=True))
            arranged = VectorSet.objects.in_workspace(acme).get().is_arranged
        is_postgres = connection.vendor == "postgresql"
        assert (buckets, arranged) == (({0}, True) if is_postgres else ({None}, False))
        # what is written later is in it at once
        shop.say(frame, "the last drawer")
        with workspace_scope(acme.pk):
            last = frame.events.get(payload__contains="last").pk
        jobs.index_changed(str(acme.pk), "event", str(last))
        with workspace_scope(acme.pk):
            assert set(ours.values_list("bucket", flat=True)) == buckets
        assert len(found(shop)) >= 10
        # what is somebody else's is passed over, and enough others found
        theirs = found(bobs)
        assert len(theirs) >= 10
        assert all("drawer" in head for head in theirs)
        # few pass this filter: those are compared one by one
        assert found(shop, "bread", filters=Filters(types=["error"])) == ["a recipe on the wall"]
        assert found(small) == ["their drawer"]


def test_indexes_are_as_many_as_buckets_however_many_teams(db):
    if connection.vendor == "sqlite":
        pytest.skip("PostgreSQL has approximate indexes; SQLite compares exactly")
    made = {near.backend().near_index("m", 3, bucket) for bucket in range(near.BUCKETS)}
    assert made == {True}
    assert near.backend().near_index("m", 3, near.BUCKETS) is False
    assert near.backend().near_index("m", 5_000, 0) is False
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_indexes WHERE indexname LIKE 'embedding_near_%%'")
        assert cursor.fetchone() == (near.BUCKETS,)
