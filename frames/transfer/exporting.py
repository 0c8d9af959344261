"""Writing a project as a local store: the way back. The one function behind command and page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.utils import timezone

from frames.transfer.beside import Beside
from frames.transfer.errors import BadStore
from frames.transfer.local_schema import Generation
from frames.transfer.outgoing_run import Outgoing, Progress, Wanted
from frames.transfer.writing import Writer
from stackmemory.lib.tenancy import workspace_scope, workspace_snapshot
from workspaces import audit
from workspaces.models import Workspace

__all__ = ["Wanted", "export_stackmemory"]


def export_stackmemory(
    *, workspace: Workspace, wanted: Wanted, output: Path, on_progress: Progress | None = None
) -> dict[str, Any]:
    """Write the project to `output`, a new file, with what belongs beside it; return the report.

    Rows that came from a store are as they were there, save for what was changed here since.
    Raises BadStore where the file cannot be written; then none is left. What on_progress raises
    ends it the same way.
    """
    began = timezone.now()
    beside = Beside(output)
    beside.check_free()
    with workspace_scope(workspace.id):
        audit.record(
            workspace=workspace, action="export", actor=wanted.user, target=wanted.project,
            after={"format": "local store", **wanted.as_json()},
        )  # fmt: skip
    writer = _open(output, wanted.generation)
    try:
        export = Outgoing(workspace, wanted, writer, beside, on_progress)
        # As it all was at one moment, or rows would name rows that came after their table was read.
        with workspace_snapshot(workspace.id):
            export.run()
        writer.finish(full_text=export.full_text)
        companions = beside.write()
    except OSError as problem:
        _undo(writer, beside)
        raise BadStore(f"{output} cannot be written: {problem.strerror}.") from problem
    except BaseException:
        _undo(writer, beside)
        raise
    return {
        "status": "done",
        "file": str(output),
        "bytes": output.stat().st_size,
        "schema": wanted.generation,
        "rows": dict(sorted(writer.counts.items())),
        "beside": companions,
        "left_out": export.left_out,
        "lost": export.losses.told(),
        "seconds": round((timezone.now() - began).total_seconds(), 3),
    }


def _open(output: Path, generation: Generation) -> Writer:
    if not output.parent.is_dir():
        raise BadStore(f"There is no folder {output.parent}; make it first.")
    return Writer(output, generation)


def _undo(writer: Writer, beside: Beside) -> None:
    writer.abandon()
    beside.remove()
