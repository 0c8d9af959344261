"""The product served for a measurement: gunicorn as in production, on a database of its own."""

from __future__ import annotations

import http.client
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.postgres import free_port

ROOT = Path(__file__).parent.parent
COMMAND = ["-m", "gunicorn", "-c", "python:stackmemory.serving", "stackmemory.asgi"]


def environment(database: str, home: Path) -> dict[str, str]:
    """What a process of the product is started with; nothing of the caller's settings."""
    ours = ("SITE_URL", "TEST_ENGINE", "JOBS_IN_PROCESS")
    clean = {name: value for name, value in os.environ.items() if name not in ours}
    return clean | {
        "DATABASE_URL": database,
        "DJANGO_SETTINGS_MODULE": "stackmemory.settings",
        "VAR_DIR": str(home),
        "LOG_LEVEL": "ERROR",
    }


@contextmanager
def served(environment: dict[str, str], home: Path, *, processes: int = 2) -> Iterator[int]:
    """While the block runs, it is served on the port given."""
    port = free_port()
    where = {"PORT": str(port), "HOST": "127.0.0.1", "WEB_CONCURRENCY": str(processes)}
    with (home / "log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, *COMMAND], cwd=ROOT, env=environment | where, stdout=log, stderr=log
        )
    try:
        deadline = time.monotonic() + 120
        while not _ready(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit((home / "log").read_text())
            time.sleep(0.1)
        yield port
    finally:
        process.terminate()
        process.wait(60)


def _ready(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
