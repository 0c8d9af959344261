"""A reader that falls behind, a room that was deaf for a while, and who may go on reading."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.sessions.backends.db import SessionStore
from django.utils import timezone

from stackmemory.lib import listen
from stackmemory.lib.uuid7 import uuid7
from stackmemory.live import hub as hubs
from stackmemory.live.hub import MOST_WAITING, PAGE, Hub, Reader, Room
from stackmemory.live.passes import Pass, still_holds
from tests.api.client import key_for
from workspaces.models import ApiKey, Membership, User
from workspaces.news import ACCESS, Message

WORKSPACE = uuid7()


def message(position: int, **fields: Any) -> Message:
    return Message(WORKSPACE, "frame", "opened", position=position, **fields)


@pytest.fixture
def rows(monkeypatch) -> list[Message]:
    """What `news.since` finds, without a database."""
    kept: list[Message] = []

    async def found(work: Callable[..., Any], workspace: Any, position: int, *, most: int) -> Any:
        return [row for row in kept if row.position > position][:most]

    monkeypatch.setattr(hubs, "in_thread", found)
    return kept


async def drained(reader: Reader) -> list[int]:
    """All that a stream would tell, by position."""
    told: list[int] = []
    while reader.behind or reader._waiting:
        found = await reader.read_on() if reader.behind else reader.take()
        told += [each.position for each in found]
    return told


def test_who_falls_behind_reads_rows_and_hears_nothing_twice(rows):
    async def main() -> None:
        reader = Reader(WORKSPACE, lambda message: message.project is None)
        rows.extend(message(n) for n in range(1, MOST_WAITING + PAGE))
        for row in rows:
            reader.hear(row)
        assert reader.behind
        rows.append(message(MOST_WAITING + PAGE, project=uuid7()))
        assert await drained(reader) == list(range(1, MOST_WAITING + PAGE))
        reader.hear(rows[3])
        reader.hear(message(9_000))
        assert await drained(reader) == [9_000]

    asyncio.run(main())


def test_a_room_is_told_what_it_missed_before_what_comes(rows):
    async def main() -> None:
        hub, room, reader = Hub(), Room(), Reader(WORKSPACE, lambda message: True)
        hub.rooms[WORKSPACE] = room
        room.readers.add(reader)
        room.began.set()
        rows.extend(message(n) for n in range(1, PAGE + 3))
        await hub._catch_up()
        for n in (PAGE + 1, PAGE + 3):  # one that was read already, one that is new
            hub._heard(
                f'{{"workspace": "{WORKSPACE}", "kind": "frame", "what": "opened", "ids": [],'
                f' "count": 1, "id": {n}}}'
            )
        hub._heard("not ours")
        assert await drained(reader) == list(range(1, PAGE + 4))
        room.tell(Message(WORKSPACE, ACCESS, "ended", position=10_000))
        assert reader.doubted
        hub.close()
        assert reader.closing

    asyncio.run(main())


def test_places_are_counted_for_each(db):
    hub = Hub()
    assert [hub.admit("a", 2) for _ in range(3)] == [True, True, False]
    assert hub.admit("b", 2)
    hub.let_go("a")
    assert hub.admit("a", 2)


def test_a_person_reads_while_they_are_a_member_and_logged_in(acme, bob, as_application):
    session = SessionStore()
    session.create()
    given = Pass(acme.pk, person=bob.pk, login=session.session_key)
    mine = Membership.unscoped.filter(user=bob)

    def holds() -> bool:
        with as_application():
            return still_holds(given)

    assert holds()
    User.objects.filter(pk=bob.pk).update(is_active=False)
    assert not holds()
    User.objects.filter(pk=bob.pk).update(is_active=True)
    acme.deleted_at = timezone.now()
    acme.save()
    assert not holds()
    acme.deleted_at = None
    acme.save()
    assert holds()
    session.delete()
    assert not holds()
    session.save(must_create=True)
    mine.delete()
    assert not holds()


def test_a_key_reads_as_long_as_its_maker_may(acme, bob, as_application):
    key = key_for(acme, bob, "read").key
    given = Pass(acme.pk, key=key.pk, person=bob.pk)

    def holds() -> bool:
        with as_application():
            return still_holds(given)

    assert holds()
    ApiKey.unscoped.filter(pk=key.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    assert not holds()
    ApiKey.unscoped.filter(pk=key.pk).update(expires_at=None)
    assert holds()
    Membership.unscoped.filter(user=bob).delete()
    assert not holds()
    robot = key_for(acme, None, "read").key
    with as_application():
        assert still_holds(Pass(acme.pk, key=robot.pk))
        assert not still_holds(Pass(acme.pk, key=uuid7()))


def test_the_listener_goes_past_the_pooler(settings, monkeypatch):
    pooler = {"NAME": "a", "HOST": "pooler", "USER": "u", "OPTIONS": {}}
    monkeypatch.setitem(settings.DATABASES, "default", pooler)
    settings.DATABASE_DIRECT_URL = ""
    assert listen.direct_parameters()["host"] == "pooler"
    settings.DATABASE_DIRECT_URL = "postgresql://u:p@database:5433/a?sslmode=verify-full"
    found = listen.direct_parameters()
    assert (found["host"], found["port"], found["sslmode"]) == ("database", 5433, "verify-full")
    assert "pool" not in found


def test_a_server_that_cannot_stream_says_so(acme, bob, login):
    key = key_for(acme, bob, "read")
    assert key.get("stream").status_code == 204
    assert key.get("stream", since="x").status_code == 400
    assert key.get("stream", project="nothing").status_code == 404
    assert login(bob).get("/w/acme/stream").status_code == 204
    assert login(bob).get("/w/acme/stream", {"project": "nothing"}).status_code == 404
    assert login(bob).get("/w/acme/stream", {"since": "x"}).json()["error"]["field"] == "since"
