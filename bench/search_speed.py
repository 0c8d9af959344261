"""How quickly a hundred people search, and are given context, among many teams on PostgreSQL.

Twice: among 50 workspaces of very different size, one with 30 % of everything, and among 2,000. The
product is served as in production, by two processes; a user has a key of their own and works in one
workspace (more do in larger ones).

The load is a hundred people, not a hundred loops: each thinks after an answer, five seconds on
average (exponentially distributed, so that they do not march in step), and asks again on a new
connection: at most twenty questions a second together. Without pauses a hundred would wait for each
other, and the time of an answer were a hundred times what one costs. That is measured as well, as
what the machine can do at most (`…_no_pause_per_s`), and says nothing about waiting.

Questions are made into vectors by the model that comes along, which costs what it costs, while the
documents' vectors are made up (bench/search_data.py); recall is measured apart, by questions of the
same making.
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
from pathlib import Path
from typing import Any

from bench.api_latency import _answer
from bench.serving import ROOT, environment, served
from tests.postgres import Server

USERS, PAUSE = 100, 5.0
# How long is asked: to warm up, with pauses, without.
WARM, LONG, FLAT_OUT = 10, 30, 8
SHAPES = (50, 2_000)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="a million documents")
    parser.add_argument("--documents", type=int)
    parser.add_argument("--shape", type=int, choices=SHAPES, help="one alone")
    parser.add_argument("--alone", action="store_true", help="without ChromaDB")
    options = parser.parse_args()
    documents = options.documents or (1_000_000 if options.full else 100_000)
    if options.shape:
        print(json.dumps(run(documents, options.shape, alone=options.alone)))
        return
    found = {}
    for shape in SHAPES:
        command = [sys.executable, "-m", "bench.search_speed", "--shape", str(shape)]
        command += ["--documents", str(documents)] + ["--alone"] * options.alone
        done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
        found[shape] = json.loads(done.stdout.splitlines()[-1])
        tell(shape, found[shape])
    # Of both shapes the worse one stands for the whole.
    figures = {"documents": documents, "users": USERS, "pause_s": PAUSE}
    figures |= {"load": round(os.getloadavg()[0], 1)}
    figures |= {k: v for k, v in found[50].items() if k not in found[2_000] or "vector" in k}
    for name in found[2_000]:
        if name in found[50] and "vector" not in name:
            worse = min if name.endswith(("per_s", "recall_at_10")) else max
            figures[name] = worse(each[name] for each in found.values())
    figures |= {f"{name}_2000": value for name, value in found[2_000].items()}
    print(json.dumps(figures))


def run(documents: int, workspaces: int, *, alone: bool) -> dict[str, Any]:
    home = Path(tempfile.mkdtemp(prefix="sm-bench-"))
    server = Server(
        settings={"shared_buffers": "2GB", "max_wal_size": "8GB", "max_connections": "300"}
    )
    env = environment(server.url, home)
    os.environ |= env
    import django
    import psycopg

    django.setup()
    from django.core.management import call_command

    from bench.search_data import make
    from bench.search_load import load
    from bench.search_vectors import compare

    began = time.perf_counter()
    call_command("migrate", verbosity=0)
    data = make(documents, workspaces)
    with psycopg.connect(server.url) as connection:
        load(connection, data)
    told(
        f"{documents:,} documents of {workspaces:,} workspaces in {time.perf_counter() - began:.0f} s"
    )
    figures = compare(data, home, with_chroma=workspaces == SHAPES[0] and not alone)
    told(json.dumps(figures))
    people = users(data)
    with served(env, home) as port:
        crowd = Crowd(port, people)
        asyncio.run(crowd.prepare())
        told(f"{USERS} people, each pausing {PAUSE:g} s on average after an answer")
        asyncio.run(crowd.work("search", WARM, PAUSE))
        for what in ("search", "context"):
            crowd.times.clear()
            asyncio.run(crowd.work(what, LONG, PAUSE))
            figures |= {f"{what}_p{p}_ms": at(crowd.times[what], p) for p in (50, 95, 99)}
            figures[f"{what}_calls"] = len(crowd.times[what])
            figures[f"{what}_errors"] = len(crowd.times["errors"])
            told(f"{what}: p50 {figures[f'{what}_p50_ms']} ms, p99 {figures[f'{what}_p99_ms']} ms")
        for what in ("search", "context"):
            crowd.times.clear()
            asyncio.run(crowd.work(what, FLAT_OUT, 0))
            figures[f"{what}_no_pause_per_s"] = round(len(crowd.times[what]) / FLAT_OUT, 1)
    server.close()
    told(f"done after {time.perf_counter() - began:.0f} s")
    return figures


def users(data: Any) -> list[tuple[str, list[str]]]:
    """(key, questions) of each; who belongs where goes by the size of the workspaces."""
    from stackmemory.lib.tenancy import workspace_scope
    from workspaces import api_keys
    from workspaces.models import Workspace

    asked: dict[int, list[str]] = defaultdict(list)
    for place, words, _ in data.questions(20_000, seed=9):
        asked[place].append(words)
    chance = random.Random(3)
    places = [int(data.of[chance.randrange(len(data.of))]) for _ in range(USERS)]
    people = []
    for number, place in enumerate(places):
        workspace = Workspace.objects.get(pk=data.workspaces[place])
        with workspace_scope(workspace.pk):
            _, key = api_keys.create(
                workspace=workspace, name=f"user {number}", scopes=["read", "write"], actor=None
            )
        people.append((key, asked[place]))
    return people


class Crowd:
    """Everybody at once; `times` gets the milliseconds of every call by its name."""

    def __init__(self, port: int, people: list[tuple[str, list[str]]]) -> None:
        self.port, self.people = port, people
        self.times: dict[str, list[float]] = defaultdict(list)
        self.sessions: dict[int, str] = {}

    async def prepare(self) -> None:
        """Each user's run of an agent with two frames open and something said in them."""
        for number, (key, questions) in enumerate(self.people):
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)

            async def post(path: str, body: Any, key=key, reader=reader, writer=writer) -> Any:
                return json.loads(await ask(reader, writer, key, "POST", path, body))

            session = await post("sessions", {"project": "app", "client": "bench"})
            self.sessions[number], parent = session["id"], None
            for words in questions[:2]:
                frame = {"project": "app", "session": session["id"], "name": words}
                parent = (await post("frames", frame | ({"parent": parent} if parent else {})))[
                    "id"
                ]
            said = [{"frame": parent, "type": "user_message", "payload": {"content": words}}
                    for words in questions[:20]]  # fmt: skip
            await post("events/batch", {"events": said})
            writer.close()

    async def work(self, what: str, seconds: float, pause: float) -> None:
        self.until = time.perf_counter() + seconds
        users = [self._user(n, what, pause) for n in range(len(self.people))]
        await asyncio.gather(*users)

    async def _user(self, number: int, what: str, pause: float) -> None:
        chance = random.Random(f"{number} {what} {pause}")
        key, questions = self.people[number]
        await asyncio.sleep(chance.expovariate(1 / pause) if pause else 0)
        writer = None
        while time.perf_counter() < self.until:
            words = chance.choice(questions)
            began = time.perf_counter()
            try:
                if writer is None:
                    reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
                if what == "search":
                    path = "search?q=" + words.replace(" ", "+")
                    await ask(reader, writer, key, "GET", path)
                else:
                    body = {"session": self.sessions[number], "query": words}
                    await ask(reader, writer, key, "POST", "context", body)
            except (OSError, EOFError, ValueError) as problem:
                self.times["errors"].append(0)
                told(f"{what}: {problem!r}")
                writer = None
                continue
            self.times[what].append((time.perf_counter() - began) * 1000)
            if pause:
                # The server ends connections that nobody uses for five seconds.
                writer.close()
                writer = None
                await asyncio.sleep(chance.expovariate(1 / pause))


async def ask(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, key: str, method: str, path: str,
    body: Any = None,
) -> bytes:  # fmt: skip
    """Raises ValueError for an answer that is none."""
    data = json.dumps(body).encode() if body is not None else b""
    head = (
        f"{method} /api/v1/{path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n"
    )
    writer.write(head.encode() + data)
    status, answer = await asyncio.wait_for(_answer(reader), 60)
    if status >= 400:
        raise ValueError(f"{status} {answer[:200].decode()}")
    return answer


def at(times: list[float], percent: int) -> float:
    """The value that so many percent are not above."""
    ranked = sorted(times)
    return round(ranked[min(len(ranked) * percent // 100, len(ranked) - 1)], 1) if ranked else 0.0


def tell(workspaces: int, figures: dict[str, Any]) -> None:
    print(f"\n{workspaces:,} workspaces, load {os.getloadavg()[0]:.1f}")
    for name, value in figures.items():
        print(f"  {name:28}{value}")


def told(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
