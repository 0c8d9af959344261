"""The cache against Redis, each through Django's own cache interface, in turns, both on loopback."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.postgres import Server, free_port

ROUNDS, EACH = 30, 100


def measure() -> dict[str, float]:
    server = Server(fsync=True)
    try:
        with tempfile.TemporaryDirectory(prefix="sm-bench-") as folder, redis(Path(folder)) as url:
            set_up(server, folder)
            return _measure(url)
    finally:
        server.close()


def set_up(server: Server, folder: str) -> None:
    """Django on this server, migrated, as the application's role."""
    os.environ |= {
        "DATABASE_URL": server.url,
        "DJANGO_SETTINGS_MODULE": "stackmemory.settings",
        "VAR_DIR": folder,
        "LOG_LEVEL": "ERROR",
    }
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)


@contextmanager
def redis(folder: Path) -> Iterator[str]:
    """A redis-server of our own, which writes nothing down."""
    port = free_port()
    process = subprocess.Popen(
        ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", folder],
        stdout=subprocess.DEVNULL,
    )
    try:
        time.sleep(0.5)
        yield f"redis://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def in_turns(
    sides: dict[str, Callable[[int], object]], rounds: int = ROUNDS
) -> dict[str, list[float]]:
    """Microseconds of each call, the sides in turns so that a noisy machine disturbs all alike."""
    times: dict[str, list[float]] = {name: [] for name in sides}
    for call in sides.values():  # warm
        for number in range(EACH):
            call(number)
    for round_ in range(rounds):
        order = list(sides.items())
        for name, call in order if round_ % 2 else reversed(order):
            for number in range(EACH):
                began = time.perf_counter()
                call(number)
                times[name].append((time.perf_counter() - began) * 1e6)
    return times


def _measure(url: str) -> dict[str, float]:
    from django.core.cache import cache
    from django.core.cache.backends.redis import RedisCache

    other = RedisCache(url, {})
    value = {"who": "somebody", "what": list(range(20)), "text": "what was said " * 20}
    times = in_turns(
        {
            "ours set": lambda n: cache.set(f"key-{n}", value, 300),
            "redis set": lambda n: other.set(f"key-{n}", value, 300),
            "ours get": lambda n: cache.get(f"key-{n}"),
            "redis get": lambda n: other.get(f"key-{n}"),
        }
    )
    p50 = {name: statistics.median(each) for name, each in times.items()}
    for name, micros in p50.items():
        print(f"{name:12} p50 {micros:6.0f} us")
    return {
        "cache_set_us": round(p50["ours set"]),
        "cache_get_us": round(p50["ours get"]),
        "cache_set_vs_redis": round(p50["ours set"] / p50["redis set"], 2),
        "cache_get_vs_redis": round(p50["ours get"] / p50["redis get"], 2),
    }


if __name__ == "__main__":
    print(json.dumps(measure()))
