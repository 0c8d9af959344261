"""The script for clients with command hooks: quick, harmless, and exactly once."""

from __future__ import annotations

import ast
import json
import os
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parent.parent / "stackmemory" / "hook_script.py"


class Server(ThreadingHTTPServer):
    """Answers as it is told to and remembers what it was sent."""

    daemon_threads = True

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.got: list[tuple[dict[str, str], Any]] = []
        self.status = 200
        self.answer: Any = {}
        self.drop_answer = False
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def prompts(self) -> list[str]:
        return [hook.get("prompt") for _, hook in self.got]


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.server.status < 400:
            headers = {name.lower(): value for name, value in self.headers.items()}
            self.server.got.append((headers, json.loads(body)))
        if self.server.drop_answer:
            self.connection.close()
            return
        self.send_response(self.server.status)
        self.end_headers()
        self.wfile.write(json.dumps(self.server.answer).encode())

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.shutdown()
    server.server_close()


class Script:
    def __init__(self, home: Path, url: str) -> None:
        self.home, self.url = home, url
        self.file = home.parent / "stackmemory-hook.py"  # the name it is downloaded by
        self.file.write_bytes(SCRIPT.read_bytes())

    def start(self, hook: Any, *arguments: str, **env: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-S", str(self.file), *(arguments or ("--url", self.url, "--key", "sm_x"))],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env={"HOME": str(self.home), "PATH": os.environ["PATH"], **env},
        )  # fmt: skip
        assert process.stdin
        process.stdin.write(hook if isinstance(hook, bytes) else json.dumps(hook).encode())
        process.stdin.close()
        process.stdin = None
        return process

    def run(self, hook: Any, *arguments: str, **env: str) -> str:
        process = self.start(hook, *arguments, **env)
        out, _ = process.communicate(timeout=30)
        assert process.returncode == 0
        return out.decode()

    @property
    def waiting(self) -> int:
        files = (self.home / ".local/state/stackmemory").glob("*.jsonl")
        return sum(len(file.read_bytes()) for file in files)


@pytest.fixture
def script(tmp_path: Path, server: Server) -> Script:
    return Script(tmp_path, server.url)


def prompt(text: str) -> dict[str, Any]:
    return {"hook_event_name": "UserPromptSubmit", "session_id": "s", "prompt": text}


def test_it_needs_nothing_that_python_3_8_does_not_have() -> None:
    tree = ast.parse(SCRIPT.read_text(encoding="utf-8"), feature_version=(3, 8))
    imported = {
        (node.module or "") if isinstance(node, ast.ImportFrom) else name.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in node.names
    }
    assert {name.partition(".")[0] for name in imported} <= set(sys.stdlib_module_names)


def test_a_hook_is_reported_as_it_came_with_its_surroundings(
    script: Script, server: Server, tmp_path: Path
) -> None:
    repository = tmp_path / "parcels"
    (repository / ".git").mkdir(parents=True)
    (repository / ".git/HEAD").write_text("ref: refs/heads/fix/rates\n")
    (repository / "src").mkdir()
    hook = prompt("hello") | {"cwd": str(repository / "src"), "unknown": [1, "\ud800"]}

    script.run(hook)

    [(headers, got)] = server.got
    assert got == hook
    assert headers["authorization"] == "Bearer sm_x"
    assert headers["x-stackmemory-project"] == "parcels"
    assert headers["x-stackmemory-branch"] == "fix/rates"
    assert len(headers["x-stackmemory-delivery"]) == 32
    assert headers["x-stackmemory-at"].endswith("+00:00")
    assert script.waiting == 0


def test_a_worktree_is_of_its_repository(script: Script, server: Server, tmp_path: Path) -> None:
    tree = tmp_path / "elsewhere"
    tree.mkdir()
    (tree / ".git").write_text("gitdir: /home/dev/parcels/.git/worktrees/elsewhere\n")
    script.run(prompt("x") | {"cwd": str(tree)})
    assert server.got[0][0]["x-stackmemory-project"] == "parcels"


def test_context_is_handed_on_only_where_the_client_takes_it(
    script: Script, server: Server
) -> None:
    server.answer = {
        "hookSpecificOutput": {"hookEventName": "UserPromptSubmit", "additionalContext": "ü"}
    }
    assert json.loads(script.run(prompt("x"))) == server.answer
    assert script.run({"hook_event_name": "PreToolUse", "session_id": "s"}) == ""
    server.answer = {}
    assert script.run(prompt("y")) == ""


def test_what_cannot_be_delivered_waits_and_goes_out_in_order(
    script: Script, server: Server
) -> None:
    server.status = 503
    for n in range(4):
        script.run(prompt(f"{n}"))
    assert server.got == []
    assert script.waiting > 0
    server.status = 200

    script.run(prompt("4"))

    assert server.prompts == ["0", "1", "2", "3", "4"]
    assert len({headers["x-stackmemory-delivery"] for headers, _ in server.got}) == 5
    assert script.waiting == 0


def test_an_answer_that_was_lost_means_the_same_delivery_again(
    script: Script, server: Server
) -> None:
    server.drop_answer = True
    script.run(prompt("once"))
    server.drop_answer = False
    script.run(prompt("next"))
    assert server.prompts == ["once", "once", "next"]
    first, again, _ = [headers for headers, _ in server.got]
    assert first["x-stackmemory-delivery"] == again["x-stackmemory-delivery"]
    assert first["x-stackmemory-at"] == again["x-stackmemory-at"]


def test_a_server_that_is_gone_or_silent_costs_a_bounded_time(tmp_path: Path) -> None:
    import socket

    silent = socket.create_server(("127.0.0.1", 0))  # takes connections, says nothing
    for url in ("http://127.0.0.1:9", f"http://127.0.0.1:{silent.getsockname()[1]}", "nonsense"):
        began = time.monotonic()
        Script(tmp_path, url).run(prompt("x"), STACKMEMORY_SECONDS="1")
        assert time.monotonic() - began < 5
    silent.close()


def test_what_the_server_calls_wrong_does_not_block_what_follows(
    script: Script, server: Server
) -> None:
    server.status = 413
    script.run(prompt("too large"))
    server.status = 200
    script.run(prompt("next"))
    assert server.prompts == ["next"]


def test_a_key_that_is_refused_keeps_everything_for_a_better_one(
    script: Script, server: Server
) -> None:
    server.status = 401
    script.run(prompt("kept"))
    server.status = 200
    script.run(prompt("next"))
    assert server.prompts == ["kept", "next"]


def test_many_at_once_lose_and_double_nothing(script: Script, server: Server) -> None:
    hooks = [
        {"hook_event_name": "PreToolUse", "session_id": "s", "prompt": f"{n}"} for n in range(12)
    ]
    for process in [script.start(hook) for hook in hooks]:
        process.communicate(timeout=60)
        assert process.returncode == 0
    script.run(prompt("last"))
    assert sorted(server.prompts) == sorted([*(f"{n}" for n in range(12)), "last"])
    assert script.waiting == 0


def test_a_killed_process_leaves_nothing_broken(script: Script, server: Server) -> None:
    server.status = 503
    script.run(prompt("before"))
    [file] = (script.home / ".local/state/stackmemory").glob("*.jsonl")
    file.write_bytes(file.read_bytes() + b'{"id": "cut off')
    server.status = 200
    script.run(prompt("after"))
    script.run(prompt("later"))
    assert server.prompts == ["before", "after", "later"]


@pytest.mark.parametrize("text", [b"", b"not json", b"[1]", b"\xff\xfe", b'{"a":'])
def test_whatever_it_is_given_it_does_not_fail(script: Script, server: Server, text: bytes) -> None:
    script.run(text)
    script.run({"session_id": 7})
    assert len(server.got) == 1


def test_a_home_that_cannot_be_written_does_not_fail_the_client(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    Script(tmp_path / "file", "http://127.0.0.1:9").run(prompt("x"))


def test_a_redirect_takes_the_key_nowhere(script: Script, server: Server) -> None:
    server.status = 302
    script.run(prompt("x"))
    assert script.waiting > 0


def test_install_adds_hooks_and_keeps_what_is_there(script: Script, server: Server) -> None:
    settings = script.home / ".claude/settings.json"
    settings.parent.mkdir()
    mine = {
        "model": "opus",
        "hooks": {"Stop": [{"hooks": [{"type": "command", "command": "say"}]}]},
    }
    settings.write_text(json.dumps(mine))
    arguments = ("install", "--url", server.url, "--key", "sm_secret")

    script.run(b"", *arguments)
    script.run(b"", *arguments)

    written = json.loads(settings.read_text())
    assert written["model"] == "opus"
    assert [len(matchers) for matchers in written["hooks"].values()].count(1) == len(
        written["hooks"]
    ) - 1
    assert written["hooks"]["Stop"][0] == mine["hooks"]["Stop"][0]
    assert "sm_secret" not in settings.read_text()
    assert json.loads((settings.parent / "settings.json.before-stackmemory").read_text())
    account = script.home / ".local/state/stackmemory/account.json"
    assert stat.S_IMODE(account.stat().st_mode) == 0o600
    command = written["hooks"]["UserPromptSubmit"][0]["hooks"][0]["command"]
    subprocess.run(
        ["sh", "-c", command], input=json.dumps(prompt("installed")).encode(), check=True,
        env={"HOME": str(script.home), "PATH": os.environ["PATH"]},
    )  # fmt: skip
    assert server.prompts == ["installed"]
    assert server.got[0][0]["authorization"] == "Bearer sm_secret"


def test_settings_that_cannot_be_read_are_left_alone(script: Script) -> None:
    settings = script.home / ".claude/settings.json"
    settings.parent.mkdir()
    settings.write_text("{ // mine\n}")
    process = script.start(b"", "install", "--url", "http://x", "--key", "k")
    assert b"left as it is" in process.communicate(timeout=30)[1]
    assert process.returncode == 2
    assert settings.read_text() == "{ // mine\n}"
