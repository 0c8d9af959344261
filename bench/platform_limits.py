"""The limiter against the same in Redis: a counter and its expiry in one pipeline.

Ours is what every API call does, though it commits each time: one statement that refills the bucket
and takes from it. The amounts are rows, too, which a process reads every other second.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from pathlib import Path

from bench.platform_cache import in_turns, redis, set_up
from tests.postgres import Server


def measure() -> dict[str, float]:
    server = Server(fsync=True)
    try:
        with tempfile.TemporaryDirectory(prefix="sm-bench-") as folder, redis(Path(folder)) as url:
            set_up(server, folder)
            return _measure(url)
    finally:
        server.close()


def _measure(url: str) -> dict[str, float]:
    from redis import Redis

    from stackmemory.lib.tenancy import workspace_scope
    from stackmemory.lib.uuid7 import uuid7
    from workspaces import limits
    from workspaces.provision import create_workspace

    workspace = create_workspace(slug="acme", name="Acme", owner_email="a@example.com").workspace
    keys, person = [uuid7() for _ in range(100)], uuid7()
    client = Redis.from_url(url)

    def counted(number: int) -> None:
        name = f"limit:{keys[number]}:{int(time.time() // 60)}"
        with client.pipeline() as pipeline:
            pipeline.incr(name)
            pipeline.expire(name, 60)
            if pipeline.execute()[0] > 12_000:
                raise AssertionError

    with workspace_scope(workspace.pk):
        limits.set_limit(workspace, "requests_per_minute", 100_000)
    # Outside of a scope no limit of the workspace's own can be read: they are known by now.
    limits.FRESH = 3600.0
    with workspace_scope(workspace.pk):
        limits.take(workspace, keys[0], person=person)
    times = in_turns(
        {"ours": lambda n: limits.take(workspace, keys[n], person=person), "redis": counted}
    )
    p50 = {name: statistics.median(each) for name, each in times.items()}
    for name, micros in p50.items():
        print(f"{name:6} p50 {micros:6.0f} us")
    return {"limit_us": round(p50["ours"]), "limit_vs_redis": round(p50["ours"] / p50["redis"], 2)}


if __name__ == "__main__":
    print(json.dumps(measure()))
