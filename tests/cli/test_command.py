"""The command as a whole: it needs nothing, and docs/cli.md tells all of it."""

from __future__ import annotations

import argparse
import ast
import re
import subprocess
import sys
from pathlib import Path

from django.test import Client

from stackmemory.cli.main import parser

ROOT = Path(__file__).parent.parent.parent
DOC = (ROOT / "docs" / "cli.md").read_text()


def commands() -> dict[str, argparse.ArgumentParser]:
    [group] = [a for a in parser()._actions if isinstance(a, argparse._SubParsersAction)]
    return dict(group.choices)


def options(command: argparse.ArgumentParser) -> set[str]:
    return {option for action in command._actions for option in action.option_strings} - {
        "-h", "--help",
    }  # fmt: skip


def test_every_command_and_option_is_documented_and_no_other():
    known = set()
    for name, command in commands().items():
        assert f"| `{name}` |" in DOC, name
        known |= options(command)
        for option in options(command):
            assert re.search(rf"`[^`\n]*{option}\b[^`\n]*`", DOC), (name, option)
    assert set(re.findall(r"^\| `(\w+)` \|", DOC.split("## `stackmemory doctor`")[0], re.M)) == set(
        commands()
    )
    names = "|".join(commands())
    lines = re.findall(rf"(?:stackmemory (?:{names})[^`\n]*|`--[^`]+`)", DOC)
    told = {option for line in lines for option in re.findall(r"--[a-z-]+", line)}
    assert told - known == set()


def test_it_needs_nothing_but_python():
    for path in (ROOT / "stackmemory" / "cli").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            for name in names:
                assert name.startswith("stackmemory.cli") or (
                    name.split(".")[0] in sys.stdlib_module_names
                ), (path.name, name)


def test_it_runs_alone():
    """Without site-packages, so without Django and all the rest."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c",
         f"import sys; sys.path.insert(0, {str(ROOT)!r}); sys.argv = ['stackmemory', '--version'];"
         " import runpy; runpy.run_module('stackmemory.cli', run_name='__main__')"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == "0.1.0\n"


def test_a_server_hands_it_out_as_one_file(db, tmp_path):
    answer = Client().get("/connect/stackmemory.pyz")
    assert answer.status_code == 200
    assert answer["ETag"] == Client().get("/connect/stackmemory.pyz")["ETag"]
    file = tmp_path / "stackmemory.pyz"
    file.write_bytes(answer.content)
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(file), "push", "--help"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "--claude-code" in done.stdout
