"""`make run`: a working copy on this machine, from an empty folder to a page one can open."""

from __future__ import annotations

import logging
import os
import socket
from http.client import HTTPConnection, HTTPException
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import DEFAULT_DB_ALIAS, OperationalError
from django.db import connection as database
from django.db.migrations.executor import MigrationExecutor

from frames import partitions
from stackmemory.demo import Login, ensure_demo, login_file
from stackmemory.lib.supervise import Service, Supervisor
from stackmemory.management.commands.serve import web, worker

HOST = "127.0.0.1"
GRACE = (
    3.0  # seconds a job may go on after Ctrl-C; what it leaves undone is found and done next time
)


class Command(BaseCommand):
    help = (
        "Migrates the database, makes the demo workspace, and runs web and worker until Ctrl-C. "
        "PORT chooses the port. Run again, it changes nothing and starts at once."
    )
    # Whatever checks find is about production; `migrate` below runs the ones that matter here.
    requires_system_checks: list[str] = []  # type: ignore[assignment]

    def handle(self, *args: Any, **options: Any) -> None:
        port = chosen_port()
        refuse_busy(port)
        logging.disable(logging.INFO)  # what goes on in here is told by the lines below
        try:
            self.migrate()
            login = ensure_demo()
        except OperationalError as error:
            raise CommandError(f"The database cannot be used: {str(error).strip()}") from error
        database.close()
        code = Supervisor(services(port), self.stderr.write, GRACE).run(
            is_ready=lambda: answers(port), when_ready=lambda: self.announce(login)
        )
        if code:
            raise CommandError("StackMemory has stopped. The reason is in the lines above.")
        self.stdout.write("\nStopped.")

    def migrate(self) -> None:
        """Only where something waits, so that a second start is quick."""
        executor = MigrationExecutor(database)
        if executor.migration_plan(executor.loader.graph.leaf_nodes()):
            self.stdout.write("Preparing the database …")
            call_command("migrate", verbosity=0, interactive=False, database=DEFAULT_DB_ALIAS)
        partitions.make_ahead()

    def announce(self, login: Login) -> None:
        password = login.password or "the one you set (manage.py changepassword sets another)"
        self.stdout.write(
            f"\n  StackMemory is ready: {settings.SITE_URL}\n\n"
            f"    E-mail    {login.email}\n"
            f"    Password  {password}\n"
            + (f"              (kept in {shown(login_file())})\n" if login.password else "")
            + "\n  Ctrl-C stops it.\n"
        )
        self.stdout.flush()


def services(port: int) -> list[Service]:
    environ = os.environ | {
        "DJANGO_SETTINGS_MODULE": "stackmemory.settings",
        "PORT": str(port),
        "LOG_LEVEL": os.environ.get("LOG_LEVEL", "WARNING"),
        "WORKERS": os.environ.get("WORKERS", "1"),
    }
    quick = ["--bind", f"{HOST}:{port}", "--graceful-timeout", "5", "--log-level", "warning"]
    return [web(environ, *quick), worker(environ)]


def chosen_port() -> int:
    text = os.environ.get("PORT", "8000")
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise CommandError(f"PORT is “{text}”; it has to be a number from 1 to 65535.")
    return int(text)


def refuse_busy(port: int) -> None:
    """One sentence instead of a web server's last words."""
    busy = (
        f"Port {port} is in use. Choose another: PORT={port + 1 if port < 65535 else 8000} make run"
    )
    try:
        socket.create_connection(("localhost", port), timeout=1).close()
    except OSError:
        pass
    else:
        raise CommandError(busy)
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except PermissionError as error:
            message = f"Port {port} needs more rights. Choose another: PORT=8000 make run"
            raise CommandError(message) from error
        except OSError as error:
            raise CommandError(busy) from error


def answers(port: int) -> bool:
    connection = HTTPConnection(HOST, port, timeout=2)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def shown(path: Any) -> str:
    """A path as a person in the project's folder would write it."""
    return str(
        path.relative_to(settings.BASE_DIR) if path.is_relative_to(settings.BASE_DIR) else path
    )
