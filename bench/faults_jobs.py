"""What jobs do when things break: a worker killed, PostgreSQL restarted at once, a cluster killed.

Two clusters work while a program asks for jobs without pause and tries again what was not
acknowledged. Every acknowledged job must have been carried out; told is how many were carried out
twice, which jobs must bear, and how soon after each fault the next job was done.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import psutil
import psycopg

from tests.postgres import Server

ROOT = Path(__file__).parent.parent
JOBS, LEASE, PATIENCE = 1200, 3, 90.0
ASK = """
import django; django.setup()
import sys, time
from django.db import Error, connection, transaction
from stackmemory.lib.queue import enqueue
path, number = sys.argv[1], 0
while number < int(sys.argv[2]):
    try:
        with transaction.atomic():
            enqueue("tests.platform.jobs.note", path, str(number))
    except Error:
        connection.close()
        time.sleep(0.1)
        continue
    print(number, flush=True)
    number += 1
    time.sleep(0.01)
"""


def main() -> None:
    server = Server(fsync=True)
    try:
        with tempfile.TemporaryDirectory(prefix="sm-faults-") as folder:
            figures = break_things(server, Path(folder))
    finally:
        server.close()
    print(json.dumps(figures))
    if figures["jobs_lost"]:
        sys.exit(1)


def break_things(server: Server, folder: Path) -> dict[str, float]:
    environ = os.environ | {
        "DATABASE_URL": server.url,
        "DJANGO_SETTINGS_MODULE": "stackmemory.settings",
        "VAR_DIR": str(folder),
        "WORKERS": "1",
        "LOG_LEVEL": "ERROR",
        "JOBS_LEASE_SECONDS": str(LEASE),
    }
    subprocess.run(
        [sys.executable, "manage.py", "migrate", "-v0"], cwd=ROOT, env=environ, check=True
    )
    with psycopg.connect(server.url) as connection:
        connection.execute("DELETE FROM django_q_schedule")
    notes = folder / "notes"
    notes.touch()
    clusters = [start(environ, folder) for _ in range(2)]
    asking = subprocess.Popen(
        [sys.executable, "-c", ASK, str(notes), str(JOBS)],
        cwd=ROOT, env=environ, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    felt = {}
    try:
        after(notes, 50)
        felt["worker_killed_s"] = until_more(notes, lambda: kill_worker(clusters[0]))
        after(notes, count(notes) + 50)

        def restart() -> None:
            server.process.kill()  # as a machine that loses power does
            server.process.wait()
            (server.data / "postmaster.pid").unlink(missing_ok=True)
            server.start()

        felt["postgresql_crashed_s"] = until_more(notes, restart)
        after(notes, count(notes) + 50)
        if (
            clusters[0].poll() is not None
        ):  # its worker was waiting: as a container would, begin anew
            clusters[0] = start(environ, folder)
        felt["cluster_killed_s"] = until_more(notes, lambda: kill(clusters[1]))
        asked = [line.strip() for line in asking.communicate(timeout=PATIENCE)[0].splitlines()]
        deadline = time.monotonic() + PATIENCE
        while set(asked) - set(notes.read_text().split()) and time.monotonic() < deadline:
            time.sleep(0.1)
    finally:
        asking.kill()
        for cluster in clusters:
            kill(cluster)
    runs = Counter(notes.read_text().split())
    return {
        "jobs_acknowledged": len(asked),
        "jobs_lost": len(set(asked) - set(runs)),
        "jobs_run_twice": sum(1 for times in runs.values() if times > 1),
        **{name: round(seconds, 1) for name, seconds in felt.items()},
    }


def start(environ: dict[str, str], folder: Path) -> subprocess.Popen[bytes]:
    with (folder / "log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "manage.py", "qcluster"],
            cwd=ROOT, env=environ, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip


def kill(cluster: subprocess.Popen[bytes]) -> None:
    family = (
        [*psutil.Process(cluster.pid).children(recursive=True)] if cluster.poll() is None else []
    )
    for process in [*family, cluster]:
        process.kill()
    cluster.wait()


def kill_worker(cluster: subprocess.Popen[bytes]) -> None:
    """A worker, and not the sentinel, the monitor or the one that claims: the sentinel's first child."""
    sentinel = psutil.Process(cluster.pid).children()[0]
    min(sentinel.children(), key=lambda process: process.create_time()).kill()


def count(notes: Path) -> int:
    return len(notes.read_text().split())


def after(notes: Path, number: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while count(notes) < number:
        assert time.monotonic() < deadline, "no job is carried out any more"
        time.sleep(0.02)


def until_more(notes: Path, fault: object) -> float:
    """Seconds from a fault to the next job that was carried out."""
    fault()  # type: ignore[operator]
    began, before = time.monotonic(), count(notes)
    after(notes, before + 1)
    return time.monotonic() - began


if __name__ == "__main__":
    main()
