"""`stackmemory push --claude-code`: what Claude Code did on this machine before it was connected."""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Any

from stackmemory.cli import account as accounts
from stackmemory.cli.server import Denied, Server
from stackmemory.cli.talk import Line, Problem, size, warn
from stackmemory.cli.transcripts import Session, find, over, reports
from stackmemory.cli.turns import Report

MOST_REPORTS, MOST_BYTES = 1_000, 3 * 1024 * 1024
# A session that something was written to so lately may be going on, with hooks about to report it.
QUIET = 600.0
LIKE_A_KEY = re.compile(r"(?=[^\s/]*\d)(?=[^\s/]*[A-Za-z])[^\s/]{20,}")
# Bodies that are wrong in themselves; with fewer reports in them all but one go through.
SPLIT = (400, 413, 422)


@dataclass
class Told:
    """What came of it; of a dry run, what would be sent."""

    status: str = "done"
    sessions: int = 0
    prompts: int = 0
    subagents: int = 0
    reports: int = 0
    created: int = 0
    duplicate: int = 0
    rejected: int = 0
    going_on: int = 0
    unchanged: int = 0
    unread: int = 0
    bytes: int = 0
    seconds: float = 0.0
    projects: dict[str, int] = field(default_factory=dict)
    reasons: dict[str, int] = field(default_factory=dict)
    # Of a dry run: what is in each session.
    list: list[dict[str, Any]] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


class Remembered:
    """Which sessions this server has, as they were: a file beside the hook script's."""

    def __init__(self, workspace: str) -> None:
        self.file = _memory()
        self.workspace = workspace
        self.all = accounts.read(self.file)
        self.known: dict[str, Any] = self.all.setdefault(workspace, {})

    def has(self, session: Session) -> bool:
        return bool(self.known.get(str(session.path)) == _mark(session))

    def add(self, session: Session) -> None:
        self.known[str(session.path)] = _mark(session)
        accounts.write(self.file, self.all)


def sent_before() -> list[str]:
    """The files that were sent, to whichever workspace, in the order in which they were first."""
    told = accounts.read(_memory()).values()
    return list(dict.fromkeys(path for known in told if isinstance(known, dict) for path in known))


def _memory() -> Path:
    return accounts.state_folder() / "told.json"


def _mark(session: Session) -> list[Any]:
    return [session.bytes, session.last, len(session.agents)]


def wanted(
    projects: Path, *, folder: Path | None, since: datetime | None, told: Told
) -> list[Session]:
    """The sessions to send, the oldest first; those that may be going on are only counted."""
    chosen: list[Session] = []
    unread: list[Path] = []
    try:
        found = find(projects, unread=unread, sent=sent_before())
    except OSError as problem:
        raise Problem(f"{projects} cannot be read ({problem.strerror}).") from None
    for session in found:
        if folder is not None and not _is_in(session.cwd, folder):
            continue
        if since is not None and datetime.fromisoformat(session.last) < since:
            continue
        if _goes_on(session):
            told.going_on += 1
            continue
        chosen.append(session)
    told.unread = len(unread)
    for path in unread:
        warn(f"{path} cannot be read; it is left out.")
    return chosen


def _goes_on(session: Session) -> bool:
    """Whether it was written to lately; where its clock is ahead, as far as the file tells."""
    ago = time.time() - datetime.fromisoformat(session.last).timestamp()
    if ago < -QUIET:
        with suppress(OSError):
            ago = time.time() - session.path.stat().st_mtime
    return ago < QUIET


def count(sessions: Iterable[Session], told: Told) -> None:
    """What would be sent, without sending it."""
    told.status = "dry-run"
    for session in sessions:
        Line.show(f"Reading {session.path.name} …")
        _count(session, told)
        number = sum(1 for _ in reports(session)) + 1
        told.reports += number
        told.list.append(
            {
                "session": session.id, "at": session.first, "project": session.project,
                "title": session.title or session.words, "prompts": session.prompts,
                "subagents": len(session.agents), "events": number,
            }
        )  # fmt: skip


def send(server: Server, sessions: list[Session], told: Told) -> None:
    """Send each session that the server does not have as it is now."""
    remembered = Remembered(server.get("me")["workspace"]["id"])
    for number, session in enumerate(sessions, start=1):
        if remembered.has(session):
            told.unchanged += 1
            continue
        _count(session, told)
        of = f"{number} of {len(sessions)} sessions"
        try:
            for part in _parts(chain(reports(session), [over(session)])):
                Line.show(
                    f"{of}: {told.created:,} new, {told.duplicate:,} known, {size(told.bytes)}"
                )
                told.reports += len(part)
                _send(server, session, part, told)
        except (FileNotFoundError, PermissionError):  # the client tidies up after a while
            told.unread += 1
            warn(f"{session.path} cannot be read any more; what is missing is left out.")
            continue
        remembered.add(session)
    Line.clear()


def _count(session: Session, told: Told) -> None:
    told.sessions += 1
    told.prompts += session.prompts
    told.subagents += len(session.agents)
    told.bytes += session.bytes
    told.projects[session.project] = told.projects.get(session.project, 0) + 1


def _parts(all_of_them: Iterable[Report]) -> Iterator[list[Report]]:
    part: list[Report] = []
    held = 0
    for report in all_of_them:
        length = len(json.dumps(report.hook))
        if part and (len(part) >= MOST_REPORTS or held + length > MOST_BYTES):
            yield part
            part, held = [], 0
        part.append(report)
        held += length
    if part:
        yield part


def _send(server: Server, session: Session, part: list[Report], told: Told) -> None:
    body = {
        "project": session.project[:200], "branch": session.branch[:255],
        "host": socket.gethostname()[:255], "reports": [each.as_json() for each in part],
    }  # fmt: skip
    try:
        answer = server.post("hooks/claude-code/past", _whole(body))
    except Denied as refusal:
        if refusal.status not in SPLIT:
            raise
        if len(part) == 1:
            told.rejected += 1
            told.reasons[str(refusal)] = told.reasons.get(str(refusal), 0) + 1
            return
        for half in (part[: len(part) // 2], part[len(part) // 2 :]):
            _send(server, session, half, told)
        return
    told.created += answer["created"]
    told.duplicate += answer["duplicate"]
    for each in answer["rejected"]:
        told.rejected += 1
        told.reasons[each["message"]] = told.reasons.get(each["message"], 0) + 1


def _whole(body: dict[str, Any]) -> dict[str, Any]:
    """Without halves of characters, which no strict parser takes."""
    text = json.dumps(body)
    if "\\ud" not in text:
        return body
    return _mended(body)  # type: ignore[no-any-return]


def _mended(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        return {_mended(key): _mended(item) for key, item in value.items()}
    return [_mended(item) for item in value] if isinstance(value, list) else value


def _is_in(cwd: str, folder: Path) -> bool:
    """Whether a session was in a folder, as far as paths tell; a link to it is the same."""
    if not cwd:
        return False
    places = {Path(cwd), Path(cwd).resolve()}
    return any(folder == place or folder in place.parents for place in places)


def day(text: str) -> datetime:
    """A date, or a moment, as a person writes it; the day begins here, not in UTC."""
    at = datetime.fromisoformat(text)
    if not 1970 < at.year < 3000:
        raise ValueError(text)
    return at.astimezone(UTC)


def lines(told: Told) -> Iterator[str]:
    """The same for a person."""
    for name, number in sorted(told.projects.items(), key=lambda item: -item[1]):
        yield f"{name or '(no folder)'}: {number:,} sessions"
        for each in told.list:
            if each["project"] == name:
                at = datetime.fromisoformat(each["at"]).astimezone()
                yield (
                    f"  {at:%Y-%m-%d %H:%M}  {short(each['title'])}  "
                    f" {each['prompts']:,} prompts, {each['events']:,} events"
                )
    what = "Would send" if told.status == "dry-run" else "Sent"
    yield (
        f"{what} {told.sessions:,} sessions with {told.prompts:,} prompts and {told.subagents:,}"
        f" subagents, {told.reports:,} events, from {size(told.bytes)} of transcripts."
    )
    if told.status == "dry-run":
        yield "Secrets are redacted by the server, before anything is stored; nothing was sent."
    else:
        yield (
            f"{told.created:,} are new, {told.duplicate:,} were there already,"
            f" {told.rejected:,} were refused; {told.seconds} s."
        )
    if told.unchanged:
        yield f"{told.unchanged:,} sessions were sent before and are as they were."
    for reason, number in told.reasons.items():
        yield f"  refused {number:,} × {reason}"
    if told.unread:
        yield f"{told.unread:,} files could not be read."
    if told.going_on:
        yield (
            f"{told.going_on:,} sessions were written to in the last ten minutes and left for next"
            " time."
        )


def short(text: str) -> str:
    """One line of a terminal, whatever a transcript calls itself; no key is shown to who looks on."""
    text = LIKE_A_KEY.sub("…", text)
    words = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return f"{words if len(words) <= 60 else words[:59] + '…':60}"
