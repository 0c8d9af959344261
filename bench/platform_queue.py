"""The queue against stock django-q2 on the same PostgreSQL: how soon a job begins, how many a second.

Both run the same no-op jobs in a cluster of two workers, started anew for each turn, the two in
turns so that a noisy machine disturbs both alike. Stock is django-q2's ORM broker with its results
kept and not pruned (save_limit 0), which is quicker than its default.
"""

from __future__ import annotations

import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psycopg

from tests.postgres import Server

ROOT = Path(__file__).parent.parent
JOBS, ROUNDS, PICKUPS = 600, 3, 50
STOCK = """
from stackmemory.settings import *
Q_CLUSTER = {k: v for k, v in Q_CLUSTER.items() if k not in ("broker_class", "bulk")}
Q_CLUSTER |= {"orm": "default", "save_limit": 0, "retry": 7200}
"""
FILL = """
import django; django.setup()
import sys
from django.db import transaction
from django_q.tasks import async_task
from stackmemory.lib.queue import enqueue
ours, count = sys.argv[1] == "ours", int(sys.argv[2])
with transaction.atomic():
    for _ in range(count):
        (enqueue if ours else async_task)("tests.platform.jobs.nothing", "1")
"""
PICK_UP = """
import django; django.setup()
import os, sys, time
from django_q.tasks import async_task
from stackmemory.lib.queue import enqueue
ours, count, path = sys.argv[1] == "ours", int(sys.argv[2]), sys.argv[3]
def ask():
    (enqueue if ours else async_task)("tests.platform.jobs.note_time", path, str(time.time()))
ask()
while not os.path.exists(path):  # until the cluster is up
    time.sleep(0.05)
for _ in range(count - 1):
    time.sleep(0.12)
    ask()
"""
LEFT = {
    "ours": "SELECT count(*) FROM stackmemory_job WHERE state IN ('waiting', 'running')",
    "stock": "SELECT count(*) FROM django_q_ormq",
}


def measure() -> dict[str, float]:
    server = Server(fsync=True)
    try:
        with tempfile.TemporaryDirectory(prefix="sm-bench-") as folder:
            return _measure(server, Path(folder))
    finally:
        server.close()


def _measure(server: Server, folder: Path) -> dict[str, float]:
    (folder / "stock_settings.py").write_text(STOCK)
    common = os.environ | {
        "DATABASE_URL": server.url,
        "VAR_DIR": str(folder),
        "PYTHONPATH": f"{ROOT}:{folder}",
        "LOG_LEVEL": "WARNING",
        "WORKERS": "2",
    }
    environ = {
        "ours": common | {"DJANGO_SETTINGS_MODULE": "stackmemory.settings"},
        "stock": common | {"DJANGO_SETTINGS_MODULE": "stock_settings"},
    }
    run(environ["ours"], "manage.py", "migrate", "-v0")
    with psycopg.connect(server.url) as connection:
        connection.execute("DELETE FROM django_q_schedule")  # no jobs but ours
    rates: dict[str, list[float]] = {"ours": [], "stock": []}
    for number in range(ROUNDS):
        for side in ("ours", "stock") if number % 2 else ("stock", "ours"):
            rates[side].append(throughput(server, environ[side], side))
            print(f"{side:6} {rates[side][-1]:8.0f} jobs/s")
    pickups = {side: pick_up(environ[side], side, folder) for side in ("stock", "ours")}
    for side, times in pickups.items():
        print(f"{side:6} begins after p50 {times[0]:.1f} ms, p95 {times[1]:.1f} ms")
    ours, stock = (statistics.median(rates[side]) for side in ("ours", "stock"))
    return {
        "queue_pickup_p50_ms": round(pickups["ours"][0], 1),
        "queue_pickup_p95_ms": round(pickups["ours"][1], 1),
        "queue_stock_pickup_p50_ms": round(pickups["stock"][0], 1),
        "queue_jobs_per_s": round(ours),
        "queue_vs_stock": round(ours / stock, 2),
    }


def throughput(server: Server, environ: dict[str, str], side: str) -> float:
    """Jobs a second, from the first that is gone to the last."""
    run(environ, "-c", FILL, side, str(JOBS))
    with psycopg.connect(server.url, autocommit=True) as connection:

        def left() -> int:
            return int(connection.execute(LEFT[side]).fetchone()[0])

        with_cluster = start(environ)
        try:
            while (first := left()) == JOBS:
                time.sleep(0.01)
            began = time.perf_counter()
            while left():
                time.sleep(0.02)
                assert time.perf_counter() - began < 120, f"{left()} jobs of {side} are stuck"
            return first / (time.perf_counter() - began)
        finally:
            stop(with_cluster)


def pick_up(environ: dict[str, str], side: str, folder: Path) -> tuple[float, float]:
    """p50 and p95 of milliseconds from asking for a job, with nothing else to do, to its beginning."""
    times = folder / f"times-{side}"
    cluster = start(environ)
    try:
        run(environ, "-c", PICK_UP, side, str(PICKUPS + 5), str(times))
        while not times.exists() or len(times.read_text().split()) < PICKUPS + 5:
            time.sleep(0.05)
    finally:
        stop(cluster)
    waited = sorted(float(word) * 1000 for word in times.read_text().split()[5:])
    return statistics.median(waited), waited[int(len(waited) * 0.95)]


def start(environ: dict[str, str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "manage.py", "qcluster"],
        cwd=ROOT,
        env=environ,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def stop(process: subprocess.Popen[bytes]) -> None:
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def run(environ: dict[str, str], *arguments: str) -> None:
    subprocess.run([sys.executable, *arguments], cwd=ROOT, env=environ, check=True)


if __name__ == "__main__":
    print(json.dumps(measure()))
