"""`stackmemory push PATH`: what `manage.py import_stackmemory` does, from one's own machine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stackmemory.cli.server import Denied, Server
from stackmemory.cli.store import Bundle, Store, bundled, locate
from stackmemory.cli.talk import Line, Problem, size, warn

PIECE = 4 * 1024 * 1024
OVER = ("done", "failed", "cancelled")
# Without a sign of life for so long, say that nobody may be working on it.
QUIET = 30.0
AGAIN = "Run the same command again; it goes on where it stopped."


@dataclass(frozen=True)
class Wishes:
    """How to import; the same words as import_stackmemory has."""

    project: str | None = None
    keep_project_ids: bool = False
    dry_run: bool = False
    mirror: str = ""


def push(server: Server, path: Path, wishes: Wishes) -> dict[str, Any]:
    """Import the store at `path`; the report, as import_stackmemory gives it."""
    store = locate(path)
    Line.show(f"Taking a copy of {store.database} …")
    with bundled(store) as bundle:
        done = send(server, store, bundle, wishes)
    report: dict[str, Any] = done["report"]
    left_out = sorted({*report.get("left_out", ()), *store.left_out})
    return report | {"left_out": left_out}


def send(server: Server, store: Store, bundle: Bundle, wishes: Wishes) -> dict[str, Any]:
    """Send a bundle, wait until it is imported, and return what the server says of it then."""
    try:
        told = server.post(
            "imports",
            {
                "name": (store.name or "context.db")[:100], "store": store.at,
                "size": bundle.size, "sha256": bundle.sha256, "project": wishes.project,
                "keep_project_ids": wishes.keep_project_ids, "dry_run": wishes.dry_run,
                "mirror": wishes.mirror,
            },
        )  # fmt: skip
    except Denied as refusal:
        if refusal.status == 403:
            raise Problem(
                f"{refusal} An import needs a key with the scope admin, made by an admin or owner,"
                " and tied to no project."
            ) from None
        raise
    told = _send_pieces(server, told, bundle)
    return _wait(server, told)


def _send_pieces(server: Server, told: dict[str, Any], bundle: Bundle) -> dict[str, Any]:
    begun_anew = False
    with bundle.path.open("rb") as file:
        while told["state"] == "receiving":
            offset = told["received"]
            file.seek(offset)
            Line.show(f"Sending: {size(offset)} of {size(bundle.size)}")
            try:
                told = server.ask(
                    "PUT", f"imports/{told['id']}/content",
                    query={"offset": str(offset)}, body=file.read(PIECE), seconds=300,
                )  # fmt: skip
            except Denied as refusal:
                if refusal.code == "wrong_digest" and begun_anew:
                    raise
                # A piece whose answer was lost is there all the same: ask how far it is.
                if refusal.status != 409:
                    raise
                begun_anew = begun_anew or refusal.code == "wrong_digest"
                told = server.get(f"imports/{told['id']}")
    return told


def _wait(server: Server, told: dict[str, Any]) -> dict[str, Any]:
    pause, seen, quiet_since, warned = 0.2, None, server.clock(), False
    while told["state"] not in OVER:
        server.sleep(pause)
        pause = min(pause * 1.5, 2.0)
        told = server.get(f"imports/{told['id']}")
        if (mark := (told["state"], told["done_rows"])) != seen:
            seen, quiet_since, warned = mark, server.clock(), False
        if told["total_rows"]:
            Line.show(f"{told['done_rows']:,} of {told['total_rows']:,} rows")
        elif server.clock() - quiet_since > QUIET and not warned:
            warned = True
            warn("Still waiting: does a worker run on the server? What was sent is kept there.")
    Line.clear()
    if told["state"] == "failed":
        raise Problem(told["error"] or "The import failed.")
    if told["state"] == "cancelled":
        raise Problem(f"Somebody cancelled the import. {AGAIN}")
    return told
