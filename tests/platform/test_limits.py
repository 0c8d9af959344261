"""Limits by key, person, workspace and address: exact however many ask at once, and an operator's."""

from __future__ import annotations

import time

import pytest
from django.urls import reverse

from tests.api.client import Api, error_of, key_for, ok
from workspaces import buckets, limits, throttle
from workspaces.models import AttemptLimit, Bucket, LimitName, LoginAttempts, User

pytestmark = pytest.mark.django_db

# In a process of its own on a database of its own: a thousand calls from twenty threads.
CROWD = """
import django; django.setup()
import threading
from concurrent.futures import ThreadPoolExecutor
from django.db import connection
from django.test import RequestFactory
from stackmemory.lib.tenancy import workspace_scope
from stackmemory.lib.uuid7 import uuid7
from workspaces import buckets, limits, throttle
from workspaces.models import AttemptLimit, Workspace
acme = Workspace.objects.create(slug="acme", name="Acme")
with workspace_scope(acme.pk):
    limits.set_limit(acme, "requests_per_minute", 100)
    limits.set_limit(acme, "requests_per_minute_all", 150)
AttemptLimit.objects.filter(name="logins_per_network").update(amount=100)
one, other, request = uuid7(), uuid7(), RequestFactory().get("/")
def let_through(ask):
    def many(_):
        try:
            return [ask() for _ in range(50)]
        finally:
            connection.close()
    with ThreadPoolExecutor(20) as crowd:
        return sum(sum(each) for each in crowd.map(many, range(20)))
def asking(key):
    def ask():
        try:
            with workspace_scope(acme.pk):
                limits.take(acme, key, 1000.0)
            return 1
        except limits.TooMany:
            return 0
    return ask
number = iter(range(10_000))
print([let_through(asking(one)), let_through(asking(other)),
       let_through(lambda: throttle.attempt(request, f"p{next(number)}@example.com"))])
"""


@pytest.fixture
def agent(acme, bob) -> Api:
    return key_for(acme, bob, "read", "write")


def test_of_a_thousand_at_once_exactly_a_hundred_pass(own_database, tmp_path):
    database = own_database(tmp_path)
    try:
        # The second key has a hundred of its own, and the workspace fifty left.
        assert database.run(tmp_path, "-c", CROWD) == "[100, 50, 100]"
    finally:
        database.drop()


def test_a_request_takes_from_key_person_and_workspace_a_statement_each(
    acme, bob, agent, django_assert_num_queries
):
    for name, amount in zip(
        (LimitName.REQUESTS, LimitName.PERSON_REQUESTS, LimitName.ALL_REQUESTS),
        (9, 5, 7),
        strict=True,
    ):
        limits.set_limit(acme, name, amount)
    limits.take(acme, agent.key.pk, 0.0)  # amounts are read every other second
    with django_assert_num_queries(3):
        left = limits.take(acme, agent.key.pk, 1000.0, person=bob.pk)
    assert (left.limit, left.remaining) == (5, 4)
    assert Bucket.objects.count() == 3


def test_all_keys_of_a_person_share_what_the_person_may(acme, alice, bob):
    limits.set_limit(acme, LimitName.PERSON_REQUESTS, 3)
    first, second, others = (key_for(acme, who, "read") for who in (bob, bob, alice))
    for key in (first, second, first):
        ok(key.get("me"))
    refused = second.get("me")
    assert error_of(refused) == (429, "rate_limited", None)
    assert "All keys of this person together may make 3" in refused.json()["error"]["message"]
    ok(others.get("me"))


def test_all_keys_share_what_the_workspace_may_and_a_refusal_takes_nothing(acme, alice, bob):
    limits.set_limit(acme, LimitName.REQUESTS, 10)
    limits.set_limit(acme, LimitName.ALL_REQUESTS, 2)
    keys = [key_for(acme, who, "read") for who in (bob, alice)]
    for key in keys:
        ok(key.get("me"))
    refused = keys[0].get("me")
    assert refused.status_code == 429
    assert refused["X-RateLimit-Limit"] == "2"
    assert "All keys of this workspace together" in refused.json()["error"]["message"]
    bucket = Bucket.objects.get(subject=keys[0].key.pk)
    assert bucket.full_at - time.time() < 6.1, "the refused request's share was given back"


def test_an_address_that_tries_keys_is_sent_away_and_right_keys_are_not(agent, settings):
    AttemptLimit.objects.filter(name="wrong_keys_per_address").update(amount=2)
    wrong = Api(agent.text[:-1] + "x")
    assert [wrong.get("me").status_code for _ in range(4)] == [401, 401, 429, 429]
    answer = wrong.get("me")
    assert error_of(answer) == (429, "rate_limited", None)
    assert answer["Retry-After"] == "60"
    ok(agent.get("me"))


def test_what_an_operator_says_about_attempts_holds_at_once(login, rf):
    browser = login(User.objects.create_superuser("o@example.com", "a long password"))
    address = reverse("admin:workspaces_attemptlimit_change", args=["logins_per_account"])
    assert browser.post(address, {"amount": "1", "seconds": "60"}).status_code == 302
    request = rf.get("/")
    assert throttle.attempt(request, "a@example.com")
    assert not throttle.attempt(request, "a@example.com")
    assert browser.post(address, {"amount": "", "seconds": "60"}).status_code == 302
    assert throttle.attempt(request, "a@example.com")
    assert browser.post(address, {"amount": "0", "seconds": "60"}).status_code == 302
    assert not throttle.attempt(request, "b@example.com")


def test_an_attempt_is_one_statement_for_each_count(rf, django_assert_num_queries):
    with django_assert_num_queries(3):  # the limits, the account's count, the network's
        throttle.attempt(rf.get("/"), "a@example.com")
    with django_assert_num_queries(2):
        throttle.wrong_key(rf.get("/"))
    assert LoginAttempts.objects.count() == 3


def test_full_buckets_are_forgotten(acme, agent):
    limits.take(acme, agent.key.pk, 1000.0)
    assert buckets.forget_full(1000.0) == 0
    assert buckets.forget_full(1001.0) == 1
