"""The command line: what there is, and what each command does with it."""

from __future__ import annotations

import argparse
import getpass
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stackmemory.cli import VERSION, account, doctor, hooks, past, status, talk
from stackmemory.cli.account import Account
from stackmemory.cli.mirror import follow, started, teller
from stackmemory.cli.push import AGAIN, Wishes, push
from stackmemory.cli.server import Away, Server
from stackmemory.cli.talk import Problem, say, say_json

TABLES = ("frames", "events", "anchors", "contexts", "tasks", "traces", "tool_calls", "other")
COUNTS = ("read", "imported", "updated", "existing", "conflict", "set_aside")


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code: 0 well, 1 found something wrong, 2 could not be done."""
    options = parser().parse_args(arguments)
    try:
        code: int = options.run(options)
        return code
    except Problem as problem:
        message = f"{problem} {AGAIN}" if isinstance(problem, Away) else str(problem)
        talk.Line.clear()
        sys.stderr.write(message + "\n")
        if options.json:
            say_json({"status": "error", "error": message})
        return 2
    except KeyboardInterrupt:
        talk.Line.clear()
        sys.stderr.write(f"Stopped. {AGAIN}\n")
        return 130
    except BrokenPipeError:
        return 1


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="stackmemory", description="Shared memory for teams whose code is written with agents."
    )
    top.add_argument("--version", action="version", version=VERSION)
    commands = top.add_subparsers(title="commands", required=True, metavar="COMMAND")

    login = _command(commands, "login", run_login, "remember a server and a key on this machine")
    login.epilog = "Without --key it asks for the key, so that it is in no shell's history."
    _command(commands, "doctor", run_doctor, "check all that must be right, and say how to mend it")
    told = _command(commands, "status", run_status, "who you are, what is going on, what waits")
    told.add_argument("--project", metavar="SLUG", help="of this project, not of the one we are in")

    pushed = _command(commands, "push", run_push, "bring what this machine has into the workspace")
    pushed.add_argument(
        "path", nargs="?", type=Path, metavar="PATH",
        help="a context.db, a .stackmemory folder or a repository",
    )  # fmt: skip
    pushed.add_argument(
        "--claude-code", action="store_true",
        help="instead of a store: what Claude Code's transcripts on this machine tell",
    )  # fmt: skip
    pushed.add_argument(
        "--project", metavar="SLUG|DIR",
        help="put the store into this project; of transcripts, only those of this folder",
    )  # fmt: skip
    pushed.add_argument(
        "--since", metavar="DATE", help="of transcripts, only sessions that went on after it"
    )
    pushed.add_argument(
        "--keep-project-ids", action="store_true", help="one project for each id in the store"
    )
    pushed.add_argument("--dry-run", action="store_true", help="report only, write nothing")

    mirrored = _command(commands, "mirror", run_mirror, "follow a store that is worked in")
    mirrored.add_argument(
        "path", type=Path, metavar="PATH",
        help="a context.db, a .stackmemory folder or a repository",
    )  # fmt: skip
    mirrored.add_argument("--project", metavar="SLUG", help="put everything into this project")
    mirrored.add_argument(
        "--keep-project-ids", action="store_true", help="one project for each id in the store"
    )
    mirrored.add_argument(
        "--interval", type=float, default=2.0, metavar="SECONDS", help="between two looks; 2"
    )
    mirrored.add_argument("--once", action="store_true", help="look once, send, and end")
    mirrored.add_argument(
        "--whole", action="store_true", help="forget what was sent and send all of it again"
    )
    return top


def _command(commands: Any, name: str, run: Any, words: str) -> argparse.ArgumentParser:
    made: argparse.ArgumentParser = commands.add_parser(name, help=words, description=words)
    made.add_argument("--to", metavar="URL", help="the server")
    made.add_argument("--key", metavar="KEY", help="an API key of your workspace")
    made.add_argument("--json", action="store_true", help="one JSON object as the last line")
    made.set_defaults(run=run)
    return made


def server_of(options: argparse.Namespace) -> Server:
    found = account.needed(account.find(options.to, options.key))
    return Server(found.url, found.key)


def run_login(options: argparse.Namespace) -> int:
    known = account.find(options.to, options.key)
    key = options.key or ""
    if not key and sys.stdin.isatty():
        key = getpass.getpass("Key (sm_…, it is not shown): ").strip()
    found = account.needed(Account(known.url, key, known.source))
    me = Server(found.url, found.key, patience=5).get("me")
    account.write(account.config_file(), {"url": found.url, "key": found.key})
    told = {
        "server": found.url, "workspace": me["workspace"]["slug"], "user": me["user"],
        "file": str(account.config_file()),
    }  # fmt: skip
    if options.json:
        say_json({"status": "ok", **told})
    else:
        say(f"{told['user'] or 'This key'} in {told['workspace']} at {told['server']};")
        say(f"remembered in {told['file']}, which only you can read.")
    return 0


def run_doctor(options: argparse.Namespace) -> int:
    found = account.find(options.to, options.key)
    server = Server(found.url, found.key, patience=5)
    findings = []
    for finding in doctor.examine(found, server, cwd=Path.cwd()):
        findings.append(finding)
        if not options.json:
            say(finding.line())
    wrong = any(finding.state == doctor.WRONG for finding in findings)
    if options.json:
        told = [finding.as_json() for finding in findings]
        say_json({"status": "wrong" if wrong else "ok", "findings": told})
    return int(wrong)


def run_status(options: argparse.Namespace) -> int:
    server = server_of(options)
    server.patience = 5
    told = status.gather(server, cwd=Path.cwd(), project=options.project)
    if options.json:
        say_json(told)
    else:
        for line in status.lines(told):
            say(line)
    return 2 if "error" in told else 0


def run_push(options: argparse.Namespace) -> int:
    if options.claude_code:
        return run_past(options)
    if options.since:
        raise Problem("--since goes with --claude-code; a store is imported as a whole.")
    if options.path is None:
        raise Problem(
            "Say what to push: a context.db, a .stackmemory folder or a repository; or --claude-code."
        )
    wishes = Wishes(options.project, options.keep_project_ids, options.dry_run)
    report = push(server_of(options), options.path, wishes)
    say(json.dumps(report)) if options.json else tell(report)
    return 0


def run_past(options: argparse.Namespace) -> int:
    if options.path is not None or options.keep_project_ids:
        raise Problem("--claude-code takes no PATH and no --keep-project-ids; see --project DIR.")
    try:
        since = past.day(options.since) if options.since else None
    except ValueError:
        raise Problem(f"“{options.since}” is no date; write it as 2026-01-31.") from None
    folder = Path(options.project).expanduser().resolve() if options.project else None
    if folder is not None and not folder.is_dir():
        raise Problem(f"There is no folder {folder}; --project names one with --claude-code.")
    began, told = time.monotonic(), past.Told()
    server = None if options.dry_run else server_of(options)
    sessions = past.wanted(
        hooks.claude_folder() / "projects", folder=folder, since=since, told=told
    )
    if server is None:
        past.count(sessions, told)
    else:
        past.send(server, sessions, told)
    talk.Line.clear()
    told.seconds = round(time.monotonic() - began, 3)
    if options.json:
        say_json(told.as_json())
    else:
        for line in past.lines(told):
            say(line)
    return 0


def run_mirror(options: argparse.Namespace) -> int:
    if not 0.1 <= options.interval <= 86_400:
        raise Problem("--interval is a number of seconds, from 0.1 to 86400.")
    wishes = Wishes(options.project, options.keep_project_ids)
    mirror = started(server_of(options), options.path, wishes, once=options.once)
    try:
        if options.whole:
            mirror.memory.forget()
        if not options.json:
            say(f"Mirroring {options.path} to {mirror.server.url}; Ctrl-C ends it.")
        follow(
            mirror, interval=options.interval, once=options.once,
            tell=teller(as_json=options.json),
        )  # fmt: skip
    finally:
        mirror.close()
    return 0


def tell(report: dict[str, Any]) -> None:
    """The report for a person, as import_stackmemory prints it."""
    say(f"{'':12}" + "".join(f"{name.replace('_', ' '):>11}" for name in COUNTS))
    for table in TABLES:
        row = report["rows"].get(table, {})
        say(f"{table:12}" + "".join(f"{row.get(name, 0):>11,}" for name in COUNTS))
    for name, number in report["other_tables"].items():
        say(f"  other: {name} ({number:,})")
    for reason, number in sorted(report["adjusted"].items()):
        say(f"  adjusted {number:,} × {reason}")
    for name in report["left_out"]:
        say(f"  left out: {name}")
    if erased := sum(row.get("erased", 0) for row in report["rows"].values()):
        say(f"  not taken: {erased:,} rows of what was erased there")
    what = "Nothing was written (dry run)" if report["status"] == "dry-run" else "Imported"
    say(f"{what} in {report['seconds']} s.")
