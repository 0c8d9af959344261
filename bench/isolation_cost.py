"""What pages and API calls cost with row-level security against the same without it.

Both sides in one process on one database, in turns. What counts is processors' time, of this process
and of its PostgreSQL session together: waiting for a processor that others use is no cost of ours.
The time on the clock is printed beside it. "Without" means: policies off on every tenant table, no
role and no settings for the transaction.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import psycopg

from tests.postgres import Server

TEAMS = 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="ten times the data, more rounds")
    full = parser.parse_args().full
    server = Server(fsync=True)
    os.environ |= {
        "DATABASE_URL": server.url,
        "DJANGO_SETTINGS_MODULE": "stackmemory.settings",
        "VAR_DIR": tempfile.mkdtemp(prefix="sm-bench-"),
        "LOG_LEVEL": "ERROR",
    }
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    calls = prepare(frames=2000 if full else 200, events=30)
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")  # as a host's autovacuum would have by now
    times = measure(calls, rounds=40 if full else 16, each=5)
    report(times)
    server.close()


def prepare(*, frames: int, events: int) -> dict[str, Callable[[int], object]]:
    """Fill TEAMS workspaces; return one call for each page and API operation to time."""
    from django.test import Client
    from django.utils import timezone

    from frames.ingest import NewEvent, append_events, event_id
    from frames.models import Frame, Project
    from stackmemory.lib.tenancy import workspace_scope
    from stackmemory.lib.uuid7 import uuid7
    from workspaces.models import User
    from workspaces.provision import create_workspace

    now = timezone.now()
    for team in range(TEAMS):
        workspace = create_workspace(
            slug=f"team-{team}", name=f"Team {team}", owner_email=f"owner{team}@example.com"
        ).workspace
        with workspace_scope(workspace.id):
            project = Project.unscoped.create(workspace=workspace, slug="app", name="App")
            made = []
            for number in range(frames):
                id_ = uuid7()
                root = made[number - number % 10] if number % 10 else None
                made.append(
                    Frame(
                        id=id_,
                        root_id=root.id if root else id_,
                        parent=root,
                        depth=1 if root else 0,
                        workspace=workspace,
                        project=project,
                        name=f"Frame {number}",
                        started_at=now - timedelta(minutes=number),
                    )
                )
            Frame.unscoped.bulk_create(made, batch_size=500)
            rows = [
                NewEvent(
                    id=event_id(workspace, f"{frame.id}-{n}", frame.started_at, n),
                    project_id=project.id,
                    frame_id=frame.id,
                    session_id=None,
                    type="assistant_message",
                    occurred_at=frame.started_at,
                    seq=n,
                    payload=json.dumps({"content": "what was said here " * 25}),
                )
                for frame in made
                for n in range(events)
            ]
            for start in range(0, len(rows), 2000):
                append_events(workspace=workspace, rows=rows[start : start + 2000])
    # The last team's page and frame: each of many teams, none special.
    client = Client(SERVER_NAME="localhost")
    client.force_login(User.objects.get(email=f"owner{TEAMS - 1}@example.com"))
    base, frame_id = f"/w/team-{TEAMS - 1}", made[0].id

    def page(path: str) -> Callable[[int], object]:
        return lambda number: expect(client.get(base + path))

    calls: dict[str, Callable[[int], object]] = {
        "page: home": page("/"),
        "page: project": page("/p/app/"),
        "page: frame": page(f"/f/{frame_id}/"),
        "page: sessions": page("/sessions/"),
    }
    return calls | api_calls(workspace, frame_id, client)


def api_calls(workspace: object, frame_id: object, client: object) -> dict:
    from stackmemory.lib.tenancy import workspace_scope
    from workspaces import api_keys

    with workspace_scope(workspace.id):
        _, text = api_keys.create(
            workspace=workspace, name="bench", scopes=["read", "write"], actor=None
        )
    headers = {"Authorization": f"Bearer {text}"}

    def get(path: str) -> Callable[[int], object]:
        return lambda number: expect(client.get("/api/v1" + path, headers=headers))

    def append(number: int) -> object:
        events = [
            {"frame": str(frame_id), "type": "observation", "payload": {"content": "x" * 500}}
            for _ in range(100)
        ]
        return expect(
            client.post(
                "/api/v1/events/batch", {"events": events}, "application/json", headers=headers
            )
        )

    return {
        "api: frames": get("/frames"),
        "api: timeline": get(f"/frames/{frame_id}/events"),
        "api: append 100": append,
    }


def expect(response: object) -> None:
    if response.status_code not in (200, 201):
        sys.exit(f"{response.status_code} {response.content[:300]!r}")


@contextmanager
def without_security() -> Iterator[None]:
    """Policies off, and scopes that set nothing."""
    from django.db import connection

    from stackmemory.lib import row_security, tenancy

    tables = [model._meta.db_table for model in row_security.tenant_models()]
    with tenancy.as_owner(), connection.cursor() as cursor:
        for table in tables:
            cursor.execute(f'ALTER TABLE "{table}" DISABLE ROW LEVEL SECURITY')
    change, tenancy._change = tenancy._change, lambda *scopes: None
    try:
        yield
    finally:
        tenancy._change = change
        with tenancy.as_owner(), connection.cursor() as cursor:
            for table in tables:
                cursor.execute(f'ALTER TABLE "{table}" ENABLE ROW LEVEL SECURITY')


def measure(
    calls: dict[str, Callable[[int], object]], *, rounds: int, each: int
) -> dict[str, dict[str, list[float]]]:
    from django.db import connection

    times: dict[str, dict[str, list[float]]] = {name: defaultdict(list) for name in calls}
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        session = Path(f"/proc/{cursor.fetchone()[0]}/schedstat")  # nanoseconds on a processor

    def spent() -> float:
        return time.process_time() + int(session.read_text().split()[0]) / 1e9

    def side(label: str) -> None:
        for name, call in calls.items():
            call(0)  # warm after the change of plans
            for number in range(each):
                began, before = time.perf_counter(), spent()
                call(number)
                times[name][label].append((spent() - before) * 1000)
                times[name][f"{label} clock"].append((time.perf_counter() - began) * 1000)

    for number in range(rounds):
        sides = [lambda: side("rls"), lambda: within_none(side)]
        for run in sides if number % 2 else reversed(sides):
            run()
    return times


def within_none(side: Callable[[str], None]) -> None:
    with without_security():
        side("none")


def report(times: dict[str, dict[str, list[float]]]) -> None:
    print(f"{'':20}{'with ms':>10}{'without ms':>12}{'ratio':>8}{'on the clock':>14}")
    ratios, clock = {}, {}
    for name, sides in times.items():
        ms = {side: statistics.median(values) for side, values in sides.items()}
        ratios[name] = ms["rls"] / ms["none"]
        clock[name] = ms["rls clock"] / ms["none clock"]
        print(
            f"{name:20}{ms['rls']:>10.2f}{ms['none']:>12.2f}{ratios[name]:>8.2f}{clock[name]:>14.2f}"
        )
    figures = {
        "rls_vs_none": round(statistics.geometric_mean(ratios.values()), 3),
        "worst": round(max(ratios.values()), 3),
        "rls_vs_none_clock": round(statistics.geometric_mean(clock.values()), 3),
        "by_call": {name: round(ratio, 3) for name, ratio in ratios.items()},
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
