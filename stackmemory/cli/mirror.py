"""`stackmemory mirror PATH`: follows a store while its owner goes on working in it."""

from __future__ import annotations

import hashlib
import json
import socket
import sqlite3
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from stackmemory.cli import account as accounts
from stackmemory.cli import snapshot
from stackmemory.cli.gained import LOG, TASKS, Gained, Memory, extract, look
from stackmemory.cli.push import Wishes, send
from stackmemory.cli.server import Away, Denied, Server
from stackmemory.cli.store import Gone, Store, locate, pack
from stackmemory.cli.talk import Problem, say, say_json, span, warn

# A look at a large store takes a while: so many times as long it is left alone.
REST = 4
LONGEST_PAUSE = 60.0
# So often it says that it is there.
HEARTBEAT = 30.0
# Refusals that no waiting mends.
FOR_GOOD = (400, 401, 403, 404, 413, 422)


@dataclass(frozen=True)
class Round:
    """What one look came to. `lag`: from when the change was noticed until the server had it."""

    rows: int
    sent: int
    lag: float
    whole: bool
    conflicts: int = 0


class Mirror:
    """One store and one workspace. Everything it must not forget is in `memory`."""

    def __init__(self, server: Server, path: Path, wishes: Wishes) -> None:
        self.server, self.path, self.wishes = server, path, wishes
        store = locate(path)
        workspace = server.get("me")["workspace"]["id"]
        place = str(store.database.resolve())
        mark = hashlib.sha256(f"{server.url} {workspace} {place}".encode()).hexdigest()[:16]
        self.memory = Memory(folder() / f"{mark}.db")
        self.told: dict[str, Any] = {"path": place, "server": server.url, "behind_since": None}
        self.note = folder() / f"{mark}.json"
        self.name = f"{socket.gethostname()[:40]}:{place[-40:]}#{mark}"[:100]
        self.noticed: float | None = None
        self.stamps: Any = None
        # Whether what was gained could not be imported by itself, so that all of it is sent.
        self.distrust = False
        # Seconds that the last look took, sending aside.
        self.took = 0.0

    def close(self) -> None:
        self.memory.close()

    def has_changed(self) -> bool:
        """Whether anything was written since the last look, as far as sizes and times tell."""
        try:
            stamps = _stamps(locate(self.path))
        except Gone:  # put elsewhere for a moment, or for good: what comes back is looked at whole
            self._notice()
            raise
        if stamps == self.stamps:
            return False
        self._notice()
        return True

    def _notice(self) -> None:
        if self.noticed is None:
            self.noticed = self.server.clock()
            self.tell(behind_since=time.time())

    def tell(self, **news: Any) -> None:
        """Leave word for `stackmemory status`."""
        self.told |= {"at": time.time(), **news}
        accounts.write(self.note, self.told)

    def round(self) -> Round:
        """Look once, and send what the server lacks. Raises Problem; then nothing is forgotten."""
        store = locate(self.path)
        stamps = _stamps(store)
        began = self.noticed if self.noticed is not None else self.server.clock()
        looks = self.server.clock()
        with tempfile.TemporaryDirectory(prefix="stackmemory-mirror-") as folder:
            copies = dict(store.parts)
            for number, place in enumerate(sorted(store.databases)):
                copies[place] = Path(folder) / f"{number}.db"
                snapshot.take(store.parts[place], copies[place])
            main = _place_of_database(store)
            gained = look(self.memory, copies[main], {p: f for p, f in copies.items() if p != main})
            self.took = self.server.clock() - looks
            told, whole = None, False
            if gained.number:
                parts, whole = self._parts(copies, main, gained, Path(folder))
                bundle = pack(parts, Path(folder) / "bundle.zip")
                told = self._send(store, parts, bundle)
        now = self.server.clock()
        if told is not None or not self.memory.get("at"):
            self.memory.sent(**self._learnt(told))
        self.memory.set(at=str(time.time()))
        self.stamps, self.noticed = stamps, None
        self.tell(behind_since=None)
        rows: dict[str, Any] = told["report"]["rows"] if told else {}
        return Round(
            rows=gained.number,
            sent=sum(row["imported"] + row["updated"] for row in rows.values()),
            lag=round(now - began, 3),
            whole=whole,
            conflicts=sum(row["conflict"] for row in rows.values()),
        )

    def _parts(
        self, copies: dict[str, Path], main: str, gained: Gained, folder: Path
    ) -> tuple[dict[str, Path], bool]:
        """The files to send, and whether they are the whole store."""
        if self.distrust or not self.memory.get("project"):
            return copies, True
        log = main.rsplit("/", 1)[0] + f"/{LOG}" if "/" in main else ""
        tasks = TASKS in gained.rows or any(p == log or p.endswith(LOG) for p in gained.files)
        small = folder / "gained.db"
        try:
            extract(copies[main], gained, small, tasks_changed=tasks)
        except sqlite3.Error:
            return copies, True
        wanted = {place for place in copies if place in gained.files}
        # These are read together: the log with its cache, names with ids.
        wanted |= {p for p in copies if (tasks and p.endswith(LOG)) or p.endswith("projects.db")}
        return {main: small, **{place: copies[place] for place in wanted}}, False

    def _send(self, store: Store, parts: dict[str, Path], bundle: Any) -> dict[str, Any]:
        project = self.wishes.project or self.memory.get("project") or None
        wishes = replace(self.wishes, project=project, mirror=self.name)
        try:
            told = send(self.server, replace(store, parts=parts), bundle, wishes)
        except Problem as problem:
            self.distrust = not isinstance(problem, Away | Denied)
            raise
        self.distrust = False
        return told

    def _learnt(self, told: dict[str, Any] | None) -> dict[str, str]:
        """From now on rows that name no project go where those of the first round went."""
        return {"project": told["project"]} if told and told.get("project") else {}


def follow(
    mirror: Mirror,
    *,
    interval: float,
    once: bool,
    tell: Callable[[Round], None],
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Look again and again, for ever; with `once` a single time."""
    pause, heard = interval, mirror.server.clock()
    while True:
        if mirror.server.clock() - heard > HEARTBEAT:
            heard = mirror.server.clock()
            mirror.tell()
        began = mirror.server.clock()
        try:
            if mirror.has_changed():
                tell(mirror.round())
                pause = max(interval, REST * mirror.took)
        except Problem as problem:
            if once or (isinstance(problem, Denied) and problem.status in FOR_GOOD):
                raise
            pause = min(max(pause, 1.0) * 2, LONGEST_PAUSE)
            behind = span(mirror.server.clock() - (mirror.noticed or began))
            waited = isinstance(problem, Away | Gone)
            warn(f"Behind by {behind}: {problem}{' It is waited for.' if waited else ''}")
        if once:
            return
        sleep(pause)


def started(server: Server, path: Path, wishes: Wishes, *, once: bool) -> Mirror:
    """The mirror, as soon as the server answers."""
    while True:
        try:
            return Mirror(server, path, wishes)
        except Away as problem:
            if once:
                raise
            warn(f"{problem} It is waited for.")
            server.sleep(LONGEST_PAUSE / 4)


def folder() -> Path:
    return accounts.state_folder() / "mirrors"


def words() -> list[dict[str, Any]]:
    """What the mirrors of this machine last said of themselves."""
    found = sorted(folder().glob("*.json")) if folder().is_dir() else []
    return [told for told in map(accounts.read, found) if told]


def teller(*, as_json: bool) -> Callable[[Round], None]:
    """Says what a round came to, where it came to anything."""

    def tell(found: Round) -> None:
        if as_json:
            say_json({"at": time.time(), **found.__dict__})
        elif found.rows:
            at = time.strftime("%H:%M:%S")
            beside = f", {found.conflicts:,} kept beside in conflict" if found.conflicts else ""
            say(
                f"{at}  {found.rows:,} rows changed, {found.sent:,} written there{beside};"
                f" in step {found.lag:.1f} s after"
            )

    return tell


def _place_of_database(store: Store) -> str:
    return next(place for place, path in store.parts.items() if path == store.database)


def _stamps(store: Store) -> Any:
    return [
        json.dumps([place, snapshot.stamps(path)]) for place, path in sorted(store.parts.items())
    ]
