"""`stackmemory status`: who one is, what is being worked on, what happened last, what waits."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from stackmemory.cli import account as accounts
from stackmemory.cli import mirror, spool
from stackmemory.cli.place import repository, slug_of
from stackmemory.cli.server import Away, Denied, Server
from stackmemory.cli.talk import span

LAST = 5


def gather(server: Server, *, cwd: Path, project: str | None = None) -> dict[str, Any]:
    """Everything `status` tells, as one object; where nobody answers, what this machine knows."""
    try:
        me = server.get("me")
    except Away as problem:
        return {"server": server.url, "error": str(problem), **_here()}
    found = _project(server, me, cwd, project)
    told: dict[str, Any] = {
        "server": server.url,
        "workspace": me["workspace"]["slug"],
        "user": me["user"],
        "key": me["key"]["shown"],
        "project": found,
        "session": None,
        "stack": [],
        "events": [],
        **_here(),
    }
    if found is None:
        return told
    sessions = server.get("sessions", project=found["slug"], limit=1)["items"]
    if not sessions:
        return told
    told["session"] = session = sessions[0]
    told["stack"] = server.get(f"sessions/{session['id']}/stack")["frames"]
    if told["stack"]:
        frame = told["stack"][-1]["id"]
        told["events"] = server.get(f"frames/{frame}/events", newest="true", limit=LAST)["items"]
    return told


def _here() -> dict[str, Any]:
    """What waits on this machine, and how its mirrors stand."""
    return {"waiting": asdict(spool.backlog(accounts.state_folder())), "mirrors": mirror.words()}


def _project(
    server: Server, me: dict[str, Any], cwd: Path, given: str | None
) -> dict[str, Any] | None:
    home = repository(cwd)
    ref = given or me["key"]["project_id"] or (slug_of(home.name) if home else "")
    if not ref:
        return None
    try:
        return server.get(f"projects/{ref}")
    except Denied as refusal:
        if refusal.status == 404 and not given:
            return None
        raise


def lines(told: dict[str, Any], now: datetime | None = None) -> list[str]:
    """The same for a person."""
    now = now or datetime.now(UTC)
    if "error" in told:
        return [told["error"], *_waits(told, now)]
    who = told["user"] or "a key that belongs to nobody"
    out = [f"{who} in {told['workspace']} at {told['server']} (key {told['key']})"]
    project, session = told["project"], told["session"]
    if project is None:
        return [*out, "No project: this is no repository the workspace knows.", *_waits(told, now)]
    counts = project["counts"]
    out.append(
        f"Project {project['name']}: {counts['sessions']:,} sessions, {counts['events']:,} events,"
        f" {counts['open_frames']:,} frames open, {counts['open_tasks']:,} tasks to do"
    )
    if session is None:
        return [*out, "Nobody has worked in it yet.", *_waits(told, now)]
    state = "ended" if session["ended_at"] else "going on"
    seen = _ago(session["last_seen_at"], now)
    branch = f" on {session['branch']}" if session["branch"] else ""
    out.append(f"Last session: {session['client'] or 'imported'}{branch}, {state}, seen {seen}")
    for depth, frame in enumerate(told["stack"]):
        out.append(f"  {'  ' * depth}{frame['name']}  ({frame['type']})")
    for event in told["events"]:
        what = f"{event['type']} {event.get('tool') or ''}".strip()
        out.append(f"  · {what}, {_ago(event['occurred_at'], now)}")
    return [*out, *_waits(told, now)]


def _waits(told: dict[str, Any], now: datetime) -> list[str]:
    hooks = told["waiting"]["hooks"]
    since = told["waiting"]["since"] or "some time"
    out = [
        f"{hooks} hooks wait to be sent, since {since}." if hooks else "Nothing waits to be sent."
    ]
    for each in told["mirrors"]:
        heard = span(now.timestamp() - each["at"])
        behind = each["behind_since"]
        state = f"behind by {span(now.timestamp() - behind)}" if behind else "in step"
        running = now.timestamp() - each["at"] < 2 * mirror.HEARTBEAT
        state = state if running else f"not running, {state} when last heard of {heard} ago"
        out.append(f"Mirror of {each['path']} to {each['server']}: {state}.")
    return out


def _ago(at: str, now: datetime) -> str:
    seconds = (now - datetime.fromisoformat(at)).total_seconds()
    return "just now" if seconds < 5 else f"{span(seconds)} ago"
