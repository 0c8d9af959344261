"""How long a project keeps its events: for ever, for so many days, or until a digest says it all.

Frames, digests, anchors and tasks stay in any case; it is the events that are many and age. What stays
whatever the setting: frames with a pinned anchor, frames that a local store marked as kept for ever, and
everything of a project under legal hold.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import (
    Case,
    Count,
    Exists,
    F,
    Max,
    Min,
    OuterRef,
    Q,
    QuerySet,
    Sum,
    Value,
    When,
)
from django.utils import timezone

from frames.models import Anchor, Event, Frame, Project
from frames.signals import changed
from frames.timeline import id_range
from stackmemory.lib.tenancy import system_scope
from stackmemory.lib.uuid7 import FLOOR
from workspaces import audit

logger = logging.getLogger(__name__)
EVER, DAYS, DIGEST = "ever", "days", "digest"
KEPT_FRAME = "keep_forever"
DEFAULT_DAYS, MOST_DAYS = 365, 36_500
BATCH = 1_000


@dataclass(frozen=True)
class Policy:
    """`days` count from when an event happened (DAYS), or from when its frame closed (DIGEST)."""

    keep: str = EVER
    days: int = DEFAULT_DAYS
    hold: str = ""  # why nothing may go; empty where something may

    @classmethod
    def of(cls, project: Project) -> Policy:
        """As stored; what is stored and cannot be read keeps everything."""
        stored = project.settings.get("retention")
        stored = stored if isinstance(stored, dict) else {}
        keep, days, hold = (stored.get(name) for name in ("keep", "days", "hold"))
        hold = hold if isinstance(hold, str) else ""
        if keep in (DAYS, DIGEST) and type(days) is int and 1 <= days <= MOST_DAYS:
            return cls(str(keep), days, hold)
        return cls(hold=hold)

    def stored(self) -> dict[str, Any]:
        return {"keep": self.keep, "days": self.days, "hold": self.hold}

    @property
    def takes(self) -> bool:
        """Whether anything goes by it at all."""
        return self.keep != EVER and not self.hold

    def before(self, now: datetime) -> datetime:
        return max(now - timedelta(days=self.days), FLOOR)


@dataclass(frozen=True)
class Preview:
    """What would go if the policy were applied now."""

    frames: int
    events: int
    oldest: datetime | None
    newest: datetime | None
    staying: int  # frames that would go, but for a pin


def preview(project: Project, policy: Policy, now: datetime | None = None) -> Preview:
    """Counted from the frames' counters; events are asked only of frames that lose a part. 4 queries at most."""
    at = now or timezone.now()
    if not policy.takes:
        return Preview(0, 0, None, None, 0)
    limit = policy.before(at)
    frames = aging(project, policy, at)
    whole = frames if policy.keep == DIGEST else frames.filter(last_event_at__lt=limit)
    summed = whole.aggregate(events=Sum("event_count"))
    found = frames.aggregate(
        first=Min("first_event_at"), last=Max("last_event_at"), frames=Count("pk")
    )
    events = summed["events"] or 0
    last = found["last"]
    if policy.keep == DAYS and found["first"]:
        parted = frames.filter(last_event_at__gte=limit)
        low, high = id_range(found["first"], limit)
        rows = Event.unscoped.filter(workspace=project.workspace_id, occurred_at__lt=limit)
        rows = rows.filter(id__gte=low, id__lt=high)
        events += rows.filter(frame__in=parted.values("pk")).count()
        last = min(last, limit)
    staying = _old(project, policy, at).filter(_pinned()).count()
    return Preview(found["frames"], events, found["first"], last, staying)


def aging(project: Project, policy: Policy, now: datetime) -> QuerySet[Any]:
    """The frames that lose events by this policy."""
    return _old(project, policy, now).exclude(_pinned())


def apply_everywhere(now: datetime | None = None) -> int:
    """For the worker, daily: let go what has aged in every project that says so."""
    with system_scope():
        projects = Project.unscoped.filter(settings__has_key="retention")
        found = list(projects.filter(workspace__deleted_at=None).select_related("workspace"))
    return sum(apply(project, now) for project in found)


def apply(project: Project, now: datetime | None = None) -> int:
    """Delete the events of a project that have aged; return how many.

    In small transactions, each of which leaves counters and search in step: killed, it is simply
    run again, and a hold laid meanwhile holds from the next batch on.
    """
    at, gone, frames = now or timezone.now(), 0, 0
    for number, _ in _batches(project, at):
        gone, frames = gone + number, frames + 1
    if gone:
        with system_scope():
            audit.record(
                workspace=project.workspace, action="project.aged", target=project,
                after={"events": gone},
            )  # fmt: skip
        logger.info("events aged project=%s events=%s", project.pk, gone)
    return gone


def _batches(project: Project, now: datetime) -> Iterator[tuple[int, uuid.UUID]]:
    """(events deleted, frame), one transaction each."""
    after: uuid.UUID | None = None
    while True:
        with system_scope():
            policy = Policy.of(Project.unscoped.get(pk=project.pk))
            if not policy.takes:
                return
            frames = aging(project, policy, now).order_by("pk")
            frame = (frames.filter(pk__gt=after) if after else frames).first()
            if frame is None:
                return
            number = _shorten(frame, policy, now)
        if number < BATCH:
            after = frame.pk
        if number:
            yield number, frame.pk


def _shorten(frame: Frame, policy: Policy, now: datetime) -> int:
    """Delete up to BATCH of the frame's oldest events, and count what is left."""
    Frame.unscoped.select_for_update().get(pk=frame.pk)  # whoever appends counts there, too
    rows = Event.unscoped.filter(workspace=frame.workspace_id, frame=frame.pk)
    old = rows if policy.keep == DIGEST else rows.filter(occurred_at__lt=policy.before(now))
    found = list(old.order_by("occurred_at", "seq", "id").values_list("pk", "is_error")[:BATCH])
    ids = [pk for pk, _ in found]
    rows.filter(pk__in=ids)._raw_delete(rows.db)
    left = rows.aggregate(first=Min("occurred_at"), last=Max("occurred_at"))
    counters = Frame.unscoped.filter(pk=frame.pk)
    counters.update(
        event_count=_less("event_count", len(found)),
        error_count=_less("error_count", sum(is_error for _, is_error in found)),
        first_event_at=left["first"],
        last_event_at=left["last"],
    )
    if left["first"] is None:
        counters.update(event_count=0, error_count=0)
    changed(frame.workspace, "event", ids, at_once=True)
    return len(found)


def _old(project: Project, policy: Policy, now: datetime) -> QuerySet[Any]:
    frames = Frame.unscoped.filter(project=project, workspace=project.workspace_id)
    frames = frames.filter(event_count__gt=0)
    limit = policy.before(now)
    if policy.keep == DIGEST:
        return frames.filter(closed_at__lt=limit).exclude(digest_text="")
    return frames.filter(first_event_at__lt=limit)


def _pinned() -> Q:
    pinned = Anchor.unscoped.filter(frame=OuterRef("pk"), pinned=True)
    return Q(Exists(pinned)) | Q(retention=KEPT_FRAME)


def _less(name: str, number: int) -> Any:
    return Case(When(**{f"{name}__gt": number}, then=F(name) - number), default=Value(0))
