"""Vectors from an endpoint: batches, retries, a rest after failures, and nothing secret leaves."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import numpy as np
import pytest

from search import searching, vectors
from search.embedders.openai import BATCH, FAILURES, PAUSE, OpenAIEmbedder, Unavailable
from stackmemory.lib.tenancy import workspace_scope


class Endpoint:
    """Answers with what `answers` says, then with vectors; keeps what it was asked."""

    def __init__(self):
        self.answers, self.asked, self.headers = [], [], []
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                endpoint.asked.append(body)
                endpoint.headers.append(dict(self.headers))
                status, data = endpoint.answers.pop(0) if endpoint.answers else (200, None)
                if data is None:
                    vectors = [{"index": n, "embedding": [3.0, 4.0, 0.0]} for n in range(len(body["input"]))]  # fmt: skip
                    data = {"data": vectors[::-1]}
                self.send_response(status)
                if status == 302:
                    self.send_header("Location", "/elsewhere")
                self.end_headers()
                self.wfile.write(json.dumps(data).encode())

            def log_message(self, *args):
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"


@pytest.fixture
def endpoint():
    endpoint = Endpoint()
    yield endpoint
    endpoint.server.shutdown()
    endpoint.server.server_close()


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def model(endpoint):
    clock, slept = Clock(), []
    model = OpenAIEmbedder(
        url=endpoint.url, key="k", model="m", dimension=3, sleep=slept.append, clock=clock
    )
    model.test_clock, model.slept = clock, slept
    return model


def test_texts_go_in_batches_and_come_back_as_unit_vectors(endpoint, model):
    vectors = model.embed(["text"] * (BATCH + 1))
    assert vectors.shape == (BATCH + 1, 3)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1)
    assert [len(asked["input"]) for asked in endpoint.asked] == [BATCH, 1]
    assert (endpoint.asked[0]["model"], endpoint.asked[0]["dimensions"]) == ("m", 3)
    assert endpoint.headers[0]["Authorization"] == "Bearer k"
    assert model.name == "m:3"
    assert model.embed([]).shape == (0, 3)


def test_secrets_do_not_leave(endpoint, model):
    model.embed(["use AKIAQYLPMN5HHHFPZAM2 for it"])
    assert "AKIAQYLPMN5HHHFPZAM2" not in json.dumps(endpoint.asked)


def test_what_passes_is_tried_again_and_what_stays_wrong_is_not(endpoint, model):
    endpoint.answers = [(503, {}), (429, {})]
    assert len(model.embed(["a", "b"])) == 2
    assert model.slept == [0.5, 1.0]
    endpoint.answers, endpoint.asked = [(401, {})], []
    with pytest.raises(Unavailable, match="HTTP 401"):
        model.embed(["a", "b"])
    assert len(endpoint.asked) == 1


@pytest.mark.parametrize(
    "data",
    [{}, {"data": []}, {"data": [{"index": 0, "embedding": [1.0]}]}, [], "x",
     {"data": [{"index": 0, "embedding": ["a", 1, 1]}]}],
)  # fmt: skip
def test_odd_answers_are_no_vectors(endpoint, model, data):
    endpoint.answers = [(200, data)]
    with pytest.raises(Unavailable):
        model.embed(["a"])


def test_a_redirect_is_not_followed_with_the_key(endpoint, model):
    endpoint.answers = [(302, {})]
    with pytest.raises(Unavailable, match="302"):
        model.embed(["a"])
    assert len(endpoint.asked) == 1


def test_after_many_failures_it_rests_and_then_one_tries(endpoint, model):
    endpoint.answers = [(500, {})] * FAILURES
    for _ in range(FAILURES):
        with pytest.raises(Unavailable):
            model.embed(["a"])
    with pytest.raises(Unavailable, match="left alone"):
        model.embed(["a"])
    assert len(endpoint.asked) == FAILURES
    model.test_clock.now = PAUSE + 1
    endpoint.answers = [(500, {})]
    with pytest.raises(Unavailable, match="500"):
        model.embed(["a"])
    with pytest.raises(Unavailable, match="left alone"):
        model.embed(["a"])
    model.test_clock.now = 2 * PAUSE + 2
    assert len(model.embed(["a"])) == 1


@pytest.mark.django_db
def test_a_search_goes_by_words_where_it_gives_nothing(endpoint, model, shop, monkeypatch):
    shop.say(shop.frame("Till"), "the drawer jams")
    shop.ready()
    monkeypatch.setattr(vectors, "embedder", lambda: model)
    endpoint.answers = [(500, {})]
    with workspace_scope(shop.actor.workspace.pk):
        hits = searching.search(actor=shop.actor, text="drawer")
    assert [hit.document.head for hit in hits] == ["the drawer jams"]
