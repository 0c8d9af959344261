"""How the web process is served: `gunicorn -c python:stackmemory.serving stackmemory.asgi`.

gunicorn reads these names as its settings; WEB_CONCURRENCY (processes) is its own variable.
"""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import warnings
from pathlib import Path
from typing import Any

from stackmemory.lib.closing import before_stopping

worker_class = "stackmemory.lib.even.EvenWorker"
# What this was tried with, whatever else is installed: the quicker loop and the quicker parser save
# a tenth of a millisecond each, and together ended connections in the middle of requests.
asgi_loop = "asyncio"
http_parser = "python"
bind = f"{os.environ.get('HOST', '0.0.0.0')}:{os.environ.get('PORT', '8000')}"
workers = int(os.environ.get("WEB_CONCURRENCY", "2"))
# A deploy waits this long for requests that have begun; streams are told to reconnect.
graceful_timeout = 25
timeout = 120
keepalive = 5
# The heartbeat is a file; on a slow disk it would stall.
worker_tmp_dir = "/dev/shm" if os.path.isdir("/dev/shm") else None
control_socket_disable = True
accesslog = "-" if os.environ.get("ACCESS_LOG") == "1" else None
# Its own words look like the product's (settings.py).
production = "RAILWAY_ENVIRONMENT" in os.environ or os.environ.get("SITE_URL", "")[:6] == "https:"
if os.environ.get("LOG_FORMAT", "json" if production else "line") == "json":
    console = {"class": "logging.StreamHandler", "formatter": "json", "filters": ["request"]}
    logconfig_dict = {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": "stackmemory.lib.logs.JsonLines"}},
        "filters": {"request": {"()": "stackmemory.lib.logs.WithRequest"}},
        "handlers": {"console": console},
        "root": {"handlers": ["console"], "level": "INFO"},
        "loggers": {
            name: {"handlers": ["console"], "level": "INFO", "propagate": False}
            for name in ("gunicorn.error", "gunicorn.access")
        },
    }


# Where the processes count together for /metrics; ours alone are removed.
COUNTS = "stackmemory-metrics-"
made: list[str] = []


def on_starting(server: Any) -> None:
    """Name the folder before any process counts; and have their requests share connections."""
    # A request has a thread, and would make a connection, of its own.
    os.environ.setdefault("DATABASE_POOL_SIZE", "10")
    if not os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        _clear_up()
        prefix = f"{COUNTS}{os.getpid()}-"
        made.append(tempfile.mkdtemp(prefix=prefix, dir=worker_tmp_dir))
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = made[0]


def _clear_up() -> None:
    """Remove what servers left behind that were killed outright."""
    for folder in Path(worker_tmp_dir or tempfile.gettempdir()).glob(f"{COUNTS}*-*"):
        pid = folder.name.removeprefix(COUNTS).partition("-")[0]
        try:
            os.kill(int(pid), 0)
        except (ProcessLookupError, ValueError):
            shutil.rmtree(folder, ignore_errors=True)
        except PermissionError:
            pass  # it runs, as somebody else


def child_exit(server: Any, worker: Any) -> None:
    """What a process counted stays; what it was (streams open, listening) ends with it."""
    # Imported before the folder is named, it would have every process count for itself.
    from prometheus_client.multiprocess import mark_process_dead

    mark_process_dead(worker.pid)
    worker.leave()


def on_exit(server: Any) -> None:
    for folder in made:
        shutil.rmtree(folder, ignore_errors=True)


def pre_fork(server: Any, worker: Any) -> None:
    worker.seat(server.WORKERS.values())


def post_worker_init(worker: Any) -> None:
    """Asked to stop, a process ends its streams first; readers go on with another."""

    def stop() -> None:
        worker.leave()
        for end in before_stopping:
            end()
        worker.handle_exit_signal()

    worker.begin()
    worker.loop.add_signal_handler(signal.SIGTERM, stop)


# Static files are small and read from disk by a thread; without collectstatic they have no folder.
warnings.filterwarnings("ignore", "StreamingHttpResponse must consume synchronous iterators")
warnings.filterwarnings("ignore", "No directory at")
