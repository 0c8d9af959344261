"""Tasks' verbs: create, change status, depend; and what they add up to."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Avg, Count, F, QuerySet
from django.utils import timezone

from frames.calls import keep_revision
from frames.incoming import plain, source_id_in, text_in, texts_in
from frames.models import Frame, Project, Task
from frames.reach import by_ref, tasks_of
from frames.signals import changed
from frames.telling import tell_item
from stackmemory.lib.refusal import Conflict, NotFound, Refusal
from workspaces.actor import Actor

PRIORITIES = ("low", "medium", "high", "urgent")
OPEN = (Task.Status.PENDING, Task.Status.IN_PROGRESS, Task.Status.BLOCKED)


def create_task(
    *,
    actor: Actor,
    project: Project,
    title: str,
    description: str = "",
    priority: str = "medium",
    assignee: str = "",
    tags: Sequence[str] = (),
    depends_on: Sequence[str] = (),
    estimated_minutes: float | None = None,
    frame: Frame | None = None,
    source_id: str | None = None,
) -> tuple[Task, bool]:
    """(task, whether it was made); a known `source_id` gives the task it became."""
    actor.require("write")
    tasks = tasks_of(actor)
    source_id = source_id_in(source_id)
    if source_id is not None and (known := tasks.filter(source_id=source_id).first()):
        return known, False
    if not title.strip():
        raise Refusal("invalid", "A task needs a title.", field="title")
    if frame is not None and frame.project_id != project.pk:
        raise Refusal("invalid", "The frame is of another project.", field="frame")
    if priority not in PRIORITIES:
        raise Refusal("invalid", f"One of {', '.join(PRIORITIES)}.", field="priority")
    for ref in depends_on:
        if not tasks.filter(by_ref(ref)).exists():
            raise NotFound("task", field="depends_on")
    task = Task(
        workspace=actor.workspace, project=project, frame=frame,
        title=text_in(actor.workspace, title.strip()),
        description=text_in(actor.workspace, description), priority=priority,
        assignee=plain(assignee), tags=texts_in(actor.workspace, tags),
        depends_on=list(depends_on), estimated_minutes=estimated_minutes, source_id=source_id,
    )  # fmt: skip
    try:
        with transaction.atomic():
            task.save(force_insert=True)
    except IntegrityError:
        known = tasks.filter(source_id=source_id).first()
        if known is None:
            raise Conflict(
                "source_id_taken", "This source_id is taken by a task you may not see.",
                field="source_id",
            ) from None  # fmt: skip
        return known, False  # a rival request made it first
    changed(actor.workspace, "task", [task.pk])
    tell_item(actor.workspace, "task", "created", task)
    return task, True


def change_status(*, actor: Actor, task: Task, status: str) -> Task:
    """Move a task on. A completed task can only be cancelled, as in the local tool."""
    actor.require("write")
    if status not in Task.Status.values:
        raise Refusal("invalid", f"One of {', '.join(Task.Status.values)}.", field="status")
    if task.status == status:
        return task
    if task.status == Task.Status.COMPLETED and status != Task.Status.CANCELLED:
        raise Conflict("completed", "A completed task can only be cancelled.", field="status")
    fields = ("status", "started_at", "completed_at", "actual_minutes")
    keep_revision(actor, task, fields)
    now = timezone.now()
    if status == Task.Status.IN_PROGRESS and task.started_at is None:
        task.started_at = now
    if status == Task.Status.COMPLETED:
        task.completed_at = now
        if task.started_at is not None:
            task.actual_minutes = round((now - task.started_at) / timedelta(minutes=1), 1)
    task.status = status
    task.save(update_fields=list(fields))
    changed(actor.workspace, "task", [task.pk])
    tell_item(actor.workspace, "task", "changed", task)
    return task


def add_dependency(*, actor: Actor, task: Task, on: Task) -> Task:
    """Let `task` wait for `on`. Raises Conflict where that would make a circle."""
    actor.require("write")
    ref = str(on.pk)
    if _refs(on) & set(task.depends_on):
        return task
    if on.pk == task.pk or str(task.pk) in _waits_for(actor, on):
        raise Conflict("circle", "The other task waits for this one already.", field="depends_on")
    keep_revision(actor, task, ("depends_on",))
    task.depends_on = [*task.depends_on, ref]
    task.save(update_fields=["depends_on"])
    tell_item(actor.workspace, "task", "changed", task)
    return task


def drop_dependency(*, actor: Actor, task: Task, ref: str) -> Task:
    """Let `task` no longer wait for the task of this id, ours or its client's."""
    actor.require("write")
    on = tasks_of(actor).filter(by_ref(ref)).first()
    gone = {ref, *(_refs(on) if on else ())}
    left = [each for each in task.depends_on if str(each) not in gone]
    if left != task.depends_on:
        keep_revision(actor, task, ("depends_on",))
        task.depends_on = left
        task.save(update_fields=["depends_on"])
        tell_item(actor.workspace, "task", "changed", task)
    return task


def active_tasks(actor: Actor, project: Project | None = None) -> QuerySet[Task]:
    """Open tasks, most urgent first."""
    tasks = tasks_of(actor).filter(status__in=OPEN)
    return tasks.filter(project=project) if project else tasks


def task_metrics(actor: Actor, project: Project | None = None) -> dict[str, Any]:
    """Counts by status and priority, completion rate (0–1), mean minutes and estimate accuracy."""
    tasks = tasks_of(actor)
    if project is not None:
        tasks = tasks.filter(project=project)
    by_status = dict(tasks.order_by().values_list("status").annotate(n=Count("pk")))
    by_priority = dict(tasks.order_by().values_list("priority").annotate(n=Count("pk")))
    total, done = sum(by_status.values()), by_status.get(Task.Status.COMPLETED, 0)
    timed = tasks.filter(actual_minutes__gt=0)
    ratio = timed.filter(estimated_minutes__gt=0).aggregate(
        r=Avg(F("estimated_minutes") / F("actual_minutes"))
    )["r"]
    return {
        "total": total,
        "by_status": by_status,
        "by_priority": by_priority,
        "completion_rate": round(done / total, 3) if total else 0.0,
        "mean_minutes": timed.aggregate(m=Avg("actual_minutes"))["m"],
        "estimate_to_actual": round(ratio, 3) if ratio else None,
    }


def _refs(task: Task) -> set[str]:
    return {str(task.pk), task.source_id or str(task.pk)}


def _waits_for(actor: Actor, task: Task) -> set[str]:
    """The ids of every task that `task` waits for, directly or through others: one query."""
    rows = Task.objects.in_workspace(actor.workspace).values_list("pk", "source_id", "depends_on")
    waits: dict[str, tuple[str, list[Any]]] = {}
    for pk, source_id, depends_on in rows.iterator(chunk_size=2000):
        for name in filter(None, (str(pk), source_id)):
            waits.setdefault(name, (str(pk), depends_on))
    seen: set[str] = set()
    front = list(task.depends_on)
    while front:
        ref = str(front.pop())
        if ref not in seen:
            pk, more = waits.get(ref, (ref, []))
            seen |= {ref, pk}
            front += more
    return seen
