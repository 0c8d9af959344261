"""A write with an Idempotency-Key is done once, however often it is sent."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from stackmemory.lib import locks
from tests.api.client import error_of, key_for, ok
from workspaces import idempotency
from workspaces.models import ApiKey, IdempotencyKey

pytestmark = pytest.mark.django_db


def frames(agent) -> list[str]:
    return [frame["name"] for frame in ok(agent.get("frames"))["items"]]


def test_a_repetition_gets_the_first_answer_and_does_nothing(agent, shop):
    first = agent.post("frames", {"name": "Once"}, idempotency_key="k1")
    again = agent.post("frames", {"name": "Once"}, idempotency_key="k1")
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert "Idempotency-Replayed" not in first
    assert again["Idempotency-Replayed"] == "true"
    assert again["X-Request-Id"] != first["X-Request-Id"]
    assert frames(agent) == ["Once"]


def test_without_the_header_every_request_counts(agent, shop):
    for _ in range(2):
        ok(agent.post("frames", {"name": "Twice"}), 201)
    assert frames(agent) == ["Twice", "Twice"]


@pytest.mark.parametrize("other", ["body", "path", "method"])
def test_the_same_key_for_another_request_is_refused(agent, frame, other):
    path = f"frames/{frame['id']}/close"
    ok(agent.post(path, {"result": "a"}, idempotency_key="k1"))
    if other == "body":
        response = agent.post(path, {"result": "b"}, idempotency_key="k1")
    elif other == "path":
        response = agent.post(f"{path}?x=1", {"result": "a"}, idempotency_key="k1")
    else:
        response = agent.delete("tasks/a/dependencies/b", idempotency_key="k1")
    assert error_of(response) == (422, "idempotency_key_reused", "Idempotency-Key")


def test_keys_of_two_callers_are_apart(agent, acme, bob, shop):
    ok(agent.post("frames", {"name": "Mine"}, idempotency_key="1"), 201)
    other = key_for(acme, bob, "read", "write")
    ok(other.post("frames", {"name": "Theirs"}, idempotency_key="1"), 201)
    assert frames(agent) == ["Theirs", "Mine"]


def test_what_is_wrong_stays_wrong(agent, shop):
    first = agent.post("frames", {"name": ""}, idempotency_key="k1")
    again = agent.post("frames", {"name": ""}, idempotency_key="k1")
    assert first.status_code == again.status_code == 400
    assert again["Idempotency-Replayed"] == "true"
    assert first.json() == again.json()


def test_a_conflict_is_not_remembered(agent, shop):
    """Meanwhile it may have become possible."""
    done = ok(agent.post("tasks", {"title": "Done"}), 201)
    path = f"tasks/{done['id']}/status"
    ok(agent.post(path, {"status": "completed"}))
    for _ in range(2):
        refused = agent.post(path, {"status": "pending"}, idempotency_key="k1")
        assert error_of(refused) == (409, "completed", "status")
        assert "Idempotency-Replayed" not in refused


def test_a_failure_is_not_remembered(agent, shop, monkeypatch):
    def fail(**kwargs):
        raise RuntimeError

    monkeypatch.setattr("frames.api.frames.start_frame", fail)
    assert agent.post("frames", {"name": "x"}, idempotency_key="k1").status_code == 500
    monkeypatch.undo()
    ok(agent.post("frames", {"name": "x"}, idempotency_key="k1"), 201)


def test_while_the_first_one_runs_another_is_told_to_come_back(agent, shop, monkeypatch):
    monkeypatch.setattr(idempotency, "try_transaction_lock", lambda name: False)
    response = agent.post("frames", {"name": "x"}, idempotency_key="k1")
    assert error_of(response) == (409, "in_progress", "Idempotency-Key")
    assert response["Retry-After"] == "1"
    monkeypatch.undo()
    ok(agent.post("frames", {"name": "x"}, idempotency_key="k1"), 201)


@pytest.mark.postgresql_only
@pytest.mark.django_db(transaction=True)
def test_the_lock_is_held_until_the_other_transaction_ends():
    import psycopg
    from django.conf import settings
    from django.db import connection, transaction

    parameters = connection.get_connection_params()
    known = ("host", "port", "user", "password", "dbname")
    with psycopg.connect(**{k: v for k, v in parameters.items() if k in known}) as rival:
        with transaction.atomic():
            assert locks.try_transaction_lock("x")
        rival.execute("SELECT pg_advisory_xact_lock(%s)", [locks._key("x")])
        with transaction.atomic():
            assert not locks.try_transaction_lock("x")
            assert locks.try_transaction_lock("y")
        rival.commit()
        with transaction.atomic():
            assert locks.try_transaction_lock("x")
    assert settings.DATABASES


def test_after_a_day_a_key_is_new(agent, shop):
    ok(agent.post("frames", {"name": "Old"}, idempotency_key="k1"), 201)
    IdempotencyKey.unscoped.update(created_at=timezone.now() - timedelta(hours=24))
    ok(agent.post("frames", {"name": "New"}, idempotency_key="k1"), 201)
    assert frames(agent) == ["New", "Old"]
    again = agent.post("frames", {"name": "New"}, idempotency_key="k1")
    assert again["Idempotency-Replayed"] == "true"


def test_the_worker_forgets_what_is_a_day_old(agent, shop, as_application):
    for name in ("a", "b"):
        ok(agent.post("frames", {"name": name}, idempotency_key=name), 201)
    old = timezone.now() - timedelta(hours=25)
    IdempotencyKey.unscoped.filter(name="a").update(created_at=old)
    with as_application():
        assert idempotency.forget() == 1
    assert [row.name for row in IdempotencyKey.unscoped.all()] == ["b"]


@pytest.mark.parametrize("name", ["", " ", "x" * 256, "ä", "two words"])
def test_a_key_must_be_visible_ascii(agent, shop, name):
    response = agent.post("frames", {"name": "x"}, idempotency_key=name)
    assert error_of(response) == (400, "invalid", "Idempotency-Key")


def test_a_new_api_key_is_not_kept_in_the_answer(admin):
    body = {"name": "bot", "scopes": ["read"]}
    first = ok(admin.post("keys", body, idempotency_key="k1"), 201)
    again = ok(admin.post("keys", body, idempotency_key="k1"), 201)
    assert first["key"].startswith("sm_")
    assert again == first | {"key": None}
    assert ApiKey.unscoped.filter(name="bot").count() == 1
    (row,) = IdempotencyKey.unscoped.filter(name="k1")
    assert first["key"] not in row.body


def test_an_answer_without_a_body_is_repeated_too(admin):
    key = ok(admin.post("keys", {"name": "bot", "scopes": ["read"]}), 201)
    for _ in range(2):
        response = admin.delete(f"keys/{key['id']}", idempotency_key="k1")
        assert (response.status_code, response.content) == (204, b"")
    assert response["Idempotency-Replayed"] == "true"


def test_a_batch_needs_none(agent, frame):
    """Its events' own ids say what is new."""
    body = {"events": [{"frame": frame["id"], "type": "note", "source_id": "a"}]}
    assert ok(agent.post("events/batch", body, idempotency_key="k1"))["created"] == 1
    assert ok(agent.post("events/batch", body, idempotency_key="k1"))["duplicate"] == 1
    assert not IdempotencyKey.unscoped.exists()
