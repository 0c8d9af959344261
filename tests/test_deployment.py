"""The image's roles and what it is served with, as far as they can be run without Docker."""

from __future__ import annotations

import os
import runpy
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ENTRYPOINT = ROOT / "stackmemory" / "entrypoint.sh"


@pytest.fixture
def role(tmp_path):
    """role("web") is the command line that a container with this command becomes."""
    stub = tmp_path / "python"
    stub.write_text('#!/bin/sh\necho "$PWD: python $*"\n')
    stub.chmod(0o755)

    def run(*command: str) -> str:
        path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
        done = subprocess.run(
            [ENTRYPOINT, *command], env={"PATH": path}, cwd="/", capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        folder, _, line = done.stdout.strip().partition(": ")
        assert folder == str(ROOT)
        return line

    return run


WEB = "python -m gunicorn -c python:stackmemory.serving stackmemory.asgi"


@pytest.mark.parametrize(
    ("command", "line"),
    [
        ([], WEB),
        (["web"], WEB),
        (["worker"], "python manage.py qcluster"),
        (["all"], "python manage.py serve"),
        (["migrate"], "python manage.py migrate"),
        (["create_workspace", "--name", "A b"], "python manage.py create_workspace --name A b"),
        (["python", "-V"], "python -V"),
    ],
)
def test_the_command_is_the_role(role, command, line):
    assert role(*command) == line


def test_the_web_listens_where_the_host_says(monkeypatch):
    monkeypatch.setenv("PORT", "4321")
    monkeypatch.setenv("HOST", "[::]")
    monkeypatch.setenv("WEB_CONCURRENCY", "5")
    serving = runpy.run_path(str(ROOT / "stackmemory" / "serving.py"))
    assert (serving["bind"], serving["workers"]) == ("[::]:4321", 5)
    assert serving["worker_class"] == "stackmemory.lib.even.EvenWorker"


def test_the_image_runs_as_nobody_in_particular_from_locked_packages():
    lines = (ROOT / "Dockerfile").read_text()
    assert "\nUSER stackmemory\n" in lines
    assert "--require-hashes" in lines
    assert "HEALTHCHECK" in lines


def test_no_requirement_is_unlocked_or_names_an_index():
    for name in ("base.txt", "dev.txt"):
        text = (ROOT / "requirements" / name).read_text()
        assert "://" not in text.replace("# via", "")
        pins = [line for line in text.splitlines() if "==" in line]
        assert len(pins) > 20
        assert text.count("--hash=sha256:") >= len(pins)
