"""`stackmemory doctor`: each thing that must be right, whether it is, and how to put it right."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from stackmemory.cli import account as accounts
from stackmemory.cli import hooks, spool
from stackmemory.cli.account import Account
from stackmemory.cli.place import repository, slug_of
from stackmemory.cli.server import Denied, Server, denied, no_answer
from stackmemory.cli.talk import Problem, span

OK, NOTE, WRONG = "ok", "note", "wrong"
LOCAL = ("localhost", "127.0.0.1", "::1")
SKEW, MOST_SKEW = 60, 86_400


@dataclass(frozen=True)
class Finding:
    """`state` is ok, note (works, yet worth knowing) or wrong; `mend` says what to do."""

    state: str
    name: str
    text: str
    mend: str = ""

    def as_json(self) -> dict[str, str]:
        return asdict(self)

    def line(self) -> str:
        mark = {OK: "ok   ", NOTE: "note ", WRONG: "WRONG"}[self.state]
        return f"{mark} {self.name:8} {self.text}" + (
            f"\n{'':15}→ {self.mend}" if self.mend else ""
        )


def examine(account: Account, server: Server, *, cwd: Path) -> Iterator[Finding]:
    """Every finding, in the order in which things depend on one another."""
    reached = False
    for finding in _address(account, server):
        reached = finding.state != WRONG
        yield finding
    if reached:
        yield from _key(account, server, cwd)
    yield from _hooks(account, repository(cwd))
    yield _spool()


def _address(account: Account, server: Server) -> Iterator[Finding]:
    if not account.url:
        yield Finding(
            WRONG, "address", "no server is known",
            "stackmemory login --to https://… --key sm_… (the Connect page has both)",
        )  # fmt: skip
        return
    try:
        accounts.check_address(account.url)
    except Problem as problem:
        yield Finding(WRONG, "address", f"from {account.source}: {problem}", "give it with --to")
        return
    try:
        answer = server.once("GET", "/healthz", seconds=10)
    except OSError as problem:
        said, _, mend = no_answer(account.url, problem).partition("; ")
        yield Finding(WRONG, "address", said, mend.rstrip("."))
        return
    if answer.status != 200:
        yield Finding(WRONG, "address", str(denied(account.url, answer)), "check the address")
        return
    yield Finding(OK, "address", f"{account.url} answers (from {account.source})")
    parts = urlsplit(account.url)
    if parts.scheme == "https":
        yield Finding(OK, "TLS", "encrypted, and the certificate is good")
    elif parts.hostname in LOCAL:
        yield Finding(OK, "TLS", "not encrypted, which does not matter on this machine itself")
    else:
        yield Finding(
            NOTE, "TLS", "not encrypted: who can listen to the network reads the key and all you send",
            "put the server behind HTTPS (docs/self-hosting.md)",
        )  # fmt: skip


def _key(account: Account, server: Server, cwd: Path) -> Iterator[Finding]:
    if not account.key:
        yield Finding(
            WRONG, "key", "none is known for this server", "stackmemory login --to … --key sm_…"
        )
        return
    began = time.time()
    try:
        answer = server.once("GET", "me", seconds=20)
    except OSError as problem:
        yield Finding(WRONG, "key", no_answer(account.url, problem), "try again")
        return
    if answer.status != 200:
        refusal = denied(account.url, answer)
        mend = "make a new one on the Connect page" if answer.status == 401 else "try again later"
        yield Finding(WRONG, "key", str(refusal), mend)
        return
    me, ended = answer.data(), time.time()
    key, workspace = me.get("key", {}), me.get("workspace", {})
    yield Finding(
        OK, "key",
        f"{key.get('shown')} “{key.get('name')}” of {me.get('user') or 'nobody'}, workspace"
        f" {workspace.get('name')} ({workspace.get('slug')})",
    )  # fmt: skip
    yield from _scopes(me)
    yield from _project(me, server, cwd)
    yield _clock(me, began, ended)


def _scopes(me: dict) -> Iterator[Finding]:  # type: ignore[type-arg]
    may = set(me.get("permissions", ()))
    lacking = {"read", "write"} - may
    if lacking:
        yield Finding(
            WRONG, "scopes", f"the key may not {' or '.join(sorted(lacking))}",
            "make one with the scopes read and write; its maker must be a member, not a viewer",
        )  # fmt: skip
    elif "import" in may and not me["key"].get("project_id"):
        yield Finding(OK, "scopes", "read, write, and import (push PATH, mirror)")
    else:
        yield Finding(
            OK, "scopes", "read and write; push PATH and mirror need a key with the scope admin"
        )
    month = me.get("events_this_month", {})
    limit, used = month.get("limit"), month.get("used", 0)
    if limit is not None and used >= limit:
        yield Finding(
            WRONG, "quota", f"all {limit:,} events of this month are used up; nothing is stored",
            "an owner can raise it",
        )  # fmt: skip


def _project(me: dict, server: Server, cwd: Path) -> Iterator[Finding]:  # type: ignore[type-arg]
    tied = me["key"].get("project_id")
    home = repository(cwd)
    ref = tied or (slug_of(home.name) if home else "")
    if not ref:
        yield Finding(NOTE, "project", f"{cwd} is in no repository", "run this inside of one")
        return
    try:
        found = server.get(f"projects/{ref}")
    except Denied as refusal:
        if refusal.status != 404:
            raise
        if tied:
            yield Finding(WRONG, "project", "the key's project is gone", "make a new key")
        else:
            yield Finding(NOTE, "project", f"“{ref}” is made when the first event arrives")
        return
    how = "the key is tied to it" if tied else f"by the name of {home}"
    yield Finding(OK, "project", f"{found.get('name')} ({found.get('slug')}), {how}")


def _clock(me: dict, began: float, ended: float) -> Finding:  # type: ignore[type-arg]
    theirs = datetime.fromisoformat(me["time"]).astimezone(UTC).timestamp()
    # What the way there and back took is no difference.
    apart = max(began - theirs, theirs - ended, 0.0)
    if apart <= SKEW:
        return Finding(OK, "clock", "agrees with the server's")
    text = f"{span(apart)} {'behind' if theirs > ended else 'ahead of'} the server's"
    mend = "let both machines keep time (NTP)"
    return Finding(WRONG if apart > MOST_SKEW else NOTE, "clock", text, mend)


def _hooks(account: Account, home: Path | None) -> Iterator[Finding]:
    found = [hooks.read(path) for path in hooks.settings_files(home)]
    for each in found:
        if each.wrong:
            yield Finding(
                WRONG, "hooks", f"{each.path} cannot be read: {each.wrong}",
                "Claude Code ignores it as well; mend the JSON",
            )  # fmt: skip
        if each.disabled:
            yield Finding(WRONG, "hooks", f"{each.path} says disableAllHooks", "take that line out")
    reporting = [each for each in found if each.reports]
    if not reporting:
        yield Finding(
            NOTE, "hooks", "Claude Code reports nothing on this machine",
            "the Connect page has the command that adds the hooks",
        )  # fmt: skip
        return
    if len(reporting) > 1:
        places = " and ".join(str(each.path) for each in reporting)
        yield Finding(
            NOTE, "hooks", f"both {places} report: what has no id of its own arrives twice",
            "keep one of them",
        )  # fmt: skip
    for each in reporting:
        yield from _file(account, each)


def _file(account: Account, each: hooks.Settings) -> Iterator[Finding]:
    lacking = [event for event in hooks.EVENTS if event not in each.events]
    missing = [script for script in each.scripts if not Path(script).expanduser().is_file()]
    strange = sorted(url for url in each.urls if account.url and url.rstrip("/") != account.url)
    remembered = accounts.read(accounts.state_folder() / "account.json")
    if missing:
        yield Finding(
            WRONG, "hooks", f"{each.path} runs {missing[0]}, which is not there",
            "install it again, with the command of the Connect page",
        )  # fmt: skip
    elif lacking:
        yield Finding(
            WRONG, "hooks", f"{each.path} lacks {', '.join(lacking)}",
            "install them again, with the command of the Connect page",
        )  # fmt: skip
    else:
        yield Finding(OK, "hooks", f"{each.path} reports all {len(hooks.EVENTS)} of them")
    if each.scripts and not remembered:
        yield Finding(
            NOTE, "hooks", "the script remembers no server",
            "unless STACKMEMORY_URL and STACKMEMORY_KEY are set for Claude Code: install it again",
        )  # fmt: skip
    elif each.scripts and account.url and str(remembered.get("url")).rstrip("/") != account.url:
        strange.append(str(remembered.get("url")))
    for url in strange:
        yield Finding(NOTE, "hooks", f"they report to {url}, not to {account.url}")
    for path in (accounts.state_folder() / "account.json", accounts.config_file()):
        if accounts.is_open_to_others(path):
            yield Finding(
                WRONG, "hooks", f"others on this machine can read {path}, which holds a key",
                f"chmod 600 {path}",
            )  # fmt: skip


def _spool() -> Finding:
    waits = spool.backlog(accounts.state_folder())
    if not waits.hooks:
        return Finding(OK, "spool", "nothing waits to be sent")
    text = f"{waits.hooks} hooks wait to be sent" + (
        f", since {waits.since}" if waits.since else ""
    )
    if waits.is_full:
        return Finding(
            WRONG, "spool", f"{text}; it is full, and what comes on top is not kept",
            "mend what is wrong above; it goes out with the next hook",
        )  # fmt: skip
    return Finding(NOTE, "spool", text, "they go out, in order, with the next hook")
