"""How long a project keeps its events: for ever, for so many days, or until a digest says it all.

Frames, digests, anchors and tasks stay in any case; it is the events that are many and age. What stays
whatever the setting: frames with a pinned anchor, frames that a local store marked as kept for ever, and
everything of a project under legal hold.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass
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

from frames.cold import reading
from frames.cold.errors import ColdLost
from frames.cold.forgetting import let_go
from frames.models import Anchor, Event, Frame, Project
from frames.signals import changed
from frames.sweeping import forget_events, forget_unreferenced
from frames.timeline import id_range
from stackmemory.lib.blobs import Lost
from stackmemory.lib.tenancy import system_scope
from stackmemory.lib.uuid7 import FLOOR
from workspaces import audit

logger = logging.getLogger(__name__)
EVER, DAYS, DIGEST = "ever", "days", "digest"
KEPT_FRAME = "keep_forever"
DEFAULT_DAYS, EARLY_DAYS, MOST_DAYS = 365, 30, 36_500
BATCH = 1_000


@dataclass(frozen=True)
class Policy:
    """`days` count from when an event happened (DAYS), or from when its frame closed (DIGEST).

    In frames that closed with a score lower than `below`, only `early` days count.
    """

    keep: str = EVER
    days: int = DEFAULT_DAYS
    below: float = 0
    early: int = EARLY_DAYS
    hold: str = ""  # why nothing may go; empty where something may

    @classmethod
    def of(cls, project: Project) -> Policy:
        """As stored; what is stored and cannot be read keeps everything."""
        stored = project.settings.get("retention")
        stored = stored if isinstance(stored, dict) else {}
        keep, days, hold = (stored.get(name) for name in ("keep", "days", "hold"))
        below, early = stored.get("below", 0), stored.get("early", EARLY_DAYS)
        hold = hold if isinstance(hold, str) else ""
        if keep not in (DAYS, DIGEST) or not isinstance(days, int) or not _are_days(days):
            return cls(hold=hold)
        if type(below) not in (int, float) or not 0 < below <= 1 or not _are_days(early):
            below, early = 0, EARLY_DAYS
        return cls(str(keep), days, below, early, hold)

    def stored(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def takes(self) -> bool:
        """Whether anything goes by it at all."""
        return self.keep != EVER and not self.hold

    def limits(self, now: datetime) -> list[tuple[Q, datetime]]:
        """Which frames lose what lies before when; every frame is of one kind."""
        weak = Q(score__lt=self.below, closed_at__isnull=False)
        early = now - timedelta(days=min(self.early, self.days))
        found = [(~weak if self.below else Q(), now - timedelta(days=self.days))]
        found += [(weak, early)] if self.below else []
        return [(which, max(limit, FLOOR)) for which, limit in found]

    def before(self, frame: Frame, now: datetime) -> datetime:
        limits = [limit for _, limit in self.limits(now)]
        is_weak = frame.closed_at is not None and frame.score is not None
        return limits[-1] if is_weak and frame.score < self.below else limits[0]  # type: ignore[operator]


@dataclass(frozen=True)
class Preview:
    """What would go if the policy were applied now."""

    frames: int
    events: int
    oldest: datetime | None
    staying: int  # frames that would go, but for a pin
    lost: str = ""  # why not all could be counted


def preview(project: Project, policy: Policy, now: datetime | None = None) -> Preview:
    """Counted from the frames' counters; events are asked only of frames that lose a part.

    Five queries at most.
    """
    at = now or timezone.now()
    if not policy.takes:
        return Preview(0, 0, None, 0)
    lost: list[ColdLost] = []
    frames = aging(project, policy, at)
    whole = frames if policy.keep == DIGEST else frames.filter(_any(policy, at, "last_event_at"))
    summed = whole.aggregate(events=Sum("event_count"))
    found = frames.aggregate(
        first=Min("first_event_at"), frames=Count("pk"), cold=Sum("cold_count")
    )
    events = summed["events"] or 0
    if policy.keep == DAYS and found["first"]:
        latest = max(limit for _, limit in policy.limits(at))
        low, high = id_range(found["first"], latest)
        rows = Event.unscoped.filter(workspace=project.workspace_id, id__gte=low, id__lt=high)
        for which, limit in policy.limits(at):
            parted = frames.filter(which, first_event_at__lt=limit, last_event_at__gte=limit)
            events += rows.filter(frame__in=parted.values("pk"), occurred_at__lt=limit).count()
            if found["cold"]:
                ids = list(parted.filter(cold_count__gt=0).values_list("pk", flat=True))
                events += reading.count_before(project.workspace_id, ids, limit, lost.append)
    staying = _old(project, policy, at).filter(pinned()).count()
    why = lost[0].message if lost else ""
    return Preview(found["frames"], events, found["first"], staying, why)


def aging(project: Project, policy: Policy, now: datetime) -> QuerySet[Any]:
    """The frames that lose events by this policy."""
    return _old(project, policy, now).exclude(pinned())


def apply_everywhere(now: datetime | None = None) -> int:
    """For the worker, daily: let go what has aged in every project that says so."""
    with system_scope():
        projects = Project.unscoped.filter(settings__has_key="retention")
        found = list(projects.filter(workspace__deleted_at=None).select_related("workspace"))
    gone = 0
    for project in found:
        try:
            gone += apply(project, now)
        except Lost as lost:  # the others' age as ever
            logger.error("retention project=%s: %s", project.pk, lost.message)
    return gone


def apply(project: Project, now: datetime | None = None) -> int:
    """Delete the events of a project that have aged; return how many.

    In small transactions, each of which leaves counters and search in step: killed, it is simply
    run again, and a hold laid meanwhile holds from the next batch on.
    """
    at, frames = now or timezone.now(), 0
    gone = _let_cold_go(project, at)
    for number, _ in _batches(project, at):
        gone, frames = gone + number, frames + 1
    if gone:
        forget_unreferenced(project.workspace)
        with system_scope():
            audit.record(
                workspace=project.workspace, action="project.aged", target=project,
                after={"events": gone},
            )  # fmt: skip
        logger.info("events aged project=%s events=%s", project.pk, gone)
    return gone


def _let_cold_go(project: Project, now: datetime) -> int:
    """What has aged of what is in cold storage; how many events that were."""
    with system_scope():
        policy = Policy.of(Project.unscoped.get(pk=project.pk))
        if not policy.takes:
            return 0
        frames = aging(project, policy, now).filter(cold_count__gt=0)
        whole = policy.keep == DIGEST
        limits = {frame.pk: None if whole else policy.before(frame, now) for frame in frames}
    if not limits:
        return 0
    gone = let_go(project, limits)
    for start in range(0, len(gone), BATCH):
        with system_scope():
            ids = gone[start : start + BATCH]
            forget_events(project.workspace, ids)
            changed(project.workspace, "event", ids, at_once=True)
    return len(gone)


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
    limit = policy.before(frame, now)
    old = rows if policy.keep == DIGEST else rows.filter(occurred_at__lt=limit)
    found = list(old.order_by("occurred_at", "seq", "id").values_list("pk", "is_error")[:BATCH])
    ids = [pk for pk, _ in found]
    rows.filter(pk__in=ids)._raw_delete(rows.db)
    forget_events(frame.workspace, ids)
    left = rows.aggregate(first=Min("occurred_at"), last=Max("occurred_at"))
    if frame.cold_count and (cold := reading.span(frame)):
        left["first"] = min(filter(None, (left["first"], cold[0])))
        left["last"] = max(filter(None, (left["last"], cold[1])))
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
    if policy.keep == DIGEST:
        return frames.filter(_any(policy, now, "closed_at")).exclude(digest_text="")
    return frames.filter(_any(policy, now, "first_event_at"))


def _any(policy: Policy, now: datetime, name: str) -> Q:
    """That a frame's time lies before the limit that is its own."""
    found = Q()
    for which, limit in policy.limits(now):
        found |= which & Q(**{f"{name}__lt": limit})
    return found


def _are_days(value: object) -> bool:
    return type(value) is int and 1 <= value <= MOST_DAYS


def pinned() -> Q:
    pinned = Anchor.unscoped.filter(frame=OuterRef("pk"), pinned=True)
    return Q(Exists(pinned)) | Q(retention=KEPT_FRAME)


def _less(name: str, number: int) -> Any:
    return Case(When(**{f"{name}__gt": number}, then=F(name) - number), default=Value(0))
