"""Fan-out: 200 streams on two web processes, messages told while requests are served.

The time of a message is from just before its transaction (which writes the row and notifies) to its
last byte at each reader; every reader must get every message. One process writes, one reads, one
makes requests, beside the two that serve.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import psycopg

from bench.serving import ROOT, environment, served
from stackmemory.lib.uuid7 import uuid7
from tests.postgres import Server

READERS, MESSAGES, PACE = 200, 150, 0.1
# The first ones find the server still busy with two hundred beginnings.
WARM_UP = 10
NUMBER = re.compile(rb"id: (\d+)\ndata: \{\"kind\"")


def measure(readers: int = READERS, messages: int = MESSAGES) -> dict[str, Any]:
    """{"sse_p50_ms", "sse_p99_ms", "sse_lost", …}"""
    server = Server(fsync=True)
    try:
        with tempfile.TemporaryDirectory(prefix="sm-bench-") as folder:
            home = Path(folder)
            environ = environment(server.url, home) | {"LIVE_STREAMS": str(readers)}
            _run(environ, "manage.py", "migrate", "-v0")
            cast = json.loads(_run(environ, "-m", "tests.cast").splitlines()[-1])
            with served(environ, home) as port:
                return _measure(server.url, port, cast["keys"]["bob"], readers, messages)
    finally:
        server.close()


def _measure(database: str, port: int, key: str, readers: int, messages: int) -> dict[str, Any]:
    asking = subprocess.Popen(
        [sys.executable, "-m", "bench.platform_sse", "ask", str(port), key],
        cwd=ROOT, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        heard, told = asyncio.run(_fan_out(database, port, key, readers, messages))
    finally:
        asking.terminate()
        asked = json.loads(asking.communicate()[0] or "{}")
    lost = sum(len(set(told) - set(each)) for each in heard)
    twice = sum(len(each) - len(set(each)) for each in heard)
    counted = sorted(told)[WARM_UP:]
    times = sorted(
        (each[position] - told[position]) * 1000
        for each in map(dict, heard)
        for position in counted
        if position in each
    )
    return {
        "sse_p50_ms": round(statistics.median(times), 1),
        "sse_p99_ms": round(times[int(len(times) * 0.99)], 1),
        "sse_lost": lost,
        "sse_twice": twice,
        "sse_readers": readers,
        "sse_messages": len(told),
        **asked,
    }


class _Reader(asyncio.Protocol):
    """Counts ids as they come; anything cleverer would measure the reader."""

    def __init__(self, request: bytes) -> None:
        self.request, self.heard, self.rest = request, {}, b""
        self.ready = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: Any) -> None:
        transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        now = time.time()
        data = self.rest + data
        if not self.ready.done() and b"event: ready" in data:
            self.ready.set_result(None)
        end = 0
        for found in NUMBER.finditer(data):
            self.heard[int(found[1])] = now
            end = found.end()
        self.rest = data[max(end, len(data) - 60) :]


async def _fan_out(
    database: str, port: int, key: str, readers: int, messages: int
) -> tuple[list[dict[int, float]], dict[int, float]]:
    """Who heard what when, and what was told when."""
    loop = asyncio.get_running_loop()
    request = (
        f"GET /api/v1/stream HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {key}\r\n\r\n"
    ).encode()
    connected = []
    for _ in range(readers):
        _, reader = await loop.create_connection(lambda: _Reader(request), "127.0.0.1", port)
        connected.append(reader)
        await asyncio.wait_for(reader.ready, 60)
    told = json.loads(await _wrote(database, messages))
    times = {int(position): at for position, at in told.items()}
    deadline = time.monotonic() + 15
    while any(len(r.heard) < len(times) for r in connected) and time.monotonic() < deadline:
        await asyncio.sleep(0.1)
    return [reader.heard for reader in connected], times


async def _wrote(database: str, messages: int) -> bytes:
    writing = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.platform_sse", "write", database, str(messages),
        cwd=ROOT, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    return (await writing.communicate())[0]


def write(database: str, messages: int) -> None:
    """Tell so many messages at an even pace; print when each was begun."""
    told = {}
    with psycopg.connect(database, autocommit=True) as connection:
        [acme] = connection.execute(
            "SELECT id FROM workspaces_workspace WHERE slug = 'acme'"
        ).fetchone()
        for _ in range(messages):
            news = [{"row": str(uuid7()), "kind": "event", "what": "appended", "ids": [str(uuid7())],
                     "count": 1, "project": str(uuid7()), "frame": str(uuid7())}]  # fmt: skip
            began = time.time()
            [position] = connection.execute(
                "SELECT workspaces_tell(%s, %s::jsonb)", [acme, json.dumps(news)]
            ).fetchone()
            told[position] = began
            time.sleep(PACE)
    print(json.dumps(told))


def ask(port: int, key: str) -> None:
    """Make requests, one after the other, until asked to stop; print how long they took."""
    times: list[float] = []
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        while True:
            began = time.perf_counter()
            connection.request("GET", "/api/v1/me", headers={"Authorization": f"Bearer {key}"})
            assert connection.getresponse().read()
            times.append((time.perf_counter() - began) * 1000)
            time.sleep(0.02)
    finally:
        times.sort()
        told = {"requests": len(times), "requests_p99_ms": round(times[int(len(times) * 0.99)], 1)}
        print(json.dumps(told), flush=True)


def _run(environ: dict[str, str], *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env=environ, capture_output=True, text=True
    )
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    return done.stdout


def _stop(*_: object) -> None:
    raise SystemExit


if __name__ == "__main__":
    import signal

    signal.signal(signal.SIGTERM, _stop)
    match sys.argv[1:]:
        case ["write", database, messages]:
            write(database, int(messages))
        case ["ask", port, key]:
            ask(int(port), key)
        case _:
            os.environ.setdefault("DJANGO_SETTINGS_MODULE", "stackmemory.settings")
            print(json.dumps(measure(), indent=2))
