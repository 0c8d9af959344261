"""A server as in production with two teams on it, and agents that talk to it over a socket."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

import httpx2
import psycopg
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import CallToolResult, Implementation

from tests.databases import ROOT, OwnDatabase
from tests.postgres import free_port

PATIENCE = 180
# One for all, each request on a connection of its own: reading certificates takes 20 ms.
HTTP = httpx2.Client(
    trust_env=False,
    timeout=PATIENCE,
    verify=False,
    limits=httpx2.Limits(max_keepalive_connections=0),
)
SERVERS = {
    "asgi": ["-m", "gunicorn", "-c", "python:stackmemory.serving", "stackmemory.asgi"],
    "sync": ["manage.py", "runserver", "--noreload", "--skip-checks"],
}


@dataclass
class House:
    """A running product with its own database: acme (projects api, web) and globex (ledger)."""

    database: OwnDatabase
    home: Path
    keys: dict[str, str] = field(default_factory=dict)
    ids: dict[str, str] = field(default_factory=dict)
    port: int = 0
    pid: int = 0
    used: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        ours = ("SITE_URL", "TEST_ENGINE", "JOBS_IN_PROCESS")
        given = self.database.environ(self.home) | {"LOG_LEVEL": "INFO"}
        return {name: value for name, value in given.items() if name not in ours}

    def prepare(self) -> None:
        """Make the cast and their keys."""
        told = json.loads(self.database.run(self.home, "-m", "tests.cast"))
        self.keys, self.ids = told["keys"], told["ids"]

    @contextmanager
    def served(self, kind: str = "asgi") -> Iterator[House]:
        """While the block runs, it is served: by gunicorn as in production, or by Django's own."""
        self.port = free_port()
        where = {"PORT": str(self.port), "HOST": "127.0.0.1", "WEB_CONCURRENCY": "2"}
        command = [sys.executable, *SERVERS[kind], *([str(self.port)] if kind == "sync" else [])]
        with (self.home / "log").open("ab") as log:
            process = subprocess.Popen(
                command, cwd=ROOT, env=self.environment | where, stdout=log, stderr=log
            )
        self.pid = process.pid
        try:
            deadline = time.monotonic() + PATIENCE
            while not self._answers():
                assert process.poll() is None, self.log
                assert time.monotonic() < deadline, self.log
                time.sleep(0.05)
            yield self
        finally:
            process.terminate()
            process.wait(PATIENCE)

    def kill(self) -> None:
        """What a power cut does to the server: its processes are gone, without a last word."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        for pid in (self.pid, *map(int, children)):
            os.kill(pid, signal.SIGKILL)

    @property
    def log(self) -> str:
        return (self.home / "log").read_text()

    def count(self, sql: str, *values: Any) -> int:
        """What a query counts, whoever's rows they are."""
        if self.database.is_file:
            path = self.database.url.removeprefix("sqlite:///")
            with closing(sqlite3.connect(path, timeout=20)) as database:
                return int(database.execute(sql.replace("%s", "?"), values).fetchone()[0])
        with psycopg.connect(self.database.url) as connection:
            return int(connection.execute(sql, values).fetchone()[0])

    def new_project(self) -> str:
        """A project of acme that nothing has happened in yet."""
        self.used += 1
        return f"spare-{self.used}"

    def agent(self, key: str = "bob", path: str = "/mcp", **options: Any) -> Agent:
        return Agent(self.url + path, self.keys.get(key, key), **options)

    def post(
        self, body: bytes | dict[str, Any], key: str | None = "bob", path: str = "/mcp",
        method: str = "POST", **headers: str,
    ) -> httpx2.Response:  # fmt: skip
        """A message as bytes, for what no good client would send."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        if key:
            given.setdefault("Authorization", f"Bearer {self.keys.get(key, key)}")
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        given = {"Content-Type": "application/json", **given}
        return HTTP.request(method, self.url + path, content=content, headers=given)

    def _answers(self) -> bool:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/healthz")
            return connection.getresponse().status == 200
        except (OSError, HTTPException):
            return False
        finally:
            connection.close()


class Refused(Exception):
    """A tool's error, as the model sees it."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(error["message"])
        self.code, self.field = error["code"], error.get("field")
        self.choices = error.get("choices", [])


class Agent:
    """The official SDK's client. `mode` is as in mcp.Client; each call may be a connection."""

    def __init__(
        self, url: str, key: str | None, *, mode: str = "auto", name: str = "test-client",
        headers: dict[str, str] | None = None,
    ) -> None:  # fmt: skip
        self.url, self.key, self.mode, self.name = url, key, mode, name
        self.headers = dict(headers or {}) | ({"Authorization": f"Bearer {key}"} if key else {})

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[Connection]:
        async with httpx2.AsyncClient(
            headers=self.headers, trust_env=False, timeout=PATIENCE, verify=False
        ) as http:
            transport = streamable_http_client(self.url, http_client=http)
            info = Implementation(name=self.name, version="1.0")
            async with Client(transport, mode=self.mode, client_info=info) as client:
                yield Connection(client)

    def run(self, work: Callable[[Connection], Any]) -> Any:
        """Run `work(connection)` on a connection of its own."""

        async def main() -> Any:
            # Raised outside, for inside the SDK would wrap it in groups of exceptions.
            async with self.connected() as connection:
                try:
                    return await work(connection)
                except Exception as problem:
                    failure = problem
            raise failure

        return asyncio.run(main())

    def call(self, tool: str, /, **arguments: Any) -> dict[str, Any]:
        return self.run(lambda connection: connection.call(tool, **arguments))

    def words(self, tool: str, /, **arguments: Any) -> str:
        """What a tool says to whoever reads."""
        return str(text_of(self.run(lambda connection: connection.ask(tool, **arguments))))

    def tools(self) -> dict[str, Any]:
        found = self.run(lambda connection: connection.client.list_tools())
        return {tool.name: tool for tool in found.tools}


class Connection:
    def __init__(self, client: Client) -> None:
        self.client = client

    async def ask(self, tool: str, /, **arguments: Any) -> CallToolResult:
        """The whole result. The SDK checks it against the tool's output schema."""
        return await self.client.call_tool(tool, arguments)

    async def call(self, tool: str, /, **arguments: Any) -> dict[str, Any]:
        """What a tool answers to programs. Raises Refused."""
        result = await self.ask(tool, **arguments)
        if result.is_error:
            assert result.structured_content is None
            raise Refused(json.loads(text_of(result))["error"])
        assert text_of(result)
        return dict(result.structured_content)


def text_of(result: CallToolResult) -> str:
    [block] = result.content
    return str(block.text)
