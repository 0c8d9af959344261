"""The yardstick of what writes events: COPY of the same rows into a table like theirs."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import psycopg

from tests.postgres import Server

COLUMNS = (
    "id, workspace_id, frame_id, session_id, created_at, seq, type, payload, occurred_at, tool,"
    " is_error, score, redactions, source_id, source"
)


def timed_copy(server: Server, slug: str, file: Path) -> tuple[int, float]:
    """How many events a workspace has, and the seconds to COPY them into a twin of their table.

    Encoded beforehand, in one transaction, as superuser: no row-level security, no outcome for
    each row, nothing counted.
    """
    url = server.admin_url.rsplit("/", 1)[0] + "/" + server.url.rsplit("/", 1)[1]
    with psycopg.connect(url) as db:
        make_twin(db)
        rows = (
            f"SELECT {COLUMNS} FROM frames_event WHERE workspace_id ="
            f" (SELECT id FROM workspaces_workspace WHERE slug = '{slug}')"
        )
        with file.open("wb") as out, db.cursor().copy(f"COPY ({rows}) TO STDOUT") as copy:
            for block in copy:
                out.write(block)
        db.commit()
        began = time.perf_counter()
        with file.open("rb") as data, db.cursor().copy(f"COPY twin ({COLUMNS}) FROM STDIN") as copy:
            while block := data.read(1 << 16):
                copy.write(block)
        db.commit()
        took = time.perf_counter() - began
        (count,) = db.execute("SELECT count(*) FROM twin").fetchone() or (0,)
        db.execute("TRUNCATE twin")
    return count, took


def make_twin(db: Any) -> None:
    """A table like frames_event: the same partitions, indexes and foreign keys."""
    if db.execute("SELECT to_regclass('twin')").fetchone()[0]:
        return
    db.execute("CREATE TABLE twin (LIKE frames_event INCLUDING ALL) PARTITION BY RANGE (id)")
    keys = "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE contype = 'f'"
    for (definition,) in db.execute(f"{keys} AND conrelid = 'frames_event'::regclass").fetchall():
        db.execute(f"ALTER TABLE twin ADD {definition}")
    parts = (
        "SELECT c.relname, pg_get_expr(c.relpartbound, c.oid) FROM pg_inherits i"
        " JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'frames_event'::regclass"
    )
    for name, bound in db.execute(parts).fetchall():
        db.execute(f"CREATE TABLE twin_{name} PARTITION OF twin {bound}")
