"""Latency of the API's common calls with a hundred users, on PostgreSQL and on SQLite, in turns.

Both engines hold the same: fifty workspaces, one of them large, which all users work in. Each is
served by gunicorn with two processes. A user has a connection of their own and pauses a second on
average between calls, nine in ten of which read; then, once, everybody calls without any pause.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from bench.serving import ROOT, environment, served
from tests.postgres import Server

USERS = 100
PAUSE = 1.0
# How often each is called, of a hundred.
READS = {
    "active stack": 22, "frames": 13, "frame": 15, "timeline": 15, "anchors": 10, "tasks": 8,
    "sessions": 7,
}  # fmt: skip
WRITES = {"append": 6, "start_frame": 2, "close_frame": 2}

Times = dict[str, list[float]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="a million events, longer rounds")
    parser.add_argument("--events", type=int, help="of the large workspace")
    parser.add_argument("--engine", choices=["postgres", "sqlite"], help="one alone")
    options = parser.parse_args()
    events = options.events or (1_000_000 if options.full else 200_000)
    seconds, rounds = (30, 3) if options.full else (15, 2)
    home = Path(tempfile.mkdtemp(prefix="sm-bench-"))
    engines = [options.engine] if options.engine else ["postgres", "sqlite"]
    paced: dict[str, Times] = {engine: defaultdict(list) for engine in engines}
    pressed: dict[str, Times] = {engine: defaultdict(list) for engine in engines}
    rates: dict[str, list[float]] = defaultdict(list)
    with ExitStack() as stack:
        sides = {}
        for engine in engines:
            folder = home / engine
            folder.mkdir()
            url = f"sqlite:///{folder}/db.sqlite3"
            if engine == "postgres":
                server = Server(fsync=True)
                stack.callback(server.close)
                url = server.url
            env = environment(url, folder)
            sides[engine] = (stack, env, folder, filled(env, events))
            if engine == "postgres":
                subprocess.run([sys.executable, "-c", ANALYZE, server.url], check=True, cwd=ROOT)
        ports = {e: stack.enter_context(served(env, d)) for e, (_, env, d, _) in sides.items()}
        for engine in engines:
            asyncio.run(Crowd(ports[engine], sides[engine][3], defaultdict(list)).work(4, PAUSE))
        for _ in range(rounds):
            for engine in engines:
                crowd = Crowd(ports[engine], sides[engine][3], paced[engine])
                asyncio.run(crowd.work(seconds, PAUSE))
                rates[engine].append(crowd.calls / seconds)
        for engine in engines:
            crowd = Crowd(ports[engine], sides[engine][3], pressed[engine])
            asyncio.run(crowd.work(seconds / 2, 0))
            rates[engine + " pressed"].append(crowd.calls / (seconds / 2))
    tell(events, engines, paced, pressed, rates)


ANALYZE = """
import sys, psycopg
with psycopg.connect(sys.argv[1], autocommit=True) as db:
    db.execute("VACUUM ANALYZE")
"""


def filled(env: dict[str, str], events: int) -> dict[str, Any]:
    began = time.perf_counter()
    command = [sys.executable, "-m", "bench.api_data", "--events", str(events)]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    print(f"filled in {time.perf_counter() - began:.0f} s", flush=True)
    return json.loads(done.stdout.splitlines()[-1])


class Crowd:
    """A hundred users of one workspace; `times` gets the milliseconds of every call by its name."""

    def __init__(self, port: int, known: dict[str, Any], times: Times) -> None:
        self.port, self.known, self.times = port, known, times
        self.calls = 0
        self.opened: list[str] = []
        self.number = time.time_ns()

    async def work(self, seconds: float, pause: float) -> None:
        self.until = time.perf_counter() + seconds
        await asyncio.gather(*[self._user(n, pause) for n in range(USERS)])

    async def _user(self, number: int, pause: float) -> None:
        chance = random.Random(number)
        weights = READS | WRITES
        key = self.known["keys"][number % len(self.known["keys"])]
        await asyncio.sleep(chance.uniform(0, pause))
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        while time.perf_counter() < self.until:
            (name,) = chance.choices(list(weights), list(weights.values()))
            name, method, path, body = self._call(name, chance)
            data = json.dumps(body).encode() if body is not None else b""
            writer.write(
                f"{method} /api/v1/{path} HTTP/1.1\r\nHost: localhost\r\n"
                f"Authorization: Bearer {key}\r\nContent-Type: application/json\r\n"
                f"Content-Length: {len(data)}\r\n\r\n".encode()
                + data
            )
            began = time.perf_counter()
            try:
                status, answer = await asyncio.wait_for(_answer(reader), 60)
            except (OSError, EOFError, TimeoutError) as problem:
                self.times["errors"].append(0)
                print(f"{name}: {problem!r}", file=sys.stderr)
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
                continue
            self.calls += 1
            self.times[name].append((time.perf_counter() - began) * 1000)
            if status >= 400:
                self.times["errors"].append(status)
                print(f"{name}: {status} {answer[:200].decode()}", file=sys.stderr)
            elif name == "start_frame":
                self.opened.append(json.loads(answer)["id"])
            if pause:
                await asyncio.sleep(chance.uniform(pause / 2, pause * 1.5))
        writer.close()

    def _call(self, name: str, chance: random.Random) -> tuple[str, str, str, Any]:
        """(name, method, path, body)"""
        frame, session = chance.choice(self.known["frames"]), chance.choice(self.known["live"])
        self.number += 1
        if name == "append":
            payload = {"tool_name": "edit", "arguments": {"text": "what was said here " * 28}}
            body = {"frame": frame, "type": "tool_call", "source_id": f"e{self.number}"}
            return name, "POST", "events", body | {"payload": payload}
        if name == "start_frame" or (name == "close_frame" and not self.opened):
            known = chance.choice(self.known["sessions"])
            body = {"session": known, "name": "A new frame", "source_id": f"f{self.number}"}
            return "start_frame", "POST", "frames", body
        if name == "close_frame":
            path = f"frames/{self.opened.pop()}/close"
            return name, "POST", path, {"result": "It is done, as was said."}
        return name, "GET", {
            "active stack": f"sessions/{session}/stack",
            "frames": f"frames?project=app-{chance.randrange(5)}",
            "frame": f"frames/{frame}",
            "timeline": f"frames/{frame}/events",
            "anchors": f"anchors?project=app-{chance.randrange(5)}",
            "tasks": f"tasks?project=app-{chance.randrange(5)}",
            "sessions": "sessions",
        }[name], None  # fmt: skip


async def _answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    status = int(head.split(" ", 2)[1])
    lines = [line.partition(":") for line in head.split("\r\n")]
    headers = {name.lower(): value.strip() for name, _, value in lines}
    if "chunked" in headers.get("transfer-encoding", ""):
        body = b""
        while size := int(await reader.readline(), 16):
            body += await reader.readexactly(size)
            await reader.readline()
        await reader.readline()
        return status, body
    return status, await reader.readexactly(int(headers.get("content-length", 0)))


def tell(
    events: int, engines: list[str], paced: dict[str, Times], pressed: dict[str, Times],
    rates: dict[str, list[float]],
) -> None:  # fmt: skip
    print(
        f"\n{events:,} events in one of 50 workspaces, {USERS} users, load {os.getloadavg()[0]:.1f}"
    )
    figures: dict[str, float] = {"events": events, "users": USERS}
    for engine in engines:
        times, prefix = paced[engine], "" if engine == "postgres" else f"{engine}_"
        rate = sum(rates[engine]) / len(rates[engine])
        print(
            f"\n{engine}: {rate:.0f} calls/s with pauses\n{'':16}{'calls':>7}{'p50':>8}{'p95':>8}{'p99':>8}"
        )
        for name in [*READS, *WRITES]:
            row = "".join(f"{at(times[name], p):>8.1f}" for p in (50, 95, 99))
            print(f"{name:16}{len(times[name]):>7}{row}")
        for kind, names in (("read", READS), ("write", WRITES)):
            together = [ms for name in names for ms in times[name]]
            for percent in (50, 95, 99):
                figures[f"{prefix}{kind}_p{percent}_ms"] = round(at(together, percent), 1)
        for name in WRITES:
            figures[f"{prefix}{name}_p99_ms"] = round(at(times[name], 99), 1)
        figures[f"{prefix}errors"] = len(times["errors"]) + len(pressed[engine]["errors"])
        figures[f"{prefix}calls_per_s"] = round(rate, 1)
        reads = [ms for name in READS for ms in pressed[engine][name]]
        figures[f"{prefix}no_pause_read_p50_ms"] = round(at(reads, 50), 1)
        figures[f"{prefix}no_pause_read_p99_ms"] = round(at(reads, 99), 1)
        figures[f"{prefix}no_pause_calls_per_s"] = round(rates[engine + " pressed"][0], 1)
        print(f"without pauses: {rates[engine + ' pressed'][0]:.0f} calls/s, reads p50"
              f" {at(reads, 50):.0f} ms, p99 {at(reads, 99):.0f} ms")  # fmt: skip
    print(json.dumps(figures))


def at(times: list[float], percent: int) -> float:
    """The value that so many percent are not above."""
    ranked = sorted(times)
    return ranked[min(len(ranked) * percent // 100, len(ranked) - 1)] if ranked else 0.0


if __name__ == "__main__":
    main()
