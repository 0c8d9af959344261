"""The one signal: something that can be searched was made, changed or is gone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import TYPE_CHECKING
from uuid import UUID

from django.db import transaction
from django.dispatch import Signal

if TYPE_CHECKING:
    from workspaces.models import Workspace

# Sent with workspace_id, kind ("frame", "anchor", "task", "event"; "" for anything), ids, at_once.
content_changed = Signal()
_gathered: ContextVar[dict[str, list[UUID]] | None] = ContextVar("gathered", default=None)


def changed(
    workspace: Workspace, kind: str = "", ids: Iterable[UUID] = (), *, at_once: bool = False
) -> None:
    """Tell whoever listens, once this transaction commits; nothing of the caller's fails by it.

    `at_once` marks what must not be seen as it was a moment longer: shown to the team, replaced,
    erased. No kind stands for much of everything, as after an import.
    """
    named = list(ids)
    if kind and not named:
        return
    gathered = _gathered.get()
    if gathered is not None and kind and not at_once:
        gathered.setdefault(kind, []).extend(named)
        return
    transaction.on_commit(
        partial(
            content_changed.send_robust,
            sender=type(workspace),
            workspace_id=workspace.pk,
            kind=kind,
            ids=named,
            at_once=at_once,
        ),
        robust=True,
    )


@contextmanager
def told_at_the_end(workspace: Workspace) -> Iterator[None]:
    """Tell of all that changes in the block at its end, once for each kind: listeners make a job of
    each telling, and thousands of small ones keep a queue busy for long.
    """
    gathered: dict[str, list[UUID]] = {}
    token = _gathered.set(gathered)
    try:
        yield
    finally:
        _gathered.reset(token)
    for kind, ids in gathered.items():
        changed(workspace, kind, dict.fromkeys(ids))
