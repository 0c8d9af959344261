"""Run as a program: import a store again and again, each time killed at the SQL statement named.

    python -m tests.killed_imports PATH SLUG 120 40 900 …

The last run is left alone; its report is the last line. Batches are small, so that there are many
of them to be killed in.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import django

django.setup()

from django.db import connection  # noqa: E402

from frames.transfer import importing, keeping, remembering, stacks, tasks, timeline  # noqa: E402
from frames.transfer.run import chunks  # noqa: E402
from stackmemory.lib.tenancy import system_scope  # noqa: E402
from workspaces.models import Workspace  # noqa: E402


def small_chunks(rows: Any, **_: Any) -> Any:
    return chunks(rows, most=23)


def main(path: str, slug: str, *points: str) -> None:
    with system_scope():
        for each in (slug, "twice"):
            Workspace.objects.get_or_create(slug=each, defaults={"name": each})
    connection.close()  # children do not share it
    stacks.BATCH = 17
    for module in (keeping, remembering, tasks, timeline):
        module.chunks = small_chunks
    for point in points:
        child = os.fork()
        if child == 0:
            run(path, slug, die_at=int(point))
            os._exit(0)
        os.waitpid(child, 0)
    print(json.dumps(run(path, slug)))


def run(path: str, slug: str, die_at: int = 0) -> dict[str, Any]:
    seen = 0

    def count(execute: Any, sql: Any, params: Any, many: Any, context: Any) -> Any:
        nonlocal seen
        seen += 1
        if seen == die_at:
            os.kill(os.getpid(), signal.SIGKILL)
        return execute(sql, params, many, context)

    def end(*arguments: Any) -> None:
        nonlocal total
        total = seen
        importing_end(*arguments)

    # What follows the end of an import (indexing, say) is not the import's.
    total, importing_end = 0, importing._end
    importing._end = end
    workspace = Workspace.objects.get(slug=slug)
    with connection.execute_wrapper(count):
        options = importing.Options()
        report = importing.import_stackmemory(workspace=workspace, path=Path(path), options=options)
    importing._end = importing_end
    return report | {"statements": total}


if __name__ == "__main__":
    main(*sys.argv[1:])
