"""Summaries by an endpoint: off by default, marked, without secrets, tried again."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from frames import calls
from frames.jobs import summarise
from frames.models import Frame, Revision
from frames.summarising import Unavailable
from stackmemory.lib.tenancy import workspace_scope

pytestmark = pytest.mark.django_db


@pytest.fixture
def endpoint(settings):
    """`.answers` are (status, body) to give; `.asked` what it was sent."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            server.asked.append((self.path, dict(self.headers), body))
            status, answer = server.answers.pop(0) if server.answers else (200, None)
            said = "Retries wait\nlonger. The key is AKIAIOSFODNN7EXAMPLE."
            usual = {"choices": [{"message": {"role": "assistant", "content": said}}]}
            self.send_response(status)
            if status == 302:
                self.send_header("Location", "/elsewhere")
            self.end_headers()
            self.wfile.write(json.dumps(usual if answer is None else answer).encode())

        def log_message(self, *args):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    server.asked, server.answers = [], []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    settings.SUMMARIES, settings.SUMMARIES_KEY = "openai", "secret-key"
    settings.SUMMARIES_URL = f"http://127.0.0.1:{server.server_port}/v1/"
    settings.SUMMARIES_MODEL = "small-1"
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def asked_for(monkeypatch):
    """The frames whose summaries were asked for."""
    jobs = []
    monkeypatch.setattr("frames.summarising.enqueue", lambda *job: jobs.append(job))
    return jobs


def done(run, name="Retries", **given):
    frame = run.begin(name, **given)
    run.store.say(frame, "Why does it fail?", "password=hunter2hunter2", "It backs off now")
    run.end(frame, "Fixed.")
    return Frame.unscoped.get(pk=frame.pk)


def test_nothing_is_asked_unless_it_is_switched_on(run, asked_for):
    done(run)
    assert asked_for == []


def test_a_summary_stands_beside_the_digest_and_says_who_wrote_it(run, asked_for, endpoint):
    frame = done(run)
    assert asked_for == [("frames.jobs.summarise", frame.workspace_id, frame.pk)]
    summarise(str(frame.workspace_id), str(frame.pk))
    (path, headers, body), = endpoint.asked  # fmt: skip
    assert path == "/v1/chat/completions"
    assert headers["Authorization"] == "Bearer secret-key"
    record = body["messages"][1]["content"]
    assert "It backs off now" in record
    assert "hunter2" not in record
    after = Frame.unscoped.get(pk=frame.pk)
    assert after.digest["summary"]["model"] == "small-1"
    assert after.digest["summary"]["text"].startswith("Retries wait longer.")
    assert "AKIA" not in after.digest_text
    assert after.digest_text.startswith(frame.digest_text + "\nSummary by small-1: Retries wait")
    assert {k: v for k, v in after.digest.items() if k != "summary"} == frame.digest
    assert Revision.unscoped.get(object_id=frame.pk).data["digest_text"] == frame.digest_text
    summarise(str(frame.workspace_id), str(frame.pk))
    assert len(endpoint.asked) == 1, "once"
    run.store.ready()
    assert "Summary by small-1" in run.given("retries longer").text


def test_private_work_and_small_work_stay_here(run, asked_for, endpoint):
    frame = done(run, "Secret plan", visibility="private")
    small = run.begin("Small")
    run.end(small)
    assert asked_for == []
    summarise(str(frame.workspace_id), str(frame.pk))
    assert endpoint.asked == []


def test_what_passes_is_tried_again_and_what_does_not_is_let_be(run, asked_for, endpoint):
    frame = done(run)
    job = (str(frame.workspace_id), str(frame.pk))
    endpoint.answers += [(503, {}), (429, {})]
    for _ in range(2):
        with pytest.raises(Unavailable):
            summarise(*job)
    endpoint.answers += [(302, {}), (401, {}), (200, {"choices": []}), (200, [1]), (200, "x")]
    for _ in range(5):
        summarise(*job)
    assert [path for path, _, _ in endpoint.asked] == ["/v1/chat/completions"] * 7
    assert "summary" not in Frame.unscoped.get(pk=frame.pk).digest
    summarise(*job)
    assert "summary" in Frame.unscoped.get(pk=frame.pk).digest


def test_a_frame_that_was_opened_again_meanwhile_keeps_what_it_has(run, asked_for, endpoint):
    frame = done(run)
    with workspace_scope(frame.workspace_id):
        calls.reopen_frame(actor=run.actor, frame=frame)
    summarise(str(frame.workspace_id), str(frame.pk))
    assert Frame.unscoped.get(pk=frame.pk).digest == {}
    assert endpoint.asked == []
