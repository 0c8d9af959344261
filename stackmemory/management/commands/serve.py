"""Web and worker in one container, for hosts whose containers share no disk."""

from __future__ import annotations

import os
import sys
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from stackmemory.lib.supervise import Service, Supervisor


class Command(BaseCommand):
    help = (
        "Runs web and worker together and stops both on SIGTERM. The web listens on PORT; "
        "WEB_CONCURRENCY and WORKERS say how many processes each has."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        # A worker writes; a read-only installation has none.
        services = [web(os.environ), *([] if settings.READ_ONLY else [worker(os.environ)])]
        supervisor = Supervisor(services, self.stderr.write)
        if supervisor.run(is_ready=lambda: True, when_ready=lambda: None):
            raise CommandError("Web and worker have stopped. The reason is in the lines above.")


def web(environ: Any, *options: str) -> Service:
    command = [sys.executable, "-m", "gunicorn", "-c", "python:stackmemory.serving"]
    return Service("web server", [*command, *options, "stackmemory.asgi"], environ)


def worker(environ: Any) -> Service:
    command = [sys.executable, str(settings.BASE_DIR / "manage.py"), "qcluster"]
    return Service("worker", command, environ)
