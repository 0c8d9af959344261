"""Telling what was done, once it is done: to whoever listens now, and to who comes back for it.

A verb says `tell(…)` where it writes. What a transaction told is written down as rows and notified
by the last statement before its commit (lib/tenancy.py), so nothing is told that did not happen,
and positions grow in the order of commits: whoever has read up to a position has missed nothing
before it. Only ids are told; a reader asks for the things, and gets what they may see.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection, transaction

from stackmemory.lib import tenancy
from stackmemory.lib.along import carry_out
from stackmemory.lib.tenancy import Waiting, still_waiting, system_scope, workspace_scope
from stackmemory.lib.uuid7 import uuid7
from workspaces.models import News

CHANNEL = "stackmemory_news"
# Whoever was away for longer looks at everything anew.
KEPT = timedelta(hours=24)
# A notification holds 8,000 bytes; so many ids are 2,000.
MOST_IDS = 50
# Of one transaction; more are told together, without the frame they are about.
MOST_MESSAGES = 40
# Heard by streams alone: somebody's rights have changed.
ACCESS = "access"


@dataclass(slots=True)
class Message:
    """One piece of news. `private_to` is the only person who may hear of it, if there is one."""

    workspace: uuid.UUID
    kind: str
    what: str
    project: uuid.UUID | None = None
    frame: uuid.UUID | None = None
    private_to: uuid.UUID | None = None
    ids: list[str] = field(default_factory=list)
    count: int = 0
    position: int = 0

    @classmethod
    def parse(cls, text: str) -> Message:
        """From a notification."""
        data = json.loads(text)
        return cls(
            uuid.UUID(data["workspace"]), data["kind"], data["what"], _uuid(data.get("project")),
            _uuid(data.get("frame")), _uuid(data.get("owner")), data["ids"], data["count"], data["id"],
        )  # fmt: skip

    def for_readers(self) -> str:
        """What a reader gets, as JSON on one line."""
        return json.dumps(
            {
                "kind": self.kind,
                "what": self.what,
                "project": self.project and str(self.project),
                "frame": self.frame and str(self.frame),
                "ids": self.ids,
                "count": self.count,
                "at": at(self.position).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            },
            separators=(",", ":"),
        )


class _Waiting(Waiting):
    """A message on its way."""

    def __init__(self, message: Message) -> None:
        self.message = message


def tell(
    workspace_id: uuid.UUID,
    kind: str,
    what: str,
    ids: Iterable[uuid.UUID] = (),
    *,
    project: uuid.UUID | None = None,
    frame: uuid.UUID | None = None,
    private_to: uuid.UUID | None = None,
) -> None:
    """Say that this was done to these; told when the scope we are in ends, if it commits."""
    all_ids = list(ids)
    named = [str(each) for each in all_ids[:MOST_IDS]]
    message = Message(
        workspace_id, kind, what, project, frame, private_to, named, max(len(all_ids), 1)
    )
    if tenancy.in_scope():
        transaction.on_commit(_Waiting(message))
    else:
        _write(workspace_id, [message])


def say_waiting() -> None:
    """Write down what the transaction has told so far."""
    by_workspace: dict[uuid.UUID, list[Message]] = {}
    for word in still_waiting(_Waiting):
        by_workspace.setdefault(word.message.workspace, []).append(word.message)
    for workspace_id in sorted(by_workspace):
        with nullcontext() if tenancy.is_about(workspace_id) else workspace_scope(workspace_id):
            _write(workspace_id, together(by_workspace[workspace_id]))


def together(messages: Sequence[Message]) -> list[Message]:
    """Those of one kind about one thing as one."""
    found = _merged(messages)
    if len(found) > MOST_MESSAGES:
        for message in found:
            message.frame = None
        found = _merged(found)
    return found


def since(workspace_id: uuid.UUID, position: int, *, most: int) -> list[Message]:
    """The next messages after a position, in order. In a scope of its own."""
    with workspace_scope(workspace_id, reading=True):
        rows = News.objects.across_workspaces().filter(workspace_id=workspace_id)
        found = rows.filter(position__gt=position).order_by("position")[:most]
        return [
            Message(
                workspace_id, row.kind, row.what, row.project_id, row.frame_id, row.owner_id,
                row.ids, row.count, row.position,
            )
            for row in found
        ]  # fmt: skip


def latest(workspace_id: uuid.UUID) -> int:
    """The position that everything up to now is before or at."""
    with workspace_scope(workspace_id, reading=True):
        rows = News.objects.across_workspaces().filter(workspace_id=workspace_id)
        last = rows.order_by("-position").values_list("position", flat=True).first()
    # A minute ago: what is being committed this moment has a later one, whoever's clock is off.
    return last or int((time.time() - 60) * 1_000_000)


def is_kept(position: int) -> bool:
    """Whether everything after a position is still there to be read."""
    return position > _oldest()


def at(position: int) -> datetime:
    return datetime.fromtimestamp(position / 1_000_000, tz=UTC)


def forget() -> None:
    """For the worker, every hour: news that nobody may ask for any more."""
    with system_scope():
        hour = timedelta(hours=1) / timedelta(microseconds=1)
        News.objects.across_workspaces().filter(position__lt=_oldest() - hour).delete()


def _oldest() -> int:
    return int((time.time() - KEPT.total_seconds()) * 1_000_000)


def _merged(messages: Sequence[Message]) -> list[Message]:
    found: dict[tuple[Any, ...], Message] = {}
    for message in messages:
        key = (message.kind, message.what, message.project, message.frame, message.private_to)
        same = found.setdefault(key, message)
        if same is not message:
            same.ids = [*same.ids, *message.ids][:MOST_IDS]
            same.count += message.count
    return list(found.values())


def _write(workspace_id: uuid.UUID, messages: Sequence[Message]) -> None:
    if connection.vendor != "postgresql":
        return _write_rows(workspace_id, messages)
    told = [
        {
            "row": str(uuid7()),
            "kind": message.kind,
            "what": message.what,
            "project": message.project and str(message.project),
            "frame": message.frame and str(message.frame),
            "owner": message.private_to and str(message.private_to),
            "ids": message.ids,
            "count": message.count,
        }
        for message in messages
    ]
    carry_out("SELECT workspaces_tell(%s, %s::jsonb)", [workspace_id, json.dumps(told)])
    return None


def _write_rows(workspace_id: uuid.UUID, messages: Sequence[Message]) -> None:
    """SQLite has one writer at a time: what it reads here stays true until it commits."""
    with transaction.atomic():
        rows = News.unscoped.filter(workspace_id=workspace_id)
        last = rows.order_by("-position").values_list("position", flat=True).first() or 0
        place = max(last, int(time.time() * 1_000_000))
        News.unscoped.bulk_create(
            News(
                workspace_id=workspace_id, position=place + number, kind=message.kind,
                what=message.what, project_id=message.project, frame_id=message.frame,
                owner_id=message.private_to, ids=message.ids, count=message.count,
            )
            for number, message in enumerate(messages, start=1)
        )  # fmt: skip


def _uuid(text: str | None) -> uuid.UUID | None:
    return uuid.UUID(text) if text else None


tenancy.last_words.append(say_waiting)
