"""What streams do when things break: the listener cut off, a web process killed, PostgreSQL restarted.

Twenty readers follow over two web processes and come back by their last id when a stream ends, as
browsers do. A writer starts frames without pause and tries again what was not acknowledged. Every
reader must hear of every acknowledged frame, once; told is how long each fault was felt.
"""

from __future__ import annotations

import json
import os
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

import psutil
import psycopg

from bench.platform_sse import _run
from bench.serving import environment, served
from tests.live.follower import Follower
from tests.postgres import Server

READERS, PACE, PATIENCE = 20, 0.05, 60.0


class Reader(threading.Thread):
    """Follows, and comes back with the last id."""

    def __init__(self, port: int, key: str) -> None:
        super().__init__(daemon=True)
        self.url = f"http://127.0.0.1:{port}/api/v1/stream"
        self.key, self.last, self.over, self.breaks = key, 0, False, 0
        self.heard: Counter[str] = Counter()

    def run(self) -> None:
        while not self.over:
            headers = {"Authorization": f"Bearer {self.key}"}
            if self.last:
                headers["Last-Event-ID"] = str(self.last)
            follower = Follower(self.url, headers)
            follower.on_told = self._note
            with follower:
                while not follower.over and not self.over:
                    time.sleep(0.02)
            self.breaks += 1
            time.sleep(0.2)

    def _note(self, told: Any) -> None:
        self.last = told.id or self.last
        if told.name == "message":
            self.heard.update(told.data["ids"])


class Writer(threading.Thread):
    """Starts frames; `acknowledged` are those that the server has said yes to."""

    def __init__(self, port: int, key: str) -> None:
        super().__init__(daemon=True)
        self.port, self.key, self.over = port, key, False
        self.acknowledged: list[str] = []

    def run(self) -> None:
        number = 0
        while not self.over:
            number += 1
            body = {"name": f"Frame {number}", "project": "api", "source_id": f"fault-{number}"}
            while not self.over and (id_ := self._start(body)) is None:
                time.sleep(0.1)
            if id_:
                self.acknowledged.append(id_)
            time.sleep(PACE)

    def _start(self, body: dict[str, str]) -> str | None:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
            connection.request("POST", "/api/v1/frames", json.dumps(body), headers)
            response = connection.getresponse()
            told = response.read()
            return str(json.loads(told)["id"]) if response.status in (200, 201) else None
        except (OSError, HTTPException, ValueError):
            return None
        finally:
            connection.close()


def measure() -> dict[str, Any]:
    """{"fault_…_s": seconds until all readers heard of what came after, "faults_lost": 0, …}"""
    server = Server(fsync=True)
    try:
        with tempfile.TemporaryDirectory(prefix="sm-bench-") as folder:
            home = Path(folder)
            environ = environment(server.url, home) | {"LIVE_STREAMS": str(READERS)}
            _run(environ, "manage.py", "migrate", "-v0")
            keys = json.loads(_run(environ, "-m", "tests.cast").splitlines()[-1])["keys"]
            with served(environ, home) as port:
                return _measure(server, port, keys["bob"])
    finally:
        server.close()


def _measure(server: Server, port: int, key: str) -> dict[str, Any]:
    readers = [Reader(port, key) for _ in range(READERS)]
    for reader in readers:
        reader.start()
    while not all(reader.last for reader in readers):
        time.sleep(0.05)
    writer = Writer(port, key)
    writer.start()
    time.sleep(1)
    figures = {
        "fault_listener_cut_s": _felt(readers, writer, lambda: _cut(server)),
        "fault_web_killed_s": _felt(readers, writer, _kill_one),
        "fault_postgres_restart_s": _felt(readers, writer, lambda: (server.stop(), server.start())),
    }
    writer.over = True
    writer.join(PATIENCE)
    expected = set(writer.acknowledged)
    _until(lambda: all(expected <= set(reader.heard) for reader in readers))
    for reader in readers:
        reader.over = True
    return {
        **figures,
        "faults_lost": sum(len(expected - set(reader.heard)) for reader in readers),
        "faults_twice": sum(n > 1 for reader in readers for n in reader.heard.values()),
        "faults_frames": len(expected),
        "faults_breaks": sum(reader.breaks for reader in readers),
    }


def _felt(readers: list[Reader], writer: Writer, fault: Callable[[], object]) -> float:
    """Seconds from the end of the fault until everybody hears of a frame begun after it."""
    fault()
    began, known = time.monotonic(), len(writer.acknowledged)

    def all_heard() -> bool:
        # One may have been under way; the one after it was begun afterwards.
        later = writer.acknowledged[known + 1 : known + 2]
        return bool(later) and all(later[0] in reader.heard for reader in readers)

    _until(all_heard)
    took = round(time.monotonic() - began, 2)
    time.sleep(1)
    return took


def _cut(server: Server) -> None:
    with psycopg.connect(server.admin_url, autocommit=True) as database:
        database.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'stackmemory listener'"
        )


def _kill_one() -> None:
    """The first of the processes that gunicorn's own one has started."""
    for process in psutil.Process().children(recursive=True):
        parent = process.parent()
        if parent and parent.pid != os.getpid() and "gunicorn" in " ".join(parent.cmdline()):
            process.kill()
            return
    raise RuntimeError("no web process is there")


def _until(enough: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not enough() and time.monotonic() < deadline:
        time.sleep(0.02)


if __name__ == "__main__":
    print(json.dumps(measure(), indent=2))
