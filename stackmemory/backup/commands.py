"""What the commands `backup`, `restore` and `verify_backup` take and say alike."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from django.conf import settings
from django.core.management.base import BaseCommand

from stackmemory.backup.errors import BadBackup

NAMED = 3


def add_options(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--key-file", type=Path, metavar="FILE", help="holds the key; else BACKUP_KEY"
    )
    parser.add_argument("--json", action="store_true", help="the report as the last line")


def key_of(options: dict[str, Any]) -> str:
    path = options["key_file"]
    try:
        return str(path.read_text().strip() if path else settings.BACKUP_KEY)
    except (OSError, UnicodeDecodeError) as problem:
        said = getattr(problem, "strerror", None) or "it is no text"
        raise BadBackup(f"{path} cannot be read ({said}).") from None


def teller(command: BaseCommand, options: dict[str, Any]) -> Callable[[str], None]:
    """Says what is being done, where no program reads it."""
    return (lambda line: None) if options["json"] else command.stderr.write


def tell(command: BaseCommand, report: dict[str, Any], options: dict[str, Any], said: str) -> None:
    """The report, for a program or in a sentence, and which objects are not there."""
    if options["json"]:
        command.stdout.write(json.dumps(report))
        return
    command.stdout.write(said)
    if missing := report["missing"]:
        one = len(missing) == 1
        command.stdout.write(
            command.style.WARNING(
                f"{len(missing):,} object{' that a row names was' if one else 's that rows name were'}"
                f" not there: {', '.join(missing[:NAMED])}{' …' if len(missing) > NAMED else ''}"
            )
        )


def refuse(command: BaseCommand, problem: BadBackup, options: dict[str, Any]) -> NoReturn:
    """Say one sentence and exit 2."""
    command.stderr.write(str(problem))
    if options["json"]:
        command.stdout.write(json.dumps({"status": "error", "error": str(problem)}))
    sys.exit(2)
