"""Telling the workspace what was done with frames and what hangs on them: to those who may see it."""

from __future__ import annotations

import uuid
from collections.abc import Iterable

from frames.models import Anchor, Frame, Task
from workspaces import news
from workspaces.models import Workspace


def tell_frames(workspace: Workspace, what: str, frames: Iterable[Frame]) -> None:
    """`frame` of the news is the one they hang below."""
    for frame in frames:
        if (private_to := audience(frame)) is not NOBODY:
            news.tell(
                workspace.pk, "frame", what, [frame.pk], project=frame.project_id,
                frame=frame.parent_id, private_to=private_to,
            )  # fmt: skip


def tell_events(workspace: Workspace, frame: Frame, ids: Iterable[uuid.UUID]) -> None:
    """Events were appended to a frame."""
    if (private_to := audience(frame)) is not NOBODY:
        news.tell(
            workspace.pk, "event", "appended", ids, project=frame.project_id, frame=frame.pk,
            private_to=private_to,
        )  # fmt: skip


def tell_item(workspace: Workspace, kind: str, what: str, item: Anchor | Task) -> None:
    """Something was done with an anchor or a task, which may be of a frame."""
    private_to = audience(item.frame) if item.frame is not None else None
    if private_to is not NOBODY:
        news.tell(
            workspace.pk, kind, what, [item.pk], project=item.project_id, frame=item.frame_id,
            private_to=private_to,
        )  # fmt: skip


# Whom a private frame is left to when its owner is gone.
NOBODY = uuid.UUID(int=0)


def audience(frame: Frame) -> uuid.UUID | None:
    """The only person who may hear of a frame; None for the whole team."""
    if frame.visibility != Frame.Visibility.PRIVATE:
        return None
    return frame.owner_id or NOBODY
