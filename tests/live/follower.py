"""A reader of a stream, as a browser would be: in a thread, over a socket."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

PATIENCE = 30.0


@dataclass
class Told:
    """One event of the stream; `name` is "message" where it has none."""

    name: str
    data: Any
    id: int | None


@dataclass
class Follower:
    """`with Follower(url, headers) as f: f.until(...)`; comes back by itself when `returns`."""

    url: str
    headers: dict[str, str]
    told: list[Told] = field(default_factory=list)
    status: int = 0
    answer_headers: dict[str, str] = field(default_factory=dict)
    last: int | None = None
    over: bool = False
    on_told: Callable[[Told], object] | None = None

    def __post_init__(self) -> None:
        self._news = threading.Condition()
        self._socket: socket.socket | None = None

    def __enter__(self) -> Follower:
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self._socket is not None:
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(PATIENCE)

    @property
    def messages(self) -> list[Told]:
        return [one for one in self.told if one.name == "message"]

    def until(self, enough: Callable[[Follower], bool]) -> Follower:
        """Wait until what was told is enough; the test fails where it never is."""
        with self._news:
            self._news.wait_for(lambda: enough(self) or self.over, PATIENCE)
            assert enough(self), (self.status, self.told)
        return self

    def until_ready(self) -> Follower:
        return self.until(lambda f: bool(f.told) or f.status not in (0, 200))

    def _read(self) -> None:
        with suppress(OSError, ValueError):  # closed by one of the two
            self._follow()
        with self._news:
            self.over = True
            self._news.notify_all()

    def _follow(self) -> None:
        address = urlsplit(self.url)
        where = address.path + (f"?{address.query}" if address.query else "")
        self._socket = socket.create_connection((address.hostname, address.port), PATIENCE)
        headers = {"Host": address.netloc, "Accept": "text/event-stream"} | self.headers
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self._socket.sendall(f"GET {where} HTTP/1.1\r\n{lines}\r\n".encode())
        file = self._socket.makefile("rb")
        status = int((file.readline().split() or [b"", b"0"])[1])
        for line in iter(file.readline, b"\r\n"):
            name, _, value = line.decode().partition(":")
            self.answer_headers[name.lower()] = value.strip()
        with self._news:
            self.status = status
            self._news.notify_all()
        chunked = self.answer_headers.get("transfer-encoding") == "chunked"
        text = ""
        while status == 200:
            text += self._chunk(file) if chunked else file.readline().decode()
            *whole, text = text.split("\n\n")
            for block in whole:
                self._hear(block)

    def _chunk(self, file: Any) -> str:
        size = file.readline()
        if not size.strip() or int(size, 16) == 0:
            raise ConnectionError("the stream has ended")
        chunk = file.read(int(size, 16) + 2)
        return chunk[:-2].decode()

    def _hear(self, block: str) -> None:
        fields = dict(line.split(": ", 1) for line in block.split("\n") if ": " in line)
        if "data" not in fields:
            return
        place = int(fields["id"]) if "id" in fields else None
        with self._news:
            self.last = place or self.last
            name = fields.get("event", "message")
            self.told.append(Told(name, json.loads(fields["data"]), place))
            if self.on_told:
                self.on_told(self.told[-1])
            self._news.notify_all()
