"""Carries the command's requests into the application in-process, and may lose them on the way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from frames.jobs import run_import
from frames.transfer import upload
from stackmemory.cli.server import Answer, Server
from tests.api.client import CLIENT, Api

URL = "https://memory.example.com"


class Carrier:
    """`lose(method, path)` may say "request" or "answer"; jobs run after each request."""

    def __init__(self, monkeypatch: Any) -> None:
        self.asked: list[tuple[str, str, int]] = []
        self.jobs: list[tuple[str, str]] = []
        self.lose: Callable[[str, str], str] = lambda method, path: ""
        self.now = 0.0
        monkeypatch.setattr(upload, "enqueue", self._enqueue)

    def server(self, caller: Api, **options: Any) -> Server:
        return Server(
            URL, caller.text, send=self.send, sleep=self._sleep, clock=lambda: self.now, **options
        )

    def send(
        self, method: str, address: str, headers: dict[str, str], body: bytes | None, _: float
    ) -> Answer:
        path = address.removeprefix(URL)
        lost = self.lose(method, path)
        self.asked.append((method, path, len(body or b"")))
        if lost == "request":
            raise ConnectionResetError("lost")
        kind = headers.pop("Content-Type", "application/json")
        response = CLIENT.generic(method, path, body or b"", kind, headers=headers)
        jobs, self.jobs = self.jobs, []
        for job in jobs:
            run_import(*job)
        if lost == "answer":
            raise ConnectionResetError("lost")
        return Answer(response.status_code, dict(response.headers), response.content)

    def bytes_sent(self, method: str = "PUT") -> int:
        return sum(size for asked, _, size in self.asked if asked == method)

    def _enqueue(self, job: str, workspace_id: Any, transfer_id: Any, **_: Any) -> None:
        assert job == "frames.jobs.run_import"
        self.jobs.append((str(workspace_id), str(transfer_id)))

    def _sleep(self, seconds: float) -> None:
        self.now += seconds
