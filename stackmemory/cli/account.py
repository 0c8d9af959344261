"""Which server, and with which key: options, environment, what `login` wrote, the hook script's."""

from __future__ import annotations

import json
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from stackmemory.cli.talk import Problem


@dataclass(frozen=True)
class Account:
    """`source` says where the address was found, for a person."""

    url: str
    key: str
    source: str


def config_file() -> Path:
    base = os.environ.get("XDG_CONFIG_HOME") or os.path.join(os.path.expanduser("~"), ".config")
    return Path(base) / "stackmemory" / "config.json"


def state_folder() -> Path:
    """Where the hook script, and we beside it, keep what must outlive a process."""
    given = os.environ.get("STACKMEMORY_SPOOL")
    home = os.path.expanduser("~")
    base = os.environ.get("XDG_STATE_HOME") or os.path.join(home, ".local", "state")
    return Path(given) if given else Path(base) / "stackmemory"


def find(to: str | None, key: str | None) -> Account:
    """The account to use; fields that nobody gave are empty."""
    places: list[tuple[str, dict[str, Any]]] = [
        ("the command line", {"url": to, "key": key}),
        (
            "the environment",
            {"url": os.environ.get("STACKMEMORY_URL"), "key": os.environ.get("STACKMEMORY_KEY")},
        ),
        (str(config_file()), read(config_file())),
        (str(state_folder() / "account.json"), read(state_folder() / "account.json")),
    ]
    url, source = "", ""
    for place, known in places:
        if known.get("url"):
            url, source = str(known["url"]), place
            break
    found_key = ""
    for _, known in places:
        # A remembered key belongs to the server it was remembered with, and goes to no other.
        strange = known.get("url") and str(known["url"]).rstrip("/") != url.rstrip("/")
        if known.get("key") and not strange:
            found_key = str(known["key"])
            break
    return Account(url.rstrip("/"), found_key, source)


def needed(account: Account) -> Account:
    """The account if it is whole; Problem otherwise."""
    if not account.url or not account.key:
        lacking = "server" if not account.url else "key"
        raise Problem(
            f"No {lacking} is known. Run: stackmemory login --to https://… --key sm_… (the Connect"
            " page of your workspace has both), or set STACKMEMORY_URL and STACKMEMORY_KEY."
        )
    check_address(account.url)
    return account


def check_address(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Problem(
            f"“{url}” is no address of a server; it looks like https://memory.example.com."
        )
    if parts.path not in ("", "/") or parts.query:
        raise Problem(f"Give the address alone, without what follows the host: {_root(url)}")


def _root(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def read(path: Path) -> dict[str, Any]:
    """What a file of ours says; nothing where there is none, or none that can be read."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def write(path: Path, value: Any) -> None:
    """Put a file in place whole, for nobody else to read."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = path.with_name(f"{path.name}.{os.getpid()}.new")
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(handle, "w", encoding="utf-8") as file:
        file.write(json.dumps(value) + "\n")
        file.flush()
        os.fsync(file.fileno())
    os.replace(fresh, path)


def is_open_to_others(path: Path) -> bool:
    """Whether somebody else on this machine may read a file with a key in it."""
    try:
        return os.name == "posix" and bool(stat.S_IMODE(path.stat().st_mode) & 0o077)
    except OSError:
        return False
