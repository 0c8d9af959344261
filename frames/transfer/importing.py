"""Importing a local store: the one function behind the command and the page."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from django.utils import timezone

from frames.models import Project, Transfer
from frames.signals import changed
from frames.transfer.errors import Cancelled
from frames.transfer.failing import in_a_sentence, told
from frames.transfer.keeping import Keeper
from frames.transfer.locate import Store, locate
from frames.transfer.opening import companion_rows, mark_of, open_store
from frames.transfer.plan import make_plan
from frames.transfer.projects import Projects, check_slug, choose_projects
from frames.transfer.remembering import Remembering, decision_rows
from frames.transfer.run import Progress, Run
from frames.transfer.source import Source
from frames.transfer.stacks import Stacks
from frames.transfer.tasks import Tasks
from frames.transfer.timeline import Timeline
from stackmemory.lib.locks import transaction_lock
from stackmemory.lib.tenancy import workspace_scope
from workspaces import audit, news
from workspaces.models import User, Workspace

RESUMABLE = (Transfer.State.WAITING, Transfer.State.CHECKING, Transfer.State.RUNNING,
             Transfer.State.FAILED, Transfer.State.CANCELLED)  # fmt: skip


@dataclass(frozen=True)
class Options:
    """How to import. `project` is a slug; without one the repository's name makes one."""

    project: str | None = None
    keep_project_ids: bool = False
    dry_run: bool = False

    def as_json(self) -> dict[str, Any]:
        return {"project": self.project, "keep_project_ids": self.keep_project_ids}


def import_stackmemory(
    *,
    workspace: Workspace,
    path: Path,
    options: Options,
    user: User | None = None,
    transfer: Transfer | None = None,
    on_progress: Progress | None = None,
) -> dict[str, Any]:
    """Bring every row of the store at `path` into `workspace`; return the report.

    Idempotent, and resumable after being killed at any moment: run it again. `transfer` is the
    row to report progress on, where a page has made it already. Raises BadStore with one sentence
    for a person, Cancelled when somebody cancelled; both leave what was written for a rerun.
    """
    began = timezone.now()
    if options.project is not None:
        check_slug(options.project)
    with ExitStack() as stack:
        with in_a_sentence():
            store = locate(path)
            sources = open_store(store, stack)
            mark = mark_of(store, sources)
        if options.dry_run:
            run = Run(workspace, None, on_progress)
            with in_a_sentence():
                _import(run, store, sources, options)
            return report(run, store, "dry-run", began)
        transfer = _begin(workspace, store, mark, options, user, transfer)
        with told(transfer):
            run = Run(workspace, transfer, on_progress)
            _import(run, store, sources, options)
            told_in_full = report(run, store, "done", began) | {"transfer": str(transfer.id)}
            _end(transfer, run, told_in_full)
        return told_in_full


def _begin(
    workspace: Workspace,
    store: Store,
    mark: str,
    options: Options,
    user: User | None,
    transfer: Transfer | None,
) -> Transfer:
    """The transfer to write to: the page's, or one of the same files that never got to its end."""
    with in_a_sentence(), workspace_scope(workspace.id):
        transaction_lock(f"import {workspace.id}")
        if transfer is None:
            query = Transfer.objects.in_workspace(workspace).filter(
                fingerprint=mark, state__in=RESUMABLE, options=options.as_json()
            )
            transfer = query.order_by("-id").first()
        else:
            transfer.refresh_from_db()
            if transfer.state == Transfer.State.CANCELLED:
                raise Cancelled
        if transfer is None:
            transfer = Transfer(
                workspace=workspace,
                name=store.name or store.database.name,
                options=options.as_json(),
                created_by=user,
            )
        if transfer.fingerprint != mark:
            transfer.fingerprint, transfer.tables, transfer.adjusted = mark, {}, {}
            transfer.done_rows = 0
        transfer.state, transfer.error, transfer.finished_at = Transfer.State.RUNNING, "", None
        begins = transfer.started_at is None
        transfer.started_at = transfer.started_at or timezone.now()
        transfer.save()
        if begins and transfer.kind == Transfer.Kind.IMPORT:
            audit.record(
                workspace=workspace,
                action="import.started",
                actor=user or transfer.created_by,
                target=transfer,
                after={"name": transfer.name, **options.as_json()},
            )
    return transfer


def _import(run: Run, store: Store, sources: list[Source], options: Options) -> None:
    run.total_rows = _total(store, sources)
    for number, source in enumerate(sources):
        # Positions are per file, where a folder holds several databases.
        run.file = f"{number}:{source.name}/" if number else ""
        _import_database(run, store, source, options, first=number == 0)


def _import_database(
    run: Run, store: Store, source: Source, options: Options, *, first: bool
) -> None:
    plan = make_plan(source)
    with workspace_scope(run.workspace.id):
        transaction_lock(f"import {run.workspace.id}")
        projects = choose_projects(
            workspace=run.workspace,
            source=source,
            store=store,
            old_ids=plan.projects,
            slug=options.project,
            keep_project_ids=options.keep_project_ids,
        )
        _save_projects(run, projects)
        stacks = Stacks(run, source, plan, projects)
    stacks.import_frames()
    Timeline(run, source, stacks).import_events()
    keeper = Keeper(run, source, projects.main, stacks.gone)
    remembering = Remembering(run, source, stacks, keeper)
    remembering.import_anchors()
    remembering.import_contexts()
    Tasks(run, source, stacks, keeper, store.tasks if first else None).import_tasks()
    keeper.import_table("traces", "traces")
    keeper.import_table("tool_calls", "tool_calls")
    keeper.import_others()
    if first:
        if store.decisions is not None:
            remembering.import_decisions(store.decisions)
        keeper.import_files(store.side_files)
    if run.writes:
        with workspace_scope(run.workspace.id):
            stacks.finish()


def _save_projects(run: Run, projects: Projects) -> None:
    if not run.writes:
        return
    for project in projects.made:
        if project._state.adding:
            project.save(force_insert=True)
        else:
            Project.objects.in_workspace(run.workspace).filter(pk=project.pk).update(
                aliases=project.aliases
            )
    transfer = run.transfer
    if transfer is not None and transfer.project_id is None:
        transfer.project = projects.main
        transfer.save(update_fields=["project"])


def _total(store: Store, sources: list[Source]) -> int:
    rows = sum(source.count(table) for source in sources for table in source.tables)
    if store.decisions is not None:
        rows += 1 + sum(1 for _ in decision_rows(store.decisions))
    return rows + sum(companion_rows(store))


def _end(transfer: Transfer, run: Run, told_in_full: dict[str, Any]) -> None:
    with workspace_scope(transfer.workspace_id):
        Transfer.objects.in_workspace(run.workspace).filter(pk=transfer.pk).update(
            state=Transfer.State.DONE,
            finished_at=timezone.now(),
            total_rows=run.done_rows,
            done_rows=run.done_rows,
            report=told_in_full,
        )
        transfer.refresh_from_db()
        changed(run.workspace)
        news.tell(
            run.workspace.pk, "import", "finished", [transfer.pk], project=transfer.project_id
        )
        if transfer.kind == Transfer.Kind.IMPORT:
            audit.record(
                workspace=run.workspace,
                action="import.finished",
                actor=transfer.created_by,
                target=transfer,
                after={table: counts["imported"] for table, counts in run.tables.items()},
            )


def report(run: Run, store: Store, status: str, began: datetime) -> dict[str, Any]:
    """The figures of a run, under the names docs/importing.md gives."""
    return {
        "status": status,
        "rows": run.tables,
        "adjusted": dict(run.adjusted),
        "other_tables": run.other,
        "left_out": store.left_out,
        "seconds": round((timezone.now() - began).total_seconds(), 3),
    }
