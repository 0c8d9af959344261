"""Whatever goes wrong on the way, as one sentence for a person."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import DatabaseError, connection
from django.utils import timezone

from frames.models import Transfer
from frames.transfer.errors import BadStore, Cancelled, TakenOver
from stackmemory.lib.blobs import Lost
from stackmemory.lib.tenancy import workspace_scope
from workspaces import news

AGAIN = "run the import again; it goes on where it stopped"


@contextmanager
def in_a_sentence() -> Iterator[None]:
    """Raise what the store, the disk or the database complain of as BadStore."""
    try:
        yield
    except sqlite3.Error as problem:
        raise BadStore(f"The store cannot be read ({_said(problem)}); copy it again.") from problem
    except DatabaseError as problem:
        said = _said(problem)
        full = "full" in said or "No space left" in said or "could not extend" in said
        mend = f"free some disk space there and {AGAIN}" if full else AGAIN
        raise BadStore(f"The workspace's database refused to go on ({said}); {mend}.") from problem
    except Lost as problem:
        raise BadStore(f"{problem.message} Then {AGAIN}.") from problem
    except PermissionError as problem:
        raise BadStore(
            f"No permission to read {problem.filename}; run the import as a user who may read it."
        ) from problem
    except OSError as problem:
        if problem.errno == errno.ENOSPC:
            raise BadStore(f"The disk is full; free some space and {AGAIN}.") from problem
        raise BadStore(f"{problem.filename or 'A file'} cannot be read: {problem.strerror}.") from (
            problem
        )


@contextmanager
def told(transfer: Transfer) -> Iterator[None]:
    """Write a failure to the transfer before it goes on up."""
    try:
        with in_a_sentence():
            yield
    except (Cancelled, TakenOver):
        raise  # as somebody wished; or the other process goes on with it
    except BadStore as problem:
        _fail(transfer, str(problem))
        raise
    except Exception as problem:
        _fail(transfer, f"Unexpected: {type(problem).__name__}: {problem}"[:500])
        raise


def _fail(transfer: Transfer, message: str) -> None:
    try:
        connection.ensure_connection()
        with workspace_scope(transfer.workspace_id):
            Transfer.objects.in_workspace(transfer.workspace).filter(pk=transfer.pk).update(
                state=Transfer.State.FAILED, error=message, finished_at=timezone.now()
            )
            news.tell(
                transfer.workspace_id, "import", "failed", [transfer.pk],
                project=transfer.project_id,
            )  # fmt: skip
    except DatabaseError:
        # The database itself is the trouble; the caller hears of the first failure all the same.
        connection.close()


def _said(problem: Exception) -> str:
    return str(problem).strip().partition("\n")[0][:200] or "no reason given"
