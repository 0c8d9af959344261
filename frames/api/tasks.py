"""Tasks: what is to be done, and what it waits for."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from django.http import HttpRequest
from django.urls import reverse
from ninja import Path, Query, Router
from pydantic import BaseModel, Field

from frames.models import Task
from frames.reach import find_frame, find_project, find_task, tasks_of
from frames.tasking import (
    OPEN,
    add_dependency,
    change_status,
    create_task,
    drop_dependency,
    task_metrics,
)
from stackmemory.lib.contract import (
    In,
    Line,
    Listed,
    Out,
    Paging,
    Ref,
    SourceId,
    Wanted,
    absolute,
    actor_of,
    page,
)
from stackmemory.lib.operations import permits
from stackmemory.lib.refusal import Conflict

router = Router(tags=["Tasks"])


class NewTask(In):
    title: str = Field(min_length=1, max_length=2000)
    description: str = Field("", max_length=100_000)
    priority: Literal["low", "medium", "high", "urgent"] = "medium"
    project: Line = Field(
        "", description="Slug or id; may be left out with a frame, or where there is just one."
    )
    frame: Ref | None = Field(None, description="The frame it came up in.")
    assignee: Line = ""
    tags: list[Line] = Field([], max_length=50)
    depends_on: list[Ref] = Field([], max_length=100, description="Tasks to be done before it.")
    estimated_minutes: float | None = Field(None, ge=0, le=1e6, allow_inf_nan=False)
    source_id: SourceId | None = None


class NewStatus(In):
    status: Literal["pending", "in_progress", "blocked", "completed", "cancelled"]


class NewDependency(In):
    on: Ref = Field(description="The task to be done before this one.")


class TaskFilter(Paging):
    project: Wanted = Field("", description="Only of this project (slug or id).")
    frame: Wanted = Field("", description="Only of this frame.")
    status: Wanted = Field("", description="Only of this status; open: those still to be done.")
    assignee: Wanted = Field("", description="Only of this person.")


class MetricsFilter(BaseModel):
    project: Wanted = Field("", description="Only of this project (slug or id).")


class TaskOut(Out):
    id: str
    source_id: str | None
    project: str
    frame: str | None
    title: str
    description: str
    status: str
    priority: str
    assignee: str
    tags: Any
    depends_on: Any = Field(description="Ids, ours or their clients’, as they were given.")
    estimated_minutes: float | None
    actual_minutes: float | None
    opened_at: datetime
    started_at: datetime | None
    completed_at: datetime | None
    url: str = Field(description="The page it is on, for people.")


class Metrics(Out):
    total: int
    by_status: dict[str, int]
    by_priority: dict[str, int]
    completion_rate: float = Field(description="Completed ones, of all: 0 to 1.")
    mean_minutes: float | None = Field(description="From start to completion.")
    estimate_to_actual: float | None = Field(description="1 is a good guess, 2 twice too long.")


@router.post("/tasks", response={201: TaskOut, 200: TaskOut}, summary="Create a task")
@permits("write")
def post_task(request: HttpRequest, body: NewTask) -> Any:
    """201 with a new task; 200 with the one this `source_id` became before."""
    actor = actor_of(request)
    frame = find_frame(actor, body.frame) if body.frame else None
    project = frame.project if frame and not body.project else find_project(actor, body.project)
    given = body.model_dump(exclude={"frame", "project"})
    task, made = create_task(actor=actor, project=project, frame=frame, **given)
    return 201 if made else 200, task_out(actor, task)


@router.get("/tasks", response=Listed[TaskOut], summary="List tasks")
@permits("read")
def list_tasks(request: HttpRequest, filters: Query[TaskFilter]) -> Any:
    """The newest first."""
    actor = actor_of(request)
    tasks = tasks_of(actor).select_related("project").defer("source", "external")
    if filters.project:
        tasks = tasks.filter(project=find_project(actor, filters.project))
    if filters.frame:
        tasks = tasks.filter(frame=find_frame(actor, filters.frame))
    if filters.status == "open":
        tasks = tasks.filter(status__in=OPEN)
    elif filters.status:
        tasks = tasks.filter(status=filters.status)
    if filters.assignee:
        tasks = tasks.filter(assignee=filters.assignee)
    return page(filters, tasks, ("-opened_at", "-id"), lambda row: task_out(actor, row))


@router.get(
    "/tasks/metrics",
    response=Metrics,
    summary="Get metrics of tasks",
    operation_id="get_task_metrics",
)
@permits("read")
def get_metrics(request: HttpRequest, filters: Query[MetricsFilter]) -> Any:
    """Counts, completion rate, mean time, and how well it was estimated."""
    actor = actor_of(request)
    project = find_project(actor, filters.project) if filters.project else None
    return Metrics(**task_metrics(actor, project))


@router.get("/tasks/{task}", response=TaskOut, summary="Get a task")
@permits("read")
def get_task(request: HttpRequest, task: Path[Ref]) -> Any:
    actor = actor_of(request)
    return task_out(actor, find_task(actor, task))


@router.post("/tasks/{task}/status", response=TaskOut, summary="Change a task’s status")
@permits("write")
def post_status(request: HttpRequest, task: Path[Ref], body: NewStatus) -> Any:
    """Notes when it was begun and completed. A completed task can only be cancelled (409)."""
    actor = actor_of(request)
    found = find_task(actor, task)
    return task_out(actor, change_status(actor=actor, task=found, status=body.status))


@router.post(
    "/tasks/{task}/dependencies",
    response=TaskOut,
    summary="Let a task wait for another",
    operation_id="add_dependency",
)
@permits("write")
def post_dependency(request: HttpRequest, task: Path[Ref], body: NewDependency) -> Any:
    """409 if the other one waits for this one already."""
    actor = actor_of(request)
    found, on = find_task(actor, task), find_task(actor, body.on, field="on")
    try:
        return task_out(actor, add_dependency(actor=actor, task=found, on=on))
    except Conflict as refusal:
        refusal.field = "on"  # as it is called here
        raise


@router.delete(
    "/tasks/{task}/dependencies/{on}",
    response=TaskOut,
    summary="Let a task no longer wait",
    operation_id="drop_dependency",
)
@permits("write")
def delete_dependency(request: HttpRequest, task: Path[Ref], on: Path[Ref]) -> Any:
    """Nothing changes if it did not wait for that one."""
    actor = actor_of(request)
    return task_out(actor, drop_dependency(actor=actor, task=find_task(actor, task), ref=on))


def task_out(actor: Any, task: Task) -> TaskOut:
    return TaskOut(
        id=str(task.pk),
        source_id=task.source_id,
        project=task.project.slug,
        frame=str(task.frame_id) if task.frame_id else None,
        title=task.title,
        description=task.description,
        status=task.status,
        priority=task.priority,
        assignee=task.assignee,
        tags=task.tags,
        depends_on=task.depends_on,
        estimated_minutes=task.estimated_minutes,
        actual_minutes=task.actual_minutes,
        opened_at=task.opened_at,
        started_at=task.started_at,
        completed_at=task.completed_at,
        url=absolute(reverse("frames:tasks", args=[actor.workspace.slug])),
    )
