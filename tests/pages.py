"""What the tests of pages share: small makers of rows, and how many queries a page makes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from frames.models import AgentSession, Anchor, Frame, Project, Task
from stackmemory.lib.uuid7 import uuid7
from workspaces.models import Workspace

MOST_QUERIES = 12
# Said to the connection about the transaction, not asked of a table.
CONTROL = ("SAVEPOINT", "RELEASE", "BEGIN", "COMMIT", "ROLLBACK", "SET ")
SCOPE = ("set_config(", "current_setting(")


@contextmanager
def few_queries(most: int = MOST_QUERIES) -> Iterator[list[str]]:
    """Fail when the block asks the database more than `most` questions."""
    asked: list[str] = []
    with CaptureQueriesContext(
        connection,
    ) as captured:
        yield asked
    asked += [
        q["sql"]
        for q in captured.captured_queries
        if not q["sql"].startswith(CONTROL) and not any(word in q["sql"][:80] for word in SCOPE)
    ]
    assert len(asked) <= most, f"{len(asked)} queries:\n" + "\n".join(asked)


def make_project(workspace: Workspace, slug: str = "shop", **fields: Any) -> Project:
    return Project.unscoped.create(
        workspace=workspace, slug=slug, **{"name": slug.title()} | fields
    )


def make_session(project: Project, **fields: Any) -> AgentSession:
    now = timezone.now()
    return AgentSession.unscoped.create(
        workspace_id=project.workspace_id,
        project=project,
        **{"started_at": now - timedelta(hours=1), "last_seen_at": now} | fields,
    )


def new_frame(project: Project, **fields: Any) -> Frame:
    """A frame, not saved yet: for bulk_create."""
    frame_id = uuid7()
    return Frame(
        id=frame_id,
        workspace_id=project.workspace_id,
        project=project,
        **{"root_id": frame_id, "name": "Some work"} | fields,
    )


def make_frame(project: Project, **fields: Any) -> Frame:
    frame = new_frame(project, **fields)
    frame.save(force_insert=True)
    return frame


def new_anchor(project: Project, **fields: Any) -> Anchor:
    return Anchor(
        workspace_id=project.workspace_id, project=project, **{"text": "Some words"} | fields
    )


def make_anchor(project: Project, **fields: Any) -> Anchor:
    anchor = new_anchor(project, **fields)
    anchor.save(force_insert=True)
    return anchor


def new_task(project: Project, **fields: Any) -> Task:
    return Task(workspace_id=project.workspace_id, project=project, **{"title": "To do"} | fields)


def ago(**amount: float) -> datetime:
    return timezone.now() - timedelta(**amount)
