"""Tools for what is to be done."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from django.db.models import Case, IntegerField, Q, Value, When
from msgspec import Meta

from frames import tasking
from frames.appending import EventIn, append_batch
from frames.models import Frame, Task
from frames.reach import find_task
from stackmemory.lib.refusal import NotFound, Refusal
from stackmemory.mcp.call import Call
from stackmemory.mcp.params import CURSOR, IN_PROJECT, IN_SESSION, SOURCE_ID
from stackmemory.mcp.shapes import Shape, TaskShape, listed, one_line, shorter, task_shape
from stackmemory.mcp.tool import Given, tool

TASK = Annotated[
    str,
    Meta(
        description="The task: our id (e.g. “019a5d2e-…”) or your own `source_id`.", max_length=500
    ),
]
# 4 is the most urgent; what a store calls otherwise comes last.
RANKS = {name: n for n, name in enumerate(tasking.PRIORITIES, start=1)}
RANK = Case(
    *(When(priority=name, then=Value(n)) for name, n in RANKS.items()),
    default=Value(0),
    output_field=IntegerField(),
)


class CreateTask(Given, kw_only=True):
    title: Annotated[str, Meta(min_length=1, max_length=500)]
    description: Annotated[str, Meta(max_length=20_000)] = ""
    priority: Literal["low", "medium", "high", "urgent"] = "medium"
    estimated_minutes: (
        Annotated[float, Meta(description="How long it should take.", ge=0, le=1_000_000)] | None
    ) = None
    depends_on: Annotated[
        list[str], Meta(description="Tasks it waits for, by id.", max_length=100)
    ] = []
    tags: Annotated[list[Annotated[str, Meta(max_length=100)]], Meta(max_length=20)] = []
    assignee: Annotated[str, Meta(description="A name or an e-mail address.", max_length=254)] = ""
    frame: Annotated[
        str,
        Meta(
            description="The frame it comes from. Left out: the one on top of your session’s stack,"
            " if one is open.",
            max_length=500,
        ),
    ] = ""
    source_id: SOURCE_ID = ""
    session: IN_SESSION = ""
    project: IN_PROJECT = ""


class Created(Shape, kw_only=True):
    task: TaskShape
    # False where the source_id was known: this is the task it became.
    made: bool


@tool(title="Create a task")
def create_task(call: Call, given: CreateTask) -> tuple[Created, str]:
    """Note something that is to be done, now or later, by anybody."""
    frame = (
        call.named_frame(given.frame)
        if given.frame
        else call.top_frame(project=given.project, session=given.session)
    )
    project = frame.project if frame else call.project(given.project, session=given.session)
    task, made = tasking.create_task(
        actor=call.actor,
        project=project,
        title=given.title,
        description=given.description,
        priority=given.priority,
        assignee=given.assignee,
        tags=given.tags,
        depends_on=given.depends_on,
        estimated_minutes=given.estimated_minutes,
        frame=frame,
        source_id=given.source_id or None,
    )
    words = "Created" if made else "This source_id is known: it is"
    return Created(task=task_shape(task), made=made), f"{words} task {task.pk} {_said(task)}"


class UpdateTaskStatus(Given, kw_only=True):
    task: TASK
    status: Literal["pending", "in_progress", "blocked", "completed", "cancelled"]
    reason: Annotated[
        str,
        Meta(description="Why; kept as an event in the task’s frame.", max_length=10_000),
    ] = ""
    session: IN_SESSION = ""
    project: IN_PROJECT = ""


class Updated(Shape, kw_only=True):
    task: TaskShape
    before: str
    # The event that holds the reason.
    event: str | None = None


@tool(title="Change a task's status", idempotent=True)
def update_task_status(call: Call, given: UpdateTaskStatus) -> tuple[Updated, str]:
    """Move a task on. A completed task can only be cancelled."""
    task = _task(call, given.task)
    before = task.status
    tasking.change_status(actor=call.actor, task=task, status=given.status)
    event = None
    words = f"Task {task.pk} {_said(task)}; before: {before}."
    if given.reason and before != task.status:
        frame = task.frame or call.top_frame(project=given.project, session=given.session)
        event = _note(call, frame, task, before, given.reason) if frame else None
        if event is None:
            words += " There is no frame to keep the reason in: neither the task’s nor an open one."
    return Updated(task=task_shape(task), before=before, event=event), words


def _note(call: Call, frame: Frame, task: Task, before: str, reason: str) -> str:
    """Keep why a status changed."""
    payload = {
        "text": reason,
        "task_id": str(task.pk),
        "title": task.title,
        "from": before,
        "to": task.status,
    }
    event = EventIn(frame=str(frame.pk), type="task_status", payload=payload)
    return str(append_batch(actor=call.actor, events=[event])[0].id)


class GetActiveTasks(Given, kw_only=True):
    status: Annotated[
        Literal["any", "pending", "in_progress", "blocked"], Meta(description="Only these.")
    ] = "any"
    priority: Literal["any", "low", "medium", "high", "urgent"] = "any"
    search: Annotated[
        str, Meta(description="Only with these words in the title.", max_length=200)
    ] = ""
    frame: Annotated[str, Meta(description="Only of this frame.", max_length=500)] = ""
    project: IN_PROJECT = ""
    limit: Annotated[int, Meta(ge=1, le=100)] = 20
    cursor: CURSOR = ""


class TaskList(Shape, kw_only=True):
    tasks: list[TaskShape]
    next: str | None = None


@tool(title="List open tasks", read=True)
def get_active_tasks(call: Call, given: GetActiveTasks) -> tuple[TaskList, str]:
    """What is to be done, most urgent first, then newest."""
    tasks = tasking.active_tasks(call.actor, call.project_or_none(given.project))
    if given.frame:
        tasks = tasks.filter(frame=call.named_frame(given.frame))
    if given.status != "any":
        tasks = tasks.filter(status=given.status)
    if given.priority != "any":
        tasks = tasks.filter(priority=given.priority)
    for word in given.search.split():
        tasks = tasks.filter(title__icontains=word)
    tasks = _after(call, tasks.annotate(rank=RANK), given.cursor)
    ordered = tasks.select_related("project").order_by("-rank", "-opened_at", "-id")
    found = list(ordered[: given.limit + 1])
    page = found[: given.limit]
    more = str(page[-1].pk) if len(found) > given.limit else None
    words = listed([f"{task.pk} {_said(task)}" for task in page], "No open tasks.")
    words += f"\nMore: cursor={more}" if more else ""
    return TaskList(tasks=[task_shape(task) for task in page], next=more), words


def _after(call: Call, tasks: Any, cursor: str) -> Any:
    """What comes after the task that is the cursor."""
    if not cursor:
        return tasks
    try:
        last = find_task(call.actor, cursor, field="cursor")
    except NotFound:
        words = "Not a cursor of this list; leave it out to begin."
        raise Refusal("invalid", words, field="cursor") from None
    rank = RANKS.get(last.priority, 0)
    return tasks.filter(
        Q(rank__lt=rank)
        | Q(rank=rank, opened_at__lt=last.opened_at)
        | Q(rank=rank, opened_at=last.opened_at, id__lt=last.pk)
    )


class GetTaskMetrics(Given, kw_only=True):
    project: IN_PROJECT = ""


class TaskMetrics(Shape, kw_only=True):
    total: int
    by_status: dict[str, int]
    by_priority: dict[str, int]
    # 0 to 1.
    completion_rate: float
    mean_minutes: float | None = None
    # Above 1: things take less time than was thought.
    estimate_to_actual: float | None = None


@tool(title="Summarise tasks", read=True)
def get_task_metrics(call: Call, given: GetTaskMetrics) -> tuple[TaskMetrics, str]:
    """How many tasks there are by status and priority, how many get done, how good estimates are."""
    metrics = TaskMetrics(**tasking.task_metrics(call.actor, call.project_or_none(given.project)))
    words = f"{metrics.total} tasks, {metrics.completion_rate:.0%} completed."
    for counts in (metrics.by_status, metrics.by_priority):
        if counts:
            words += "\n" + ", ".join(f"{name}: {n}" for name, n in sorted(counts.items()))
    if metrics.mean_minutes is not None:
        words += f"\n{metrics.mean_minutes:.0f} minutes on average."
    return metrics, words


def _task(call: Call, ref: str) -> Task:
    try:
        return find_task(call.actor, ref)
    except NotFound as refusal:
        latest = tasking.active_tasks(call.actor).order_by("-opened_at")[:5]
        refusal.choices = [{"id": str(t.pk), "title": shorter(t.title, 100)} for t in latest]
        raise


def _said(task: Task) -> str:
    return f"“{shorter(one_line(task.title), 200)}” ({task.priority}, {task.status})"
