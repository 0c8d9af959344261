"""Events a second of `manage.py import_stackmemory`, and its ratio to a raw COPY of the same rows.

Both sides in turns on one server with fsync on. The import is the real command in a process of its
own, into a workspace of its own each time: snapshot, checks, frames, events with their counters and
activity, each batch a transaction with its progress. The COPY is the events alone, encoded
beforehand, in one transaction, into a table with the same partitions, indexes and foreign keys.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench.raw_copy import timed_copy
from tests.postgres import Server
from tests.stores import NOW, B, Store, js

WORDS = Path(__file__).read_text().split()
MONTHS = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="ten times the events")
    full = parser.parse_args().full
    events, rounds = (1_000_000, 3) if full else (100_000, 5)
    server = Server(fsync=True)
    home = Path(tempfile.mkdtemp(prefix="sm-bench-"))
    env = os.environ | {
        "DATABASE_URL": server.url,
        "DJANGO_SETTINGS_MODULE": "stackmemory.settings",
        "VAR_DIR": str(home),
    }
    manage(env, "migrate", "-v0")
    path = write_store(home / "context.db", events)
    seconds: dict[str, list[float]] = {"import": [], "copy": []}
    rss = 0
    for number in range(rounds):
        slug = f"round-{number}"
        manage(env, "create_workspace", "--slug", slug, "--name", slug, "--owner", "a@example.com")
        report, memory = timed_import(env, path, slug)
        rss = max(rss, memory)
        assert report["rows"]["events"]["imported"] == events, report
        seconds["import"].append(report["seconds"])
        copied, took = timed_copy(server, slug, home / "events.copy")
        assert copied == events, f"{copied} of {events} are there"
        seconds["copy"].append(took)
        print(f"round {number + 1}: import {seconds['import'][-1]:.2f} s, "
              f"COPY {seconds['copy'][-1]:.2f} s", flush=True)  # fmt: skip
    tell(path, events, seconds, rss)
    server.close()


def tell(path: Path, events: int, seconds: dict[str, list[float]], rss: int) -> None:
    median = {side: statistics.median(times) for side, times in seconds.items()}
    size = path.stat().st_size / 2**20
    rounds = f"medians of {len(seconds['copy'])} rounds, load {os.getloadavg()[0]:.1f}"
    print(f"\n{events:,} events, {size:.0f} MB; {rounds}\n")
    print(f"{'':8}{'seconds':>10}{'spread':>16}{'events/s':>12}")
    for side, times in seconds.items():
        spread = f"{min(times):.2f}–{max(times):.2f}"
        print(f"{side:8}{median[side]:>10.2f}{spread:>16}{events / median[side]:>12,.0f}")
    ratios = [c / i for c, i in zip(seconds["copy"], seconds["import"], strict=True)]
    print(f"\nratio, round by round: {', '.join(f'{ratio:.2f}' for ratio in ratios)}")
    figures = {
        "events_vs_copy": round(statistics.median(ratios), 3),
        "events_per_s": round(events / median["import"]),
        "rss_mb": rss,
        "events": events,
        "file_mb": round(size),
        "copy_events_per_s": round(events / median["copy"]),
    }
    print(json.dumps(figures))


def manage(env: dict[str, str], *arguments: str) -> str:
    command = [sys.executable, "manage.py", *arguments]
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    return done.stdout


def timed_import(env: dict[str, str], path: Path, slug: str) -> tuple[dict[str, Any], int]:
    """The report of a real import, and the most memory it had resident, in MB."""
    told = manage(env, "import_stackmemory", str(path), "--workspace", slug, "--json")
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
    return json.loads(told.splitlines()[-1]), peak


def write_store(path: Path, events: int) -> Path:
    """Frames of 100 events over MONTHS months, payloads as tools write them, 600 bytes on average."""
    chance = random.Random(7)
    store = Store(path, B, wal=True)
    span = MONTHS * 30 * 86_400
    frames = events // 100
    parent = None
    for number in range(frames):
        began = NOW - span + span * number // frames
        depth = number % 4
        parent = store.frame(
            f"{number:08}-0000-4000-8000-00000000000{depth}", created_at=began, depth=depth,
            run_id=f"run-{number // 20}", parent_frame_id=parent if depth else None,
            name=" ".join(chance.choices(WORDS, k=5)),
        )  # fmt: skip
        for seq in range(1, 101):
            store.event(parent, run_id=f"run-{number // 20}", seq=seq, ts=(began + seq * 20) * 1000,
                        event_type="tool_call" if seq % 2 else "tool_result",
                        payload=payload(chance, seq, began))  # fmt: skip
        store.anchor(parent, text=" ".join(chance.choices(WORDS, k=12)))
    return store.done()


def payload(chance: random.Random, seq: int, began: int) -> str:
    text = " ".join(chance.choices(WORDS, k=chance.randrange(10, 110)))
    if seq % 2:
        return js({"tool_name": "edit", "arguments": {"text": text}, "timestamp": began * 1000})
    result = {"content": [{"type": "text", "text": text}]}
    return js({"tool_name": "edit", "success": seq % 10 > 0, "result": result})


if __name__ == "__main__":
    main()
