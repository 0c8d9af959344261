"""The one signal: something that can be searched was made, changed or is gone."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING
from uuid import UUID

from django.db import transaction
from django.dispatch import Signal

if TYPE_CHECKING:
    from workspaces.models import Workspace

# Sent with workspace_id, kind ("frame", "anchor", "task", "event"; "" for anything), ids, at_once.
content_changed = Signal()


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
