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

from stackmemory.lib import tenancy

if TYPE_CHECKING:
    from workspaces.models import Workspace

# Sent with workspace_id, kind ("frame", "anchor", "task", "event"; "" for anything), ids, at_once.
content_changed = Signal()
_gathered: ContextVar[dict[str, list[UUID]] | None] = ContextVar("gathered", default=None)


def changed(
    workspace: Workspace, kind: str = "", ids: Iterable[UUID] = (), *, at_once: bool = False
) -> None:
    """Tell whoever listens, at the end of the scope we are in: what they note down is part of its
    transaction. Of one kind they are told once.

    `at_once` marks what must not be seen as it was a moment longer: shown to the team, replaced,
    erased. That is told after the commit, and nothing of the caller's fails by it. No kind stands
    for much of everything, as after an import.
    """
    named = list(ids)
    if kind and not named:
        return
    gathered = _gathered.get()
    if gathered is not None and kind and not at_once:
        gathered.setdefault(kind, []).extend(named)
        return
    if tenancy.in_scope() and not at_once:
        transaction.on_commit(_Waiting(workspace, kind, named))
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


class _Waiting(tenancy.Waiting):
    """Something to be told."""

    def __init__(self, workspace: Workspace, kind: str, ids: list[UUID]) -> None:
        self.workspace, self.kind, self.ids = workspace, kind, ids


def tell_waiting() -> None:
    """Tell what has changed in the transaction so far."""
    found: dict[tuple[UUID, str], tuple[Workspace, list[UUID]]] = {}
    for word in tenancy.still_waiting(_Waiting):
        key = (word.workspace.pk, word.kind)
        found.setdefault(key, (word.workspace, []))[1].extend(word.ids)
    for (_, kind), (workspace, ids) in found.items():
        content_changed.send(
            sender=type(workspace),
            workspace_id=workspace.pk,
            kind=kind,
            ids=list(dict.fromkeys(ids)),
            at_once=False,
        )


# Before the news, which others wait for from there to the commit.
tenancy.last_words.insert(0, tell_waiting)


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
