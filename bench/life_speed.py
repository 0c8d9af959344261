"""Moving: an archive against pg_dump and pg_restore, and a copy of an installation either way.

One server with fsync on. A team of many events is imported once; then, in turns, it is exported and
dumped, and taken in and restored by another database. Each is the real command in a process of its
own; both formats hold the same rows, compressed. MB are those of the rows as JSON.

pg_restore runs twice: `restore` as it does by default, with PostgreSQL checking every reference, as
import_workspace has it do; `unchecked` with --disable-triggers, which takes the dump at its word and only a
superuser may. Beside the seconds stand those of a processor, of the command and of the server's
processes: they say the same whatever else the machine does.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import psycopg

from bench import life_cold
from bench.import_speed import manage, write_store
from tests.postgres import Server

# The tables an archive is of; pg_dump gets their rows and no more.
TABLES = ("workspaces_", "frames_")
# Of each command, the seconds of a processor that it and the server took, in every round.
Work = dict[str, list[tuple[float, float]]]
# Events of the installation that is copied.
COPIED = 20_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--full", action="store_true", help="1,000,000 events")
    given = parser.parse_args()
    events, rounds = (1_000_000, 1) if given.full else (given.events, given.rounds)
    server = Server(fsync=True)
    home = Path(tempfile.mkdtemp(prefix="sm-bench-"))
    env = os.environ | {"DJANGO_SETTINGS_MODULE": "stackmemory.settings", "VAR_DIR": str(home)}
    figures = copied(env, home, server)
    here = env | {"DATABASE_URL": server.url}
    store = write_store(home / "context.db", events)
    fill(here, store)
    figures |= {"events": events, "store_mb": store.stat().st_size >> 20}
    seconds: dict[str, list[float]] = {"export": [], "dump": [], "import": [], "restore": [],
                                       "unchecked": []}  # fmt: skip
    work: Work = defaultdict(list)
    for number in range(rounds):
        archive, dump = home / f"{number}.zip", home / f"{number}.dump"
        with working(server, work["export"]):
            took, peak, _ = timed(
                here, "export_workspace", "team", "--output", str(archive), "--json"
            )
        seconds["export"].append(took)
        figures["export_rss_mb"] = max(peak, figures.get("export_rss_mb", 0))
        tables = [f"--table={name}*" for name in TABLES]
        with working(server, work["dump"]):
            seconds["dump"].append(
                tool(server, "pg_dump", "-Fc", "--data-only", *tables, "-f", str(dump), server.url)
            )
        for side in ("import", "restore", "unchecked"):
            url = server.create_database(f"{side}_{number}")
            manage(env | {"DATABASE_URL": url}, "migrate", "-v0")
            if side == "import":
                with working(server, work[side]):
                    took, peak, _ = timed(
                        env | {"DATABASE_URL": url}, "import_workspace", str(archive), "--json"
                    )
                figures["import_rss_mb"] = max(peak, figures.get("import_rss_mb", 0))
            else:
                empty(server, url)
                with working(server, work[side]):
                    took = restored(server, url, dump, checked=side == "restore")
            seconds[side].append(took)
            check(server, url, events)
        print(
            f"round {number + 1}: " + ", ".join(f"{k} {v[-1]:.1f} s" for k, v in seconds.items()),
            flush=True,
        )
    with zipfile.ZipFile(archive) as rows:
        figures["rows_mb"] = sum(part.file_size for part in rows.infolist()) >> 20
    figures |= {"archive_mb": round(archive.stat().st_size / 2**20, 1)}
    figures |= {"dump_mb": round(dump.stat().st_size / 2**20, 1)}
    figures["archived_bytes_per_event"] = round(archive.stat().st_size / events)
    took, peak, _ = timed(
        here, "export_stackmemory", "--workspace", "team", "--project", "context",
        "--output", str(home / "back.db"), "--json",
    )  # fmt: skip
    figures |= {"store_export_s": round(took, 1), "store_export_rss_mb": peak}
    figures |= life_cold.measured(here)
    tell(figures, seconds, work)
    server.close()


def copied(env: dict[str, str], home: Path, server: Server) -> dict[str, Any]:
    """From trial to production and back, of a small team."""
    figures: dict[str, Any] = {}
    trial = f"sqlite:///{home / 'trial.sqlite3'}"
    (home / "trial").mkdir()
    fill(env | {"DATABASE_URL": trial}, write_store(home / "trial" / "context.db", COPIED))
    production = server.create_database("production")
    for name, source, target in (
        ("to_postgres", trial, production),
        ("to_sqlite", production, f"sqlite:///{home / 'back.sqlite3'}"),
    ):
        took, peak, said = timed(env, "copy_database", "--from", source, "--to", target, "--json")
        figures[f"copy_{name}_s"], figures[f"copy_{name}_rss_mb"] = round(took, 1), peak
        figures["copied_rows"] = json.loads(said)["rows"]
        print(f"{name}: {took:.1f} s, {peak} MB", flush=True)
    return figures


def fill(env: dict[str, str], store: Path) -> None:
    manage(env, "migrate", "-v0")
    manage(env, "create_workspace", "--slug", "team", "--name", "Team", "--owner", "a@example.com")
    manage(
        env,
        "import_stackmemory",
        str(store),
        "--workspace",
        "team",
        "--project",
        "context",
        "--json",
    )


def timed(env: dict[str, str], *command: str) -> tuple[float, int, str]:
    """Seconds, the most memory resident in MB, and the last line said."""
    began = time.perf_counter()
    with tempfile.TemporaryFile("w+") as out:
        process = subprocess.Popen([sys.executable, "manage.py", *command], env=env, stdout=out)
        _, status, used = os.wait4(process.pid, 0)
        took = time.perf_counter() - began
        out.seek(0)
        said = out.read().strip().rpartition("\n")[2]
    if status:
        raise SystemExit(f"{command}: {said}")
    return took, used.ru_maxrss >> 10, said


def tool(server: Server, name: str, *arguments: str) -> float:
    began = time.perf_counter()
    done = subprocess.run([server.bin / name, *arguments], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    return time.perf_counter() - began


def restored(server: Server, url: str, dump: Path, *, checked: bool) -> float:
    """As a superuser, who may leave references unchecked."""
    unchecked = [] if checked else ["--disable-triggers"]
    return tool(
        server, "pg_restore", "--data-only", *unchecked, "-d", as_superuser(server, url), str(dump)
    )


def empty(server: Server, url: str) -> None:
    """Tables without rows, and the months that rows will be of."""
    with psycopg.connect(as_superuser(server, url), autocommit=True) as db:
        rows = db.execute(
            "SELECT string_agg(quote_ident(relname), ', ') FROM pg_class WHERE relkind IN ('r', 'p')"
            " AND NOT relispartition AND relname ~ '^(workspaces|frames)_'"
        ).fetchone()
        assert rows
        db.execute(f"TRUNCATE {rows[0]} CASCADE")
        with psycopg.connect(server.url) as source:
            months = source.execute(
                "SELECT right(c.relname, 6) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
                " WHERE i.inhparent = 'frames_event'::regclass"
            ).fetchall()
        for (month,) in months:
            db.execute(
                "SELECT frames_event_make_month(to_date(%s, 'YYYYMM'))"
                " WHERE to_regclass('frames_event_' || %s) IS NULL",
                [month, month],
            )


def as_superuser(server: Server, url: str) -> str:
    return server.admin_url.rpartition("/")[0] + "/" + url.rpartition("/")[2]


@contextmanager
def working(server: Server, told: list[tuple[float, float]]) -> Iterator[None]:
    """Add the seconds of a processor that the block's commands took, and that the server did."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN), served(server)
    yield
    time.sleep(0.3)  # until the postmaster knows what the last of its processes took
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = sum(getattr(after, k) - getattr(before[0], k) for k in ("ru_utime", "ru_stime"))
    told.append((command, served(server) - before[1]))


def served(server: Server) -> float:
    """Of all the server's processes, those that have ended too."""
    assert server.process is not None
    postmaster = psutil.Process(server.process.pid)
    total = sum(postmaster.cpu_times()[:4])
    for process in postmaster.children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            total += sum(process.cpu_times()[:2])
    return float(total)


def check(server: Server, url: str, events: int) -> None:
    """All of them are there; the database is not needed any more."""
    with psycopg.connect(as_superuser(server, url)) as db:
        found = db.execute("SELECT count(*) FROM frames_event").fetchone()
    assert found == (events,), found
    with psycopg.connect(server.admin_url, autocommit=True) as db:
        db.execute(f'DROP DATABASE "{url.rpartition("/")[2]}" WITH (FORCE)')


def tell(figures: dict[str, Any], seconds: dict[str, list[float]], work: Work) -> None:
    median = {name: statistics.median(times) for name, times in seconds.items()}
    cpu = {name: tuple(map(statistics.median, zip(*work[name], strict=True))) for name in seconds}
    print(f"\n{'':10}{'seconds':>10}{'spread':>16}{'command':>10}{'server':>10}")
    for name, times in seconds.items():
        print(f"{name:10}{median[name]:>10.1f}{f'{min(times):.1f}–{max(times):.1f}':>16}", end="")
        print("".join(f"{each:>10.2f}" for each in cpu[name]))
        figures[f"{name}_cpu_us_per_event"] = round(sum(cpu[name]) * 1e6 / figures["events"], 1)
    figures["export_vs_pg_dump"] = round(median["export"] / median["dump"], 2)
    figures["import_vs_pg_restore"] = round(median["import"] / median["restore"], 2)
    figures["import_vs_unchecked_restore"] = round(median["import"] / median["unchecked"], 2)
    figures["export_events_per_s"] = round(figures["events"] / median["export"])
    figures["export_mb_per_s"] = round(figures["rows_mb"] / median["export"], 1)
    figures["import_mb_per_s"] = round(figures["rows_mb"] / median["import"], 1)
    figures["import_events_per_s"] = round(figures["events"] / median["import"])
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
