"""Asking the server: one door, which waits where waiting helps and says what is wrong where not."""

from __future__ import annotations

import gzip
import http.client
import json
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from stackmemory.cli import VERSION
from stackmemory.cli.talk import Problem

API = "/api/v1/"
SECONDS = 60.0
# Answers after which the same question may be answered: a limit, a restart, a busy database.
PASSING = (429, 502, 503, 504)
COMPRESSED = 4096


class Away(Problem):
    """Nobody answered, for as long as we were ready to wait."""


class Denied(Problem):
    """The server said no; `code` is its word for why."""

    def __init__(self, status: int, code: str, message: str, body: dict[str, Any]) -> None:
        super().__init__(message)
        self.status, self.code, self.body = status, code, body


@dataclass
class Answer:
    status: int
    headers: dict[str, str] = field(default_factory=dict)
    content: bytes = b""

    def data(self) -> dict[str, Any]:
        try:
            value = json.loads(self.content or b"{}")
        except ValueError:
            value = {}
        return value if isinstance(value, dict) else {}


# (method, address, headers, body, seconds) → Answer; OSError where nobody answers.
Send = Callable[[str, str, dict[str, str], bytes | None, float], Answer]


class Stay(urllib.request.HTTPRedirectHandler):
    """A redirect could take the key to another host, and would turn a write into a read."""

    def redirect_request(self, *_: Any) -> None:
        return None


def send_it(
    method: str, address: str, headers: dict[str, str], body: bytes | None, seconds: float
) -> Answer:
    request = urllib.request.Request(address, body, headers, method=method)
    try:
        with urllib.request.build_opener(Stay).open(request, timeout=seconds) as response:
            return Answer(response.status, dict(response.headers), response.read())
    except urllib.error.HTTPError as refusal:
        with refusal:
            return Answer(refusal.code, dict(refusal.headers), refusal.read())
    except http.client.HTTPException as problem:
        raise ConnectionError(f"the answer was cut off ({type(problem).__name__})") from None


@dataclass
class Server:
    """`patience` is for how many seconds to try again while nobody answers."""

    url: str
    key: str
    patience: float = 60.0
    send: Send = send_it
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic

    def get(self, path: str, **query: Any) -> dict[str, Any]:
        return self.ask("GET", path, query=query)

    def post(self, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        return self.ask("POST", path, body=body or {})

    def ask(
        self,
        method: str,
        path: str,
        *,
        query: dict[str, Any] | None = None,
        body: dict[str, Any] | bytes | None = None,
        seconds: float = SECONDS,
    ) -> dict[str, Any]:
        """The answer's data. Raises Denied where the server refuses, Away where nobody answers."""
        until, wait = self.clock() + self.patience, 0.5
        while True:
            try:
                answer = self.once(method, path, query=query, body=body, seconds=seconds)
            except OSError as problem:
                if self.clock() + wait > until:
                    raise Away(no_answer(self.url, problem)) from None
            else:
                if answer.status < 300:
                    return answer.data()
                wait = max(wait, _retry_after(answer))
                if answer.status not in PASSING or self.clock() + wait > until:
                    raise denied(self.url, answer)
            self.sleep(wait)
            wait = min(wait * 2, 15.0)

    def once(
        self,
        method: str,
        path: str,
        *,
        query: dict[str, Any] | None = None,
        body: dict[str, Any] | bytes | None = None,
        seconds: float = SECONDS,
    ) -> Answer:
        """One try. Raises OSError where nobody answers."""
        address = self.url.rstrip("/") + (path if path.startswith("/") else API + path)
        given = {name: value for name, value in (query or {}).items() if value not in (None, "")}
        if given:
            address += "?" + urllib.parse.urlencode(given)
        headers = {"User-Agent": f"stackmemory/{VERSION}", "Accept": "application/json"}
        if self.key:
            headers["Authorization"] = f"Bearer {self.key}"
        content = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        if isinstance(body, bytes):
            headers["Content-Type"] = "application/octet-stream"
        elif content is not None:
            headers["Content-Type"] = "application/json"
            if len(content) > COMPRESSED:
                content, headers["Content-Encoding"] = gzip.compress(content, 5), "gzip"
        return self.send(method, address, headers, content, seconds)


def denied(url: str, answer: Answer) -> Denied:
    """What the server's refusal means for who typed the command."""
    error = answer.data().get("error")
    error = error if isinstance(error, dict) else {}
    code, message = str(error.get("code", "")), str(error.get("message", ""))
    if 300 <= answer.status < 400:
        to = answer.headers.get("Location", "")
        message = f"{url} sends elsewhere ({to[:200]}); give that address instead."
    elif not code:
        message = f"{url} answered {answer.status}, and not as a StackMemory server does; check the address."
    elif answer.status == 401:
        message = f"The key was not accepted ({message}) Take a new one from the Connect page."
    return Denied(answer.status, code, message, answer.data())


def no_answer(url: str, problem: OSError) -> str:
    """Why nobody answered, and what to do about it."""
    reason = problem.reason if isinstance(problem, urllib.error.URLError) else problem
    if isinstance(reason, ssl.SSLCertVerificationError):
        return (
            f"The certificate of {url} was not accepted ({reason.verify_message}); if your company"
            " has an authority of its own, name its file in SSL_CERT_FILE."
        )
    if isinstance(reason, ssl.SSLError):
        return f"{url} does not speak TLS ({reason.reason}); is it http:// instead of https://?"
    return f"{url} does not answer ({reason}); check the address and that the server runs."


def _retry_after(answer: Answer) -> float:
    headers = {name.lower(): value for name, value in answer.headers.items()}
    try:
        return float(headers.get("retry-after", 0))
    except ValueError:
        return 0.0
