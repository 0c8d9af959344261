"""The server dies in the middle of batches: what it acknowledged is there, and nothing is there twice."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from dataclasses import replace
from typing import Any

import httpx2

from tests.agents import House

CLIENTS, SIZE, BEFORE_KILL, BATCHES = 3, 100, 9, 12
HERE = "SELECT count(*) FROM frames_event WHERE source_id LIKE %s"


class Client(threading.Thread):
    """Sends its batches in order until one is not answered."""

    def __init__(self, house: House, frame: str, number: int, acknowledged: set[str]) -> None:
        super().__init__(daemon=True)
        self.house, self.frame, self.number = house, frame, number
        self.acknowledged = acknowledged
        self.outcomes: dict[str, dict[str, int]] = {}
        self.unexpected = ""

    def run(self) -> None:
        for n in range(BATCHES):
            name = f"killed/{self.number}/{n}/"
            try:
                answer = self.house.post(
                    {"events": self.events(name, n)}, path="/api/v1/events/batch"
                )
            except httpx2.TransportError:
                return  # the server is gone
            if answer.status_code != 200:
                self.unexpected = answer.text
                return
            told = answer.json()
            self.outcomes[name] = {k: told[k] for k in ("created", "duplicate", "rejected")}
            self.acknowledged.add(name)

    def events(self, name: str, n: int) -> list[dict[str, Any]]:
        """Every other batch fixes its times, so that its ids derive; the others are keyed."""
        timed = {"occurred_at": "2026-01-31T12:00:00Z"} if n % 2 else {}
        filling = {"text": "x" * 500}
        return [
            {"frame": self.frame, "type": "note", "source_id": f"{name}{k}", "payload": filling, **timed}
            for k in range(SIZE)
        ]  # fmt: skip


def run_all(house: House, frame: str, acknowledged: set[str]) -> list[Client]:
    clients = [Client(house, frame, number, acknowledged) for number in range(CLIENTS)]
    for client in clients:
        client.start()
    return clients


def test_nothing_acknowledged_is_lost_and_nothing_doubled(house: House) -> None:
    own = replace(house)  # the same database, a server of its own
    acknowledged: set[str] = set()
    with own.served():
        frame = own.post(
            {"name": "Work", "project": house.new_project()}, path="/api/v1/frames"
        ).json()["id"]
        clients = run_all(own, frame, acknowledged)
        deadline = time.monotonic() + 60
        while len(acknowledged) < BEFORE_KILL:
            assert time.monotonic() < deadline, own.log
            time.sleep(0.001)
        own.kill()
        for client in clients:
            client.join(60)
    assert {client.unexpected for client in clients} == {""}
    names = [f"killed/{c}/{n}/" for c in range(CLIENTS) for n in range(BATCHES)]
    before = {name: own.count(HERE, f"{name}%") for name in names}
    assert 0 < len(acknowledged) < len(names), "it died in the middle"
    assert {before[name] for name in acknowledged} == {SIZE}
    assert set(before.values()) <= {0, SIZE}, "a batch is there or it is not"

    told: dict[str, dict[str, int]] = defaultdict(dict)
    with own.served():
        for client in run_all(own, frame, set(acknowledged)):
            client.join(60)
            assert client.unexpected == ""
            told |= client.outcomes
    for name in names:
        new = 0 if before[name] else SIZE
        assert told[name] == {"created": new, "duplicate": SIZE - new, "rejected": 0}
    assert own.count("SELECT count(*) FROM frames_event WHERE source_id LIKE 'killed/%%'") == (
        len(names) * SIZE
    )
    [counted] = [own.count("SELECT event_count FROM frames_frame WHERE id = %s", id_of(own, frame))]
    assert counted == len(names) * SIZE


def id_of(house: House, frame: str) -> str:
    """As the engine spells it."""
    return frame.replace("-", "") if house.database.is_file else frame
