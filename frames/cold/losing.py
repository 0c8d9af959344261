"""Giving up what the object store has lost for good: so that the rest of a month goes on without it."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

from frames.cold import store
from frames.cold.errors import ColdLost
from frames.cold.forgetting import recount
from frames.models import ArchivedPeriod, Frame, Project
from frames.partitions import next_month
from stackmemory.lib.tenancy import system_scope
from workspaces import audit

DAY = timedelta(days=1)


def give_up(project: Project, month: date | None = None) -> list[ArchivedPeriod]:
    """Forget the objects of a project that cannot be read, with the events in them; which those were.

    Counters are brought in step with what is left, in one transaction. Raises ColdLost where the
    object store does not answer, or an object of another month of these frames is lost as well.
    """
    with system_scope():
        rows = ArchivedPeriod.unscoped.filter(
            workspace=project.workspace_id, project=project, state__in=ArchivedPeriod.HOLDING
        )
        lost = [
            each for each in (rows.filter(month=month) if month else rows) if not _is_whole(each)
        ]
        if not lost:
            return []
        rows.filter(pk__in=[period.pk for period in lost]).delete()
        touched = Frame.unscoped.none()
        for each in {period.month for period in lost}:
            begun = datetime.combine(next_month(each), time(), UTC) + DAY
            ended = datetime.combine(each, time(), UTC) - DAY
            touched |= Frame.unscoped.filter(
                workspace=project.workspace_id, project=project, cold_count__gt=0,
                first_event_at__lt=begun, last_event_at__gte=ended,
            )  # fmt: skip
        for frame in sorted(set(touched.values_list("pk", flat=True))):
            recount(project.workspace_id, frame)
        audit.record(
            workspace=project.workspace, action="project.lost", target=project,
            after={"events": sum(period.events for period in lost),
                   "objects": [period.object for period in lost]},
        )  # fmt: skip
    for period in lost:
        store.delete(period.object)  # what is damaged lies there still
    return lost


def _is_whole(period: ArchivedPeriod) -> bool:
    try:
        store.read(period)
    except ColdLost as lost:
        if lost.is_passing:
            raise
        return False
    return True
