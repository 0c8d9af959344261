"""A lost database comes back, two ways, timed; and with the right rows, or this fails.

First `backup`, `verify_backup` and `restore` beside pg_dump alone. Then pg_basebackup and archived WAL:
rows are written, the time is noted, everything is deleted "by mistake", the server is killed, and a
second one recovers to the noted time.
"""

from __future__ import annotations

import argparse
import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from bench.serving import ROOT, environment
from tests.postgres import Server

FILL = """
import django; django.setup()
import sys
from pathlib import Path
from django.db import transaction
from stackmemory.lib.tenancy import as_owner
from tests.moving.teams import make_team
with as_owner(), transaction.atomic():
    make_team("team", Path(sys.argv[1]))
"""
# Events like one that is there, of this month, each with a payload of its own.
MORE = """
INSERT INTO frames_event (id, workspace_id, frame_id, session_id, created_at, seq, type, payload,
    occurred_at, tool, is_error, redactions)
SELECT uuidv7(), workspace_id, frame_id, session_id, now(), 1000 + n, type,
    json_build_object('text', (SELECT string_agg(md5(n::text || m), ' ') FROM generate_series(1, 15) m)),
    now(), tool, is_error, redactions
FROM (SELECT * FROM frames_event LIMIT 1) e, generate_series(1, %s) n
"""
COUNT = "SELECT count(*), sum(hashtextextended(e::text, 0)::numeric) FROM frames_event e"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--events", type=int, default=200_000)
    events = parser.parse_args().events
    home = Path(tempfile.mkdtemp(prefix="sm-recovery-"))
    wal = home / "wal"
    wal.mkdir()
    home.chmod(0o755)
    archive = f"test ! -f {wal}/%f && cp %p {wal}/%f"
    server = Server(fsync=True, settings={"archive_mode": "on", "archive_command": archive})
    if server.user:
        os.chown(wal, pwd.getpwnam(server.user).pw_uid, -1)
    try:
        told = {"events": events, **ours(server, home, events), **to_a_point(server, home, wal)}
        print(json.dumps(told, indent=1))
    finally:
        server.close()
        shutil.rmtree(home, ignore_errors=True)


def ours(server: Server, home: Path, events: int) -> dict[str, object]:
    settings = environment(server.url, home / "var")
    manage(settings, "migrate", "-v0")
    python(settings, "-c", FILL, str(home))
    with psycopg.connect(owner_url(server)) as db:
        db.execute(MORE, [events])
    key = {"BACKUP_KEY": "k" * 44}
    with timed() as dumping:
        run(server.bin / "pg_dump", "-Fc", "-f", home / "alone.dump", server.url)
    with timed() as plain:
        manage(settings, "backup", "--to", str(home / "plain"))
    with timed() as backing_up:
        manage(settings | key, "backup", "--to", str(home / "kept"))
    with timed() as verifying:
        manage(settings | key, "verify_backup", str(home / "kept"))
    new = settings | key | {"DATABASE_URL": server.create_database("restored")}
    with timed() as restoring:
        manage(new, "restore", str(home / "kept"))
    size = sum(path.stat().st_size for path in (home / "kept").iterdir())
    return {
        "dump_mb": round((home / "alone.dump").stat().st_size / 1e6, 1),
        "backup_mb": round(size / 1e6, 1),
        "pg_dump_s": dumping[0],
        "backup_s": plain[0],
        "backup_encrypted_s": backing_up[0],
        "verify_backup_s": verifying[0],
        "restore_s": restoring[0],
    }


def to_a_point(server: Server, home: Path, wal: Path) -> dict[str, object]:
    base = home / "base"
    superuser = owner_url(server).rpartition("/")[0] + "/postgres"
    with timed() as copying:
        run(server.bin / "pg_basebackup", "-D", base, "-d", superuser, "--checkpoint=fast")
    with timed() as checking:
        run(server.bin / "pg_verifybackup", base)
    with psycopg.connect(owner_url(server), autocommit=True) as db:
        db.execute(MORE, [20_000])
        expected = db.execute(COUNT).fetchone()
        (moment,) = db.execute("SELECT clock_timestamp()::text").fetchone() or ("",)
        time.sleep(0.2)
        db.execute("TRUNCATE frames_event")  # the mistake
        (last,) = db.execute("SELECT pg_walfile_name(pg_switch_wal())").fetchone() or ("",)
    while not (wal / last).exists():
        time.sleep(0.1)
    assert server.process is not None
    os.killpg(server.process.pid, signal.SIGKILL)
    server.process.wait()
    server.process = None

    # What docs/backup.md says, step by step.
    with timed() as recovering:
        shutil.rmtree(server.data)
        base.rename(server.data)
        with (server.data / "postgresql.auto.conf").open("a") as conf:
            conf.write(
                f"restore_command = 'cp {wal}/%f %p'\nrecovery_target_time = '{moment}'\n"
                "recovery_target_action = 'promote'\n"
            )
        (server.data / "recovery.signal").touch()
        own(server)
        server.start()
        while recovering_still(server):
            time.sleep(0.05)
    with psycopg.connect(owner_url(server)) as db:
        found = db.execute(COUNT).fetchone()
    assert found == expected, (found, expected)
    return {
        "pg_basebackup_s": copying[0],
        "pg_verifybackup_s": checking[0],
        "recovery_to_a_point_s": recovering[0],
        "wal_files": len(list(wal.iterdir())),
        "events_after_recovery": found[0],  # type: ignore[index]
    }


def recovering_still(server: Server) -> bool:
    with psycopg.connect(server.admin_url, autocommit=True) as db:
        return bool((db.execute("SELECT pg_is_in_recovery()").fetchone() or (True,))[0])


def own(server: Server) -> None:
    if server.user:
        uid = pwd.getpwnam(server.user).pw_uid
        for path in [server.data, *server.data.rglob("*")]:
            os.chown(path, uid, -1, follow_symlinks=False)
    server.data.chmod(0o700)


def owner_url(server: Server) -> str:
    return server.admin_url.rpartition("/")[0] + "/" + server.url.rpartition("/")[2]


def manage(settings: dict[str, str], *command: str) -> None:
    python(settings, "manage.py", *command)


def python(settings: dict[str, str], *arguments: str) -> None:
    run(sys.executable, *arguments, env=settings | {"JOBS_IN_PROCESS": "0"})


def run(*command: object, env: dict[str, str] | None = None) -> None:
    done = subprocess.run(
        [str(word) for word in command], cwd=ROOT, env=env, capture_output=True, text=True
    )
    if done.returncode:
        sys.exit(f"{command[0]}: {done.stdout}{done.stderr}")


@contextmanager
def timed() -> Iterator[list[float]]:
    began, took = time.perf_counter(), [0.0]
    yield took
    took[0] = round(time.perf_counter() - began, 1)


if __name__ == "__main__":
    main()
