"""A real browser (Debian's chromium, driven by Playwright), or a skip that says why there is none.

CHROMIUM names another binary.
"""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache
from django.core.handlers.wsgi import WSGIHandler
from django.db import connection
from playwright.sync_api import Browser, Page, sync_playwright

ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
FOUND = os.environ.get("CHROMIUM") or shutil.which("chromium") or "/usr/bin/chromium"


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    if not Path(FOUND).exists():
        pytest.skip("no chromium here: apt-get install chromium, or set CHROMIUM")
    # Playwright's loop runs in this thread, and Django would refuse to query beside it. It ends with
    # the module: whatever the same worker runs next may want a loop of its own.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=FOUND, args=ARGUMENTS)
        yield browser
        browser.close()
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture
def in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """On SQLite the threads of `live_server` have the test's one connection: one asks at a time."""
    if connection.vendor != "sqlite":
        return
    turn, plain = threading.Lock(), WSGIHandler.__call__

    def answer(handler: WSGIHandler, environ: Any, start_response: Any) -> Any:
        with turn:
            return plain(handler, environ, start_response)

    monkeypatch.setattr(WSGIHandler, "__call__", answer)


@pytest.fixture
def visit(chromium: Browser, in_turn: None, live_server: Any) -> Iterator[Callable[..., Page]]:
    """visit() is a fresh browser; what its policy blocks or its scripts throw fails the test."""
    cache.clear()
    contexts, complaints = [], []

    def make(**options: Any) -> Page:
        context = chromium.new_context(base_url=live_server.url, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(15_000)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda line: complain(line.type, line.text))
        return page

    def complain(kind: str, text: str) -> None:
        if kind == "error" and "Failed to load resource" not in text:  # a page answered 403 or 404
            complaints.append(text)

    yield make
    for context in contexts:
        context.close()
    assert not complaints
