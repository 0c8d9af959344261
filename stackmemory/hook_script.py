#!/usr/bin/env python3
"""Reports Claude Code's hooks to a StackMemory server. Needs Python 3.8 and nothing else.

    stackmemory-hook.py install --url https://memory.example.com --key sm_…
        remembers both, readable by you alone, and adds the hooks to Claude Code's settings
    stackmemory-hook.py             what those hooks run; --url and --key, or STACKMEMORY_URL and
                                    STACKMEMORY_KEY, go before what install remembered
    stackmemory-hook.py status      how much waits to be sent

It never fails and never keeps the client waiting: it exits with 0 whatever happens, after a few
seconds at most. What cannot be delivered waits in a file and goes out, in order, with a later hook;
each call of a hook has an id, so the server keeps it once however often it arrives.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import time
import urllib.error
import urllib.request
import uuid
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Iterator  # noqa: UP035 (3.8 has it here)

VERSION = "1"
PATH = "/api/v1/hooks/claude-code"
MOST_INPUT = 16 * 1024 * 1024
MOST_WAITING = 64 * 1024 * 1024
SECONDS = float(os.environ.get("STACKMEMORY_SECONDS", "4"))
# Hooks whose answer the client waits for; the others only have to be handed over.
ANSWERED = ("SessionStart", "UserPromptSubmit")
EVENTS = (
    "SessionStart", "UserPromptSubmit", "PreToolUse", "PostToolUse", "PostToolUseFailure",
    "SubagentStart", "SubagentStop", "PreCompact", "Stop", "StopFailure", "SessionEnd",
)  # fmt: skip


def main(arguments: list[str]) -> int:
    if arguments[:1] == ["install"]:
        return install(parse(arguments))
    if arguments[:1] == ["status"]:
        return status(Spool(folder(), ""))
    try:
        run(parse(arguments))
    except Exception as problem:  # whatever it is, the client goes on
        sys.stderr.write(f"stackmemory-hook: {problem}\n")
    return 0


def run(options: dict[str, str]) -> None:
    deadline = time.monotonic() + SECONDS
    body = sys.stdin.buffer.read(MOST_INPUT + 1)
    hook = json.loads(body.decode("utf-8", "replace"))
    url, key = options.get("url", ""), options.get("key", "")
    if not isinstance(hook, dict) or len(body) > MOST_INPUT or not url or not key:
        return
    item = Item.new(hook)
    spool = Spool(folder(), url + key)
    spool.add(item)
    answer = deliver(spool, url, key, item, deadline)
    if answer and hook.get("hook_event_name") in ANSWERED:
        sys.stdout.write(json.dumps(answer))


class Item(dict):  # type: ignore[type-arg]
    """One call of a hook: what it said, when, where, and an id that it keeps."""

    @classmethod
    def new(cls, hook: dict[str, Any]) -> Item:
        cwd = os.environ.get("CLAUDE_PROJECT_DIR") or str(hook.get("cwd") or "")
        return cls(
            id=uuid.uuid4().hex,
            at=datetime.now(timezone.utc).isoformat(timespec="milliseconds"),  # noqa: UP017
            host=socket.gethostname(),
            project=repository(cwd),
            branch=branch(cwd),
            hook=hook,
        )

    def headers(self, key: str) -> dict[str, str]:
        told = {
            "At": "at",
            "Delivery": "id",
            "Project": "project",
            "Branch": "branch",
            "Host": "host",
        }
        # A header is Latin-1 at most.
        values = {f"X-StackMemory-{n}": str(self.get(k) or "") for n, k in told.items()}
        return {
            "Authorization": "Bearer " + key,
            "Content-Type": "application/json",
            "User-Agent": "stackmemory-hook/" + VERSION,
            **{n: v for n, v in values.items() if v and v.isascii() and v.isprintable()},
        }


class Spool:
    """What waits to be sent: a file of lines, and how far it has been sent.

    Lines are only ever added; once all are sent the file is emptied. A crash at any point loses
    nothing and sends at most one line twice, which the server notices by its id.
    """

    def __init__(self, where: Path, account: str) -> None:
        name = uuid.uuid5(uuid.NAMESPACE_URL, account).hex[
            :12
        ]  # the key itself is not written down
        self.lines, self.sent = where / (name + ".jsonl"), where / (name + ".sent")
        self.folder, self.name = where, name
        where.mkdir(parents=True, exist_ok=True, mode=0o700)

    @contextmanager
    def lock(self, what: str, wait: float) -> Iterator[bool]:
        """Whether the lock was had within so many seconds; it ends with the process at the latest."""
        with open(self.folder / f"{self.name}.{what}.lock", "a+b") as file:
            until = time.monotonic() + wait
            while not (held := take(file)) and time.monotonic() < until:
                time.sleep(0.02)
            try:
                yield held
            finally:
                if held:
                    release(file)

    def add(self, item: Item) -> None:
        line = json.dumps(item).encode() + b"\n"
        with self.lock("add", 2.0):
            if self.size() + len(line) > MOST_WAITING:
                raise OSError("too much waits to be sent already; this was not kept")
            with open(
                os.open(self.lines, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600), "r+b"
            ) as file:
                end = file.seek(0, os.SEEK_END)
                if end and (file.seek(end - 1), file.read(1))[1] != b"\n":
                    line = b"\n" + line  # a crash cut the last line off
                file.seek(0, os.SEEK_END)
                file.write(line)

    def next(self) -> tuple[Item | None, int]:
        """The first that waits, and where the file stands once it is sent. Skips what is cut off."""
        done = self.done()
        if not self.lines.exists():
            return None, done
        with open(self.lines, "rb") as file:
            file.seek(done)
            for line in iter(file.readline, b""):
                done += len(line)
                if not line.endswith(b"\n"):
                    break  # still being written
                try:
                    item = Item(json.loads(line.decode()))
                    item["hook"]
                    return item, done
                except (ValueError, KeyError, TypeError):
                    continue
        return None, done

    def done(self) -> int:
        try:
            done = int(self.sent.read_text() or 0)
        except (OSError, ValueError):
            return 0
        return done if done <= self.size() else 0

    def mark(self, done: int) -> None:
        """Remember how far it has been sent; forget everything once that is all."""
        with self.lock("add", 1.0) as held:
            if held and done >= self.size():
                # In this order a crash in between sends again what is known there.
                self.sent.unlink() if self.sent.exists() else None
                os.truncate(self.lines, 0)
                return
            fresh = self.sent.with_suffix(".new")
            fresh.write_text(str(done))
            os.replace(fresh, self.sent)

    def size(self) -> int:
        return self.lines.stat().st_size if self.lines.exists() else 0


def deliver(spool: Spool, url: str, key: str, mine: Item, deadline: float) -> Any:
    """Send what waits, oldest first, one process at a time; the answer to `mine` if it got so far."""
    answered = mine["hook"].get("hook_event_name") in ANSWERED
    with spool.lock("send", 1.5 if answered else 0.0) as held:
        while held and time.monotonic() < deadline - 0.2:
            item, done = spool.next()
            if item is None:
                return None
            answer = send(url, key, item, deadline - time.monotonic())
            if answer is None:
                return None  # the server is away: it waits for the next hook
            spool.mark(done)
            if item.get("id") == mine["id"]:
                return answer
    return None


def send(url: str, key: str, item: Item, seconds: float) -> Any:
    """The server's answer; None if it should be sent again later."""
    request = urllib.request.Request(
        url.rstrip("/") + PATH, json.dumps(item["hook"]).encode(), item.headers(key), method="POST"
    )
    try:
        with opener().open(request, timeout=max(0.2, seconds)) as response:
            return json.loads(response.read() or b"{}") or {}
    except urllib.error.HTTPError as problem:
        # What is wrong with this one stays wrong; a key or a quota can be put right.
        return {} if problem.code in (400, 404, 409, 413, 415, 422) else None
    except (OSError, ValueError):
        return None


class Stay(urllib.request.HTTPRedirectHandler):
    """A redirect would turn the report into a GET, and could take the key to another host."""

    def redirect_request(self, *_: Any) -> None:
        return None


def opener() -> urllib.request.OpenerDirector:
    return urllib.request.build_opener(Stay)


def folder() -> Path:
    given = os.environ.get("STACKMEMORY_SPOOL")
    base = os.environ.get("XDG_STATE_HOME") or os.path.join(
        os.path.expanduser("~"), ".local", "state"
    )
    return Path(given) if given else Path(base) / "stackmemory"


def repository(cwd: str) -> str:
    """The name of the folder that holds the repository, else of the folder itself."""
    if not cwd:
        return ""
    here = Path(cwd)
    for place in (here, *here.parents):
        git = place / ".git"
        if git.is_dir():
            return place.name
        if git.is_file():  # a worktree: "gitdir: /repo/.git/worktrees/x"
            target = git.read_text(errors="replace").partition(":")[2].strip().replace("\\", "/")
            if "/.git/worktrees/" in target:
                return target.split("/.git/worktrees/")[0].rsplit("/", 1)[-1]
            return place.name
    return ""


def branch(cwd: str) -> str:
    for place in (Path(cwd), *Path(cwd).parents) if cwd else ():
        git = place / ".git"
        try:
            if git.is_file():
                git = place / git.read_text().partition(":")[2].strip()
            head = (git / "HEAD").read_text()
        except OSError:
            continue
        return head.strip().partition("refs/heads/")[2]
    return ""


def take(file: Any) -> bool:
    try:
        if os.name == "nt":
            import msvcrt

            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def release(file: Any) -> None:
    if os.name == "nt":
        import msvcrt

        file.seek(0)
        msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)  # type: ignore[attr-defined]


def hooks(command: str) -> dict[str, Any]:
    """The settings that run this script for every event it reports."""
    made = {}
    for event in EVENTS:
        hook: dict[str, Any] = {"type": "command", "command": command, "timeout": 10}
        if event not in (*ANSWERED, "SessionEnd"):
            hook["async"] = True
        made[event] = [{"hooks": [hook]}]
    return made


def install(options: dict[str, str]) -> int:
    """Add the hooks to the person's own settings; what else stands there stays."""
    url, key = options.get("url", ""), options.get("key", "")
    if not url or not key:
        sys.stderr.write("Give --url and --key; the Connect page of your workspace has both.\n")
        return 2
    home = Path(os.path.expanduser("~"))
    path = Path(options["settings"]) if "settings" in options else home / ".claude/settings.json"
    try:
        before = path.read_text(encoding="utf-8") if path.exists() else ""
        settings = json.loads(before or "{}")
        present = settings.setdefault("hooks", {})
        command = f'"{sys.executable or "python3"}" "{os.path.abspath(__file__)}"'
        for event, matchers in hooks(command).items():
            others = [m for m in present.get(event, []) if "stackmemory-hook" not in json.dumps(m)]
            present[event] = others + matchers
        if before:
            path.with_name(path.name + ".before-stackmemory").write_text(before, encoding="utf-8")
        write(path, json.dumps(settings, indent=2) + "\n")
        write(account_file(), json.dumps({"url": url, "key": key}) + "\n")
    except (OSError, ValueError, AttributeError, TypeError) as problem:
        sys.stderr.write(f"{path} was left as it is: {problem}\n")
        return 2
    sys.stdout.write(f"{path} now reports to {url}. Start Claude Code anew.\n")
    return 0


def write(path: Path, text: str) -> None:
    """Put a file in place whole, for nobody else to read."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = path.with_name(path.name + ".new")
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(handle, "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(fresh, path)


def account_file() -> Path:
    return folder() / "account.json"


def status(spool: Spool) -> int:
    for lines in sorted(spool.folder.glob("*.jsonl")):
        other = Spool(spool.folder, "")
        other.lines, other.sent = lines, lines.with_suffix(".sent")
        sys.stdout.write(f"{lines}: {other.size() - other.done()} bytes wait\n")
    return 0


def parse(arguments: list[str]) -> dict[str, str]:
    """What is asked for; what is not given comes from the environment, then from `install`."""
    options, rest = {}, list(arguments)
    while rest:
        word = rest.pop(0)
        if word.startswith("--") and "=" in word:
            name, _, value = word[2:].partition("=")
            options[name] = value
        elif word.startswith("--") and rest:
            options[word[2:]] = rest.pop(0)
        else:
            options["command"] = word
    try:
        remembered = json.loads(account_file().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        remembered = {}
    for name in ("url", "key"):
        known = os.environ.get("STACKMEMORY_" + name.upper()) or remembered.get(name)
        if known and options.get("command") != "install":
            options.setdefault(name, known)
    return options


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
