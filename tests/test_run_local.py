"""`make run` with real processes: ready, the same again, and nothing left behind."""

from __future__ import annotations

import http.cookiejar
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from stackmemory.lib.supervise import Service, Supervisor
from tests.postgres import free_port

ROOT = Path(__file__).parent.parent
PATIENCE = 180
pytestmark = pytest.mark.sqlite_only  # the processes have a database of their own


class Local:
    """A running `manage.py run_local`."""

    def __init__(self, home: Path) -> None:
        self.port = free_port()
        self.log = home / f"log-{self.port}"
        with self.log.open("wb") as log:
            self.process = psutil.Popen(
                [sys.executable, str(ROOT / "manage.py"), "run_local"],
                env=environment(home, self.port),
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.family: list[psutil.Process] = []

    def wait_for(self, words: str) -> str:
        deadline = time.monotonic() + PATIENCE
        while words not in (text := self.log.read_text()):
            assert self.process.poll() is None, text
            assert time.monotonic() < deadline, text
            time.sleep(0.05)
        self.family = self.process.children(recursive=True)
        return text

    def named(self, word: str) -> list[psutil.Process]:
        """Direct children whose command line has this word."""
        return [c for c in self.process.children() if any(word in part for part in c.cmdline())]

    def end(self, number: int) -> int:
        """Send a signal; return the exit code once everything this ever started is gone."""
        self.family = {*self.family, *self.process.children(recursive=True)}
        self.process.send_signal(number)
        code = self.process.wait(PATIENCE)
        _, left = psutil.wait_procs(self.family, timeout=PATIENCE)
        assert left == []
        return int(code)


def environment(home: Path, port: int) -> dict[str, str]:
    ours = ("DATABASE_URL", "VAR_DIR", "JOBS_IN_PROCESS", "SITE_URL", "TEST_ENGINE")
    clean = {name: value for name, value in os.environ.items() if name not in ours}
    return clean | {
        "VAR_DIR": str(home),
        "DATABASE_URL": f"sqlite:///{home / 'db.sqlite3'}",
        "PORT": str(port),
        "EMBEDDINGS": "none",
        "WEB_CONCURRENCY": "1",
    }


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("run local")  # a folder with a space


@pytest.fixture
def run_local(home: Path) -> Iterator[Callable[[], Local]]:
    started: list[Local] = []

    def start() -> Local:
        started.append(Local(home))
        return started[-1]

    yield start
    for local in started:
        for process in [*local.family, local.process]:
            if process.is_running():
                process.kill()
        local.process.wait()


def rows(home: Path) -> dict[str, int]:
    tables = ("workspaces_user", "frames_frame", "frames_event", "frames_anchor", "frames_task")
    with sqlite3.connect(home / "db.sqlite3") as database:
        return {t: database.execute(f"SELECT count(*) FROM {t}").fetchone()[0] for t in tables}


def log_in(port: int, email: str, password: str) -> str:
    """As a browser would; returns the page one ends on."""
    browser = urllib.request.build_opener(
        urllib.request.ProxyHandler({}),
        urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()),
    )
    page = browser.open(f"http://localhost:{port}/w/demo/", timeout=PATIENCE)
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.read().decode())
    assert token
    form = {"csrfmiddlewaretoken": token[1], "login": email, "password": password}
    data = urllib.parse.urlencode(form).encode()
    answer = browser.open(urllib.request.Request(page.geturl(), data), timeout=PATIENCE)
    assert answer.status == 200
    return str(answer.read().decode())


def told(text: str) -> tuple[str, str]:
    email, password = re.search(r"E-mail +(\S+)\s+Password +(\S+)", text).groups()
    return email, password


def test_from_nothing_to_ctrl_c_then_the_same_again_until_it_is_killed(run_local, home):
    """In between, a worker that dies is started again."""
    first = run_local()
    text = first.wait_for("is ready")
    assert f"http://localhost:{first.port}" in text
    assert "Demo" in log_in(first.port, *told(text))
    assert (home / "demo-login.json").stat().st_mode & 0o777 == 0o600
    before = rows(home)
    assert before["frames_frame"] > 150
    assert first.end(signal.SIGINT) == 0

    second = run_local()
    again = second.wait_for("is ready")
    assert "Preparing" not in again
    assert told(again) == told(text)
    assert rows(home) == before
    assert "Traceback" not in first.log.read_text() + again
    [worker] = second.named("qcluster")
    worker.kill()
    second.wait_for("The worker stopped unexpectedly; starting it again.")
    deadline = time.monotonic() + PATIENCE
    while not (revived := second.named("qcluster")) or revived == [worker]:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    second.end(signal.SIGKILL if sys.platform == "linux" else signal.SIGTERM)


SUPERVISED = """
import os, sys
from stackmemory.lib.supervise import Service, Supervisor
lasting = Service("lasting", [sys.executable, "-c", "import time; time.sleep(600)"], os.environ)
told = lambda: print(lasting.process.pid, flush=True)
sys.exit(Supervisor([lasting], print).run(is_ready=lambda: True, when_ready=told))
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_asked_to_stop_it_leaves_nothing_running(number):
    process = subprocess.Popen(
        [sys.executable, "-c", SUPERVISED], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    [lasting] = psutil.Process(process.pid).children() if process.stdout.readline() else []
    process.send_signal(number)
    assert process.wait(PATIENCE) == 0
    assert not lasting.is_running()


def test_a_busy_port_is_one_sentence_that_names_port(home):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        done = subprocess.run(
            [sys.executable, str(ROOT / "manage.py"), "run_local"],
            env=environment(home, port),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
    assert done.returncode == 1
    assert re.fullmatch(
        rf"CommandError: Port {port} is in use\. Choose another: PORT=\d+ make run\n", done.stderr
    )


@pytest.mark.parametrize("port", ["0", "http", "70000"])
def test_a_port_that_is_none(monkeypatch, port):
    from django.core.management import CommandError

    from stackmemory.management.commands.run_local import chosen_port

    monkeypatch.setenv("PORT", port)
    with pytest.raises(CommandError, match="PORT is"):
        chosen_port()


def test_what_keeps_dying_stops_everything(monkeypatch):
    said: list[str] = []
    script = "import time; time.sleep({})"
    lasting = Service("lasting", [sys.executable, "-c", script.format(600)], os.environ)
    dying = Service("dying", [sys.executable, "-c", script.format(0)], os.environ)
    handlers = {n: signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        code = Supervisor([lasting, dying], said.append).run(
            is_ready=lambda: False, when_ready=lambda: said.append("ready")
        )
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    assert code == 1
    assert said[-1] == "The dying stopped 3 times within 60 seconds."
    assert "ready" not in said
    assert not lasting.alive
    assert not dying.alive
