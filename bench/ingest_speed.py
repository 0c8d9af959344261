"""Events a second through POST /api/v1/events/batch, and the ratio to a raw COPY of the same rows.

gunicorn with two processes as in production, PostgreSQL with fsync on, row-level security and
redaction on, four clients that each send one batch after the other over one connection. Each round
sends into a new workspace, then copies the rows that were stored, encoded beforehand, by one COPY
in one transaction into a table with the same partitions, indexes and foreign keys.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from pathlib import Path

from bench.raw_copy import timed_copy
from bench.serving import ROOT, environment, served
from tests.postgres import Server

CLIENTS = 4
FRAMES = 20
# Prose and code, as agents write both.
WORDS = [word for name in ("docs/concepts.md", "frames/stack.py", "workspaces/api_keys.py")
         for word in (ROOT / name).read_text().split()]  # fmt: skip
# What an event tells of itself besides frame, type and payload.
FORMS = {"timed": "source_id and occurred_at", "named": "source_id alone", "bare": "neither"}


@dataclass(frozen=True)
class Case:
    """`size` events a batch; `form` is one of FORMS."""

    size: int
    form: str

    @property
    def name(self) -> str:
        return f"batch_{self.size}" + ("" if self.form == "timed" else f"_{self.form}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="five times the events")
    parser.add_argument("--only", help="one case alone, e.g. batch_1000")
    options = parser.parse_args()
    factor = 5 if options.full else 1
    amounts = {1000: 40_000 * factor, 100: 20_000 * factor}
    cases = [Case(1000, "timed"), Case(100, "timed"), Case(1000, "named"), Case(1000, "bare")]
    cases = [case for case in cases if options.only in (None, case.name)]
    rates: dict[str, list[tuple[float, float]]] = {case.name: [] for case in cases}
    home = Path(tempfile.mkdtemp(prefix="sm-bench-"))
    server = Server(fsync=True)
    env = environment(server.url, home)
    manage(env, "migrate", "-v0")
    with served(env, home) as port:
        for number in range(-1, 5):  # the first warms up
            for case in cases:
                events = amounts[case.size] if number >= 0 else 4000
                slug = f"{case.name.replace('_', '-')}-round-{number + 1}"
                sent = timed_batches(env, port, slug, case, events)
                stored, copied = timed_copy(server, slug, home / "events.copy")
                assert stored == events, f"{stored} of {events} are there"
                if number >= 0:
                    rates[case.name].append((events / sent, events / copied))
                    print(f"round {number + 1}, {case.name}: {events / sent:,.0f} events/s,"
                          f" COPY {events / copied:,.0f}", flush=True)  # fmt: skip
    tell(cases, rates, amounts)
    server.close()


def tell(
    cases: list[Case], rates: dict[str, list[tuple[float, float]]], amounts: dict[int, int]
) -> None:
    print(
        f"\n{CLIENTS} clients, 2 web processes, load {os.getloadavg()[0]:.1f}; medians of rounds\n"
    )
    print(f"{'':16}{'events/s':>10}{'COPY':>10}{'ratio':>8}  {'spread':12}events")
    figures: dict[str, float] = {}
    for case in cases:
        ratios = [http / copy for http, copy in rates[case.name]]
        http, copy = (statistics.median(side) for side in zip(*rates[case.name], strict=True))
        ratio = statistics.median(ratios)
        spread = f"{min(ratios):.2f}–{max(ratios):.2f}"
        print(f"{case.name:16}{http:>10,.0f}{copy:>10,.0f}{ratio:>8.2f}  {spread:12}"
              f"{amounts[case.size]:,} a round, with {FORMS[case.form]}")  # fmt: skip
        figures |= {
            f"{case.name}_vs_copy": round(ratio, 3),
            f"{case.name}_events_per_s": round(http),
            f"{case.name}_copy_events_per_s": round(copy),
        }
    print(json.dumps(figures))


def manage(env: dict[str, str], *arguments: str) -> str:
    command = [sys.executable, "manage.py", *arguments]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    return done.stdout


def timed_batches(env: dict[str, str], port: int, slug: str, case: Case, events: int) -> float:
    """Seconds until the last batch of `events` events is answered; every event must be created."""
    manage(env, "create_workspace", "--slug", slug, "--name", slug, "--owner", "a@example.com")
    asked = ("--workspace", slug, "--name", "bench", "--scopes", "read,write", "--json")
    key = json.loads(manage(env, "create_api_key", *asked))["key"]
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    frames = make_frames(port, headers)
    batches = write_batches(case, events, frames)
    shares = [batches[n::CLIENTS] for n in range(CLIENTS)]

    def send(share: list[bytes]) -> None:
        connection = HTTPConnection("127.0.0.1", port, timeout=120)
        for body in share:
            connection.request("POST", "/api/v1/events/batch", body, headers)
            response = connection.getresponse()
            answer = response.read()
            assert answer.startswith(b'{"created":%d,' % case.size), answer[:500]
        connection.close()

    with ThreadPoolExecutor(CLIENTS) as pool:
        began = time.perf_counter()
        list(pool.map(send, shares))
        return time.perf_counter() - began


def make_frames(port: int, headers: dict[str, str]) -> list[str]:
    """Frames of one session, as an agent makes them."""
    connection = HTTPConnection("127.0.0.1", port, timeout=60)

    def post(path: str, body: dict[str, object]) -> dict[str, str]:
        connection.request("POST", f"/api/v1/{path}", json.dumps(body), headers)
        response = connection.getresponse()
        told = json.loads(response.read())
        assert response.status == 201, told
        return told

    post("projects", {"name": "Bench"})
    session = post("sessions", {"project": "bench", "client": "bench"})["id"]
    made = [post("frames", {"name": f"Frame {n}", "session": session}) for n in range(FRAMES)]
    connection.close()
    return [frame["id"] for frame in made]


def write_batches(case: Case, events: int, frames: list[str]) -> list[bytes]:
    """Bodies of requests: calls of tools and their results, payloads of 600 bytes on average."""
    chance = random.Random(7)
    now = datetime.now(UTC) - timedelta(hours=1)
    batches = []
    for start in range(0, events, case.size):
        frame = frames[start // case.size % len(frames)]
        batch = []
        for number in range(start, start + case.size):
            event: dict[str, object] = {
                "frame": frame,
                "type": "tool_result" if number % 2 else "tool_call",
                "payload": payload(chance, number),
            }
            if case.form != "bare":
                event["source_id"] = f"run-7/{number:08}"
            if case.form == "timed":
                at = now + timedelta(milliseconds=number)
                event |= {"occurred_at": at.isoformat(), "seq": number}
            batch.append(event)
        batches.append(json.dumps({"events": batch}).encode())
    return batches


def payload(chance: random.Random, number: int) -> dict[str, object]:
    text = " ".join(chance.choices(WORDS, k=chance.randrange(10, 115)))
    if number % 2:
        content = [{"type": "text", "text": text}]
        return {"tool_name": "edit", "success": number % 10 > 1, "result": {"content": content}}
    return {"tool_name": "edit", "arguments": {"text": text, "path": f"src/part_{number}.py"}}


if __name__ == "__main__":
    main()
