"""How much a key may ask, and a workspace append: rows, exact, and told in headers."""

from __future__ import annotations

import pytest
from django.core.management import call_command
from django.utils import timezone

from stackmemory.lib.refusal import Refusal
from tests.api.client import Api, error_of, key_for, ok
from workspaces import limits, plans
from workspaces.models import Bucket, LimitName, PlanLimit, Spending

pytestmark = pytest.mark.django_db
REQUESTS, EVENTS = LimitName.REQUESTS, LimitName.EVENTS


def batch(frame, count: int, start: int = 0) -> dict:
    ids = range(start, start + count)
    return {"events": [{"frame": frame["id"], "type": "n", "source_id": str(n)} for n in ids]}


# --- Requests a minute --------------------------------------------------------------------------


def test_the_plan_says_how_many(agent):
    response = agent.get("me")
    assert response["X-RateLimit-Limit"] == str(plans.PLANS["standard"][REQUESTS])
    assert response["X-RateLimit-Remaining"] == "11999"
    assert response["X-RateLimit-Reset"] == "1"


def test_beyond_the_limit_the_answer_says_when_to_go_on(agent, acme):
    limits.set_limit(acme, REQUESTS, 3)
    assert [agent.get("me")["X-RateLimit-Remaining"] for _ in range(3)] == ["2", "1", "0"]
    response = agent.get("me")
    assert error_of(response) == (429, "rate_limited", None)
    assert 1 <= int(response["Retry-After"]) <= 20  # a token every 20 seconds
    assert response["X-RateLimit-Limit"] == "3"
    assert response["X-RateLimit-Remaining"] == "0"
    assert 40 < int(response["X-RateLimit-Reset"]) <= 60


def test_every_key_has_its_own_bucket(agent, acme, bob):
    limits.set_limit(acme, REQUESTS, 1)
    other = key_for(acme, bob, "read")
    ok(agent.get("me"))
    ok(other.get("me"))
    assert agent.get("me").status_code == other.get("me").status_code == 429


def test_one_teams_limit_is_not_anothers(agent, stranger, acme):
    limits.set_limit(acme, REQUESTS, 1)
    ok(agent.get("me"))
    assert agent.get("me").status_code == 429
    for _ in range(3):
        ok(stranger.get("me"))


def test_errors_count_as_well(agent, acme):
    limits.set_limit(acme, REQUESTS, 2)
    assert agent.get("frames/nope").status_code == 404
    assert agent.post("frames", {}).status_code == 400
    assert agent.get("me").status_code == 429


def test_a_wrong_key_takes_nobodys_tokens(agent, acme):
    limits.set_limit(acme, REQUESTS, 1)
    for _ in range(3):
        assert Api(agent.text[:-1] + "xy"[agent.text[-1] == "x"]).get("me").status_code == 401
    ok(agent.get("me"))


def test_being_refused_uses_nothing_up(acme, agent):
    limits.set_limit(acme, REQUESTS, 2)
    key, start = agent.key.pk, 1_000_000.0
    for _ in range(2):
        limits.take(acme, key, start)
    for second in range(29):  # the next token is there after 30
        with pytest.raises(limits.TooMany) as refusal:
            limits.take(acme, key, start + second)
        assert refusal.value.retry_after == 30 - second
    assert limits.take(acme, key, start + 30).remaining == 0


def test_a_bucket_fills_evenly_and_never_overflows(acme, agent):
    limits.set_limit(acme, REQUESTS, 60)
    take = lambda at: limits.take(acme, agent.key.pk, at)  # noqa: E731
    for _ in range(60):
        assert take(1000.0) is not None
    with pytest.raises(limits.TooMany):
        take(1000.5)
    assert take(1010.0).remaining == 9
    assert take(99_999.0).remaining == 59


def test_a_clock_that_went_back_gives_nothing_away(acme, agent):
    limits.set_limit(acme, REQUESTS, 60)
    for at in (1000.0, 900.0, 1000.0):
        allowance = limits.take(acme, agent.key.pk, at)
    assert allowance.remaining == 57


def test_a_limit_that_is_lowered_holds_at_once(acme, agent):
    limits.take(acme, agent.key.pk, 1000.0)
    limits.set_limit(acme, REQUESTS, 2)
    assert limits.take(acme, agent.key.pk, 1000.0).remaining == 1


def test_no_limit_and_none_at_all(acme, agent):
    limits.set_limit(acme, REQUESTS, None)
    response = agent.get("me")
    assert response.status_code == 200
    assert "X-RateLimit-Limit" not in response
    assert not Bucket.objects.exists()
    limits.set_limit(acme, REQUESTS, 0)
    assert error_of(agent.get("me"))[0] == 429


def test_a_plan_that_nobody_knows_limits_nothing(acme, agent):
    acme.plan = "legacy"
    acme.save()
    ok(agent.get("me"))


def test_an_operators_change_of_a_plan_survives_migrate(acme):
    PlanLimit.objects.filter(plan="standard", name=REQUESTS).update(amount=7)
    PlanLimit.objects.filter(plan="standard", name=EVENTS).delete()
    call_command("migrate", verbosity=0)
    assert limits.allowed(acme, REQUESTS) == 7
    assert PlanLimit.objects.filter(plan="standard").count() == len(LimitName)


# --- Events a month -----------------------------------------------------------------------------


def test_a_used_up_quota_stops_writes_and_reads_go_on(agent, frame, acme):
    limits.set_limit(acme, EVENTS, 5)
    assert ok(agent.post("events/batch", batch(frame, 5)))["created"] == 5
    event = {"frame": frame["id"], "type": "n"}
    for response in (
        agent.post("events/batch", batch(frame, 1, 5)),
        agent.post("events", event),
        agent.post("frames", {"name": "x"}),
        agent.post("anchors", {"text": "x"}),
        agent.post(f"frames/{frame['id']}/close"),
    ):
        assert error_of(response) == (402, "quota_exceeded", None)
    assert len(ok(agent.get(f"frames/{frame['id']}/events"))["items"]) == 5
    me = ok(agent.get("me"))
    assert me["events_this_month"] == {"limit": 5, "used": 5}


def test_a_batch_beyond_the_quota_is_refused_whole(agent, frame, acme):
    limits.set_limit(acme, EVENTS, 5)
    ok(agent.post("events/batch", batch(frame, 3)))
    response = agent.post("events/batch", batch(frame, 3, 3))
    assert error_of(response)[0] == 402
    assert "has 2 left; this would be 3" in response.json()["error"]["message"]
    assert len(ok(agent.get(f"frames/{frame['id']}/events"))["items"]) == 3
    assert ok(agent.post("events/batch", batch(frame, 2, 3)))["created"] == 2


def test_repeating_a_batch_costs_nothing(agent, frame, acme):
    limits.set_limit(acme, EVENTS, 5)
    for expected in ("created", "duplicate", "duplicate"):
        assert ok(agent.post("events/batch", batch(frame, 5)))[expected] == 5
    assert limits.spent(acme, EVENTS) == 5


def test_the_quota_begins_anew_each_month(agent, frame, acme):
    limits.set_limit(acme, EVENTS, 1)
    ok(agent.post("events/batch", batch(frame, 1)))
    Spending.unscoped.update(period="2020-01")
    assert ok(agent.post("events/batch", batch(frame, 1, 1)))["created"] == 1
    assert limits.period(timezone.now()) in {row.period for row in Spending.unscoped.all()}


def test_without_a_quota_nothing_is_counted(agent, frame):
    ok(agent.post("events/batch", batch(frame, 5)))
    assert not Spending.unscoped.exists()


def test_keys_and_members_can_be_seen_to_without_quota(admin, acme):
    limits.set_limit(acme, EVENTS, 0)
    ok(admin.post("keys", {"name": "bot", "scopes": ["read"]}), 201)


def test_first_spending_beyond_the_limit_is_refused_too(acme):
    limits.set_limit(acme, EVENTS, 3)
    with pytest.raises(Refusal):
        limits.spend_events(acme, 4)
    limits.spend_events(acme, 3)
    with pytest.raises(Refusal):
        limits.spend_events(acme, 1)
