"""Streams of a served product: what is told, to whom, again after a break, and when they end."""

from __future__ import annotations

from contextlib import ExitStack

import psycopg
import pytest

from tests.live.follower import Follower


@pytest.fixture
def follow(house):
    """follow("bob", project=…) is a stream that has begun."""
    with ExitStack() as open_ones:

        def begin(key: str, last: int | None = None, **query: str) -> Follower:
            asked = "&".join(f"{name}={value}" for name, value in query.items())
            headers = {"Authorization": f"Bearer {house.keys.get(key, key)}"}
            if last is not None:
                headers["Last-Event-ID"] = str(last)
            follower = Follower(f"{house.url}/api/v1/stream?{asked}", headers)
            return open_ones.enter_context(follower).until_ready()

        yield begin


def start(house, key: str, project: str, **fields):
    body = {"name": "Work", "project": project} | fields
    made = house.post(body, key, path="/api/v1/frames")
    assert made.status_code == 201, made.text
    return made.json()["id"]


def heard(follower: Follower, frame: str) -> bool:
    return any(frame in one.data["ids"] for one in follower.messages)


def test_readers_hear_what_they_may_and_asked_for(house, follow):
    project, other = house.new_project(), house.new_project()
    bob, alice = follow("bob"), follow("alice")
    only = follow("alice", project=project)
    robot, stranger = follow("robot"), follow("charlie")
    tied = follow("project")
    assert bob.answer_headers["content-type"].startswith("text/event-stream")
    assert bob.answer_headers["x-accel-buffering"] == "no"
    assert "no-cache" in bob.answer_headers["cache-control"]
    private = start(house, "bob", other, visibility="private")
    elsewhere = start(house, "bob", other)
    theirs = start(house, "charlie", "ledger")
    there = start(house, "alice", project)
    in_api = start(house, "alice", "api")
    bob.until(lambda f: all(heard(f, one) for one in (private, elsewhere, there, in_api)))
    for reader in (alice, robot):
        reader.until(lambda f: heard(f, in_api))
        assert not heard(reader, private)
        assert heard(reader, elsewhere)
    only.until(lambda f: heard(f, there))
    assert not heard(only, elsewhere)
    tied.until(lambda f: heard(f, in_api))
    assert {one.data["project"] for one in tied.messages} == {house.ids["api"]}
    stranger.until(lambda f: heard(f, theirs))
    assert len(stranger.messages) == 1
    message = next(one for one in bob.messages if there in one.data["ids"])
    assert (message.data["kind"], message.data["what"], message.data["count"]) == (
        "frame", "opened", 1,
    )  # fmt: skip
    assert message.data["project"] == house.ids[project]


def test_whoever_comes_back_misses_nothing_and_hears_nothing_twice(house, follow):
    project = house.new_project()
    reader = follow("bob", project=project)
    first = start(house, "bob", project)
    reader.until(lambda f: heard(f, first))
    reader.__exit__()
    missed = [start(house, "bob", project) for _ in range(3)]
    again = follow("bob", last=reader.last, project=project)
    again.until(lambda f: heard(f, missed[-1]))
    assert [one.data["ids"] for one in again.messages] == [[each] for each in missed]
    now = start(house, "bob", project)
    again.until(lambda f: heard(f, now))
    assert len(again.messages) == 4
    by_query = follow("bob", since=str(reader.last), project=project)
    by_query.until(lambda f: len(f.messages) == 4)
    ancient = follow("bob", last=1_000_000, project=project)
    assert ancient.told[0].name == "reset"
    assert follow("bob", since="yesterday").status == 400


def test_a_stream_ends_with_the_right_to_read_it(house, follow):
    made = house.post(
        {"name": "short-lived", "scopes": ["read", "write"]}, "alice", path="/api/v1/keys"
    ).json()
    reader = follow(made["key"])
    project = house.new_project()
    ended = house.post(b"", "alice", path=f"/api/v1/keys/{made['id']}", method="DELETE")
    assert ended.status_code in (200, 204), ended.text
    start(house, "bob", project)
    reader.until(lambda f: f.over)
    assert [one.name for one in reader.told] == ["ready", "ended"]
    for key in ("revoked", "expired", "gone", "sm_nothing"):
        assert follow(key).status in (401, 403)


@pytest.mark.postgresql_only
def test_a_listener_that_is_cut_off_comes_back_and_loses_nothing(house, follow):
    project = house.new_project()
    reader = follow("bob", project=project)
    with psycopg.connect(house.database.url, autocommit=True) as database:
        cut = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name"
        [cuts] = database.execute(
            f"{cut} = 'stackmemory listener' AND datname = current_database()"
        ).fetchone()
    assert cuts >= 1
    frames = [start(house, "bob", project) for _ in range(5)]
    reader.until(lambda f: heard(f, frames[-1]))
    assert [one.data["ids"] for one in reader.messages] == [[each] for each in frames]


def test_streams_are_counted_and_places_given_back(house, follow):
    """Two processes with twenty places each: one more is refused somewhere, until one ends."""
    open_ones = [follow("reader") for _ in range(41)]
    refused = [one for one in open_ones if one.status == 429]
    assert refused
    told = house.post(b"", path="/metrics", method="GET").text
    assert f"stackmemory_streams {len(open_ones) - len(refused)}.0" in told
    assert "stackmemory_listeners 0.0" not in told
    assert 'stackmemory_requests_total{method="GET",route="/api/v1/stream",status="429"}' in told
    for one in open_ones:
        one.__exit__()
    assert [follow("reader").status for _ in range(2)] == [200, 200]
