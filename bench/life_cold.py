"""Cold storage: bytes of an event in the table and in an object, and a page of a month read from either.

One workspace of a store's events on PostgreSQL. Pages of its frames' timelines are read hot; everything
is moved out; the same pages are read cold, with objects at hand as a process has them, and with none.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.postgres import Server

PAGES = 300


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=50_000)
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.inside:
        print(json.dumps(inside()))
        return
    from bench.import_speed import write_store
    from bench.life_speed import fill

    server = Server(fsync=True)
    home = Path(tempfile.mkdtemp(prefix="sm-bench-"))
    env = os.environ | {"DJANGO_SETTINGS_MODULE": "stackmemory.settings", "VAR_DIR": str(home),
                        "DATABASE_URL": server.url}  # fmt: skip
    fill(env, write_store(home / "context.db", given.events))
    print(json.dumps(measured(env)))
    server.close()


def measured(env: dict[str, str]) -> dict[str, Any]:
    """Figures of an installation with one workspace of events; they are in cold storage afterwards."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.life_cold", "--inside"],
        env=env, capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(done.stderr)
    figures: dict[str, Any] = json.loads(done.stdout.strip().rpartition("\n")[2])
    return figures


def inside() -> dict[str, Any]:
    import django

    django.setup()
    from django.db import connection
    from django.db.models import Max, Sum
    from django.utils import timezone

    from frames import timeline
    from frames.cold import store
    from frames.cold.moving import archive
    from frames.models import AgentSession, ArchivedPeriod, Event, Frame, Project
    from stackmemory.lib.tenancy import as_owner, system_scope, workspace_scope
    from workspaces.models import Workspace

    workspace = Workspace.objects.get()
    with system_scope():
        now = timezone.now()
        AgentSession.unscoped.update(ended_at=now)
        Frame.unscoped.filter(closed_at=None).update(closed_at=now, state=Frame.CLOSED)
        events = Event.unscoped.count()
        ids = list(Frame.unscoped.filter(event_count__gt=0).values_list("pk", flat=True))
        projects = list(Project.unscoped.select_related("workspace"))
        last = Frame.unscoped.aggregate(at=Max("last_event_at"))["at"]
    chance = random.Random(7)
    chosen = [chance.choice(ids) for _ in range(PAGES)]

    def page(pk: Any) -> list[Any]:
        with workspace_scope(workspace.pk, reading=True):
            stretch = timeline.stretch_of(Frame.objects.in_workspace(workspace).get(pk=pk))
            return timeline.newest(workspace, stretch).lines if stretch else []

    def size() -> int:
        with as_owner(), connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE frames_event")
            cursor.execute(
                "SELECT sum(pg_total_relation_size(inhrelid))::bigint FROM pg_inherits"
                " WHERE inhparent = 'frames_event'::regclass"
            )
            return int(cursor.fetchone()[0])

    def milliseconds(read: Callable[[Any], Any]) -> float:
        times = []
        for pk in chosen:
            began = time.perf_counter()
            read(pk)
            times.append(time.perf_counter() - began)
        return statistics.median(times) * 1000

    def anew(pk: Any) -> list[Any]:
        store._kept.clear()
        return page(pk)

    places = [[line.place for line in page(pk)] for pk in chosen[:20]]
    hot_bytes, hot = size() / events, milliseconds(page)
    began, used = time.perf_counter(), time.process_time()
    # by its age to the day, so that everything goes
    moved = sum(
        each.events for project in projects
        for each in archive(project, now=last + (now - last) * 2, days=1)
    )  # fmt: skip
    took, used = time.perf_counter() - began, time.process_time() - used
    assert moved == events, (moved, events)
    assert places == [[line.place for line in page(pk)] for pk in chosen[:20]]
    with system_scope():
        told = ArchivedPeriod.unscoped.aggregate(bytes=Sum("bytes"), payload=Sum("payload_bytes"))
        objects = ArchivedPeriod.unscoped.count()
    cold, first = milliseconds(page), milliseconds(anew)
    return {
        "cold_events": events,
        "cold_objects": objects,
        "payload_bytes_per_event": round(told["payload"] / events),
        "hot_bytes_per_event": round(hot_bytes),
        "cold_bytes_per_event": round(told["bytes"] / events),
        "cold_move_s": round(took, 1),
        "cold_move_cpu_us_per_event": round(used / events * 1e6),
        "hot_read_ms": round(hot, 2),
        "cold_read_ms": round(cold, 2),
        "cold_first_read_ms": round(first, 2),
        "cold_read_vs_hot": round(cold / hot, 2),
        "cold_first_read_vs_hot": round(first / hot, 2),
    }


if __name__ == "__main__":
    main()
