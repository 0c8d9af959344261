"""Importing a local store: the one function behind the command and the page."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from frames.models import Project, Transfer
from frames.transfer.errors import BadStore, Cancelled
from frames.transfer.locate import Store, locate
from frames.transfer.notes import Notes, decision_rows
from frames.transfer.plan import make_plan
from frames.transfer.projects import Projects, check_slug, choose_projects
from frames.transfer.run import Progress, Run
from frames.transfer.snapshot import fingerprint, snapshot
from frames.transfer.source import Source
from frames.transfer.stacks import Stacks
from frames.transfer.timeline import Timeline
from stackmemory.lib.tenancy import workspace_scope
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
    store = locate(path)
    with ExitStack() as stack:
        sources = list(open_store(store, stack))
        _check(store, [source for source, _ in sources])
        mark = fingerprint([copy for _, copy in sources] + _companions(store))
        if options.dry_run:
            run = Run(workspace, None, on_progress)
            with _told_failures(None):
                _import(run, store, [source for source, _ in sources], options)
            return report(run, "dry-run", began)
        transfer = _begin(workspace, store, mark, options, user, transfer)
        run = Run(workspace, transfer, on_progress)
        with _told_failures(transfer):
            _import(run, store, [source for source, _ in sources], options)
        _end(transfer, run)
        return report(run, "done", began) | {"transfer": str(transfer.id)}


def open_store(store: Store, stack: ExitStack) -> Iterator[tuple[Source, Path]]:
    for database in (store.database, *store.side_databases):
        copy = stack.enter_context(snapshot(database))
        source = _source(database, copy)
        stack.callback(source.close)
        yield source, copy


def _source(database: Path, copy: Path) -> Source:
    bare_wal = copy.open("rb").read(20)[18:20] == b"\x02\x02"
    source = Source(copy, database.name)
    if bare_wal and not source.tables and not Path(f"{database}-wal").exists():
        source.close()
        raise BadStore(
            f"{database.name} has no tables, and its header says that its rows may still be in"
            f" {database.name}-wal, which is not beside it; bring that file too (best: close"
            " StackMemory, then copy the whole .stackmemory folder)."
        )
    return source


def _check(store: Store, sources: list[Source]) -> None:
    companions = bool(store.tasks or store.decisions)
    sources[0].check_schema(companions=companions)
    for source in sources[1:]:
        source.check_schema(companions=True)
    rows = sum(source.count(table) for source in sources for table in source.tables)
    if rows == 0 and not companions:
        raise BadStore(
            f"{sources[0].name} is an empty store: it has tables but no rows; there is nothing to"
            " import."
        )


def _companions(store: Store) -> list[Path]:
    return [path for path in (store.tasks, store.decisions) if path is not None]


def _begin(
    workspace: Workspace,
    store: Store,
    mark: str,
    options: Options,
    user: User | None,
    transfer: Transfer | None,
) -> Transfer:
    """The transfer to write to: the page's, or one of the same files that never got to its end."""
    with workspace_scope(workspace.id):
        if transfer is None:
            query = Transfer.objects.in_workspace(workspace).filter(
                fingerprint=mark, state__in=RESUMABLE, options=options.as_json()
            )
            transfer = query.order_by("-id").first()
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
        transfer.started_at = transfer.started_at or timezone.now()
        transfer.save()
    return transfer


def _import(run: Run, store: Store, sources: list[Source], options: Options) -> None:
    run.total_rows = _total(store, sources)
    for number, source in enumerate(sources):
        run.file = f"{source.name}/" if number else ""
        plan = make_plan(source)
        with workspace_scope(run.workspace.id):
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
        notes = Notes(run, source, stacks)
        notes.import_anchors()
        notes.import_contexts()
        notes.import_tasks(store.tasks if number == 0 else None)
        notes.import_kept("traces", "traces")
        notes.import_kept("tool_calls", "tool_calls")
        notes.import_others()
        if number == 0 and store.decisions is not None:
            notes.import_decisions(store.decisions)
        if number == 0:
            notes.import_files(store.side_files)
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
    if store.tasks is not None:
        with store.tasks.open("rb") as file:
            rows += sum(1 for line in file if line.strip())
    if store.decisions is not None:
        rows += len(list(decision_rows(store.decisions)))
    return rows + len(store.side_files)


@contextmanager
def _told_failures(transfer: Transfer | None) -> Iterator[None]:
    """What goes wrong on the way becomes a sentence, and is written to the transfer."""
    try:
        yield
    except Cancelled:
        raise
    except BadStore as problem:
        _fail(transfer, str(problem))
        raise
    except DatabaseError as problem:
        said = str(problem).strip().splitlines()[0] if str(problem).strip() else "no reason given"
        full = "full" in said or "No space left" in said
        mend = (
            "free some disk space there and run the import again; it goes on where it stopped"
            if full
            else "run the import again; it goes on where it stopped"
        )
        message = f"The workspace's database refused to go on ({said[:200]}); {mend}."
        _fail(transfer, message)
        raise BadStore(message) from problem
    except Exception as problem:
        _fail(transfer, f"Unexpected: {type(problem).__name__}: {problem}"[:500])
        raise


def _fail(transfer: Transfer | None, message: str) -> None:
    if transfer is None:
        return
    try:
        connection.ensure_connection()
        with transaction.atomic(), workspace_scope(transfer.workspace_id):
            Transfer.objects.in_workspace(transfer.workspace).filter(pk=transfer.pk).update(
                state=Transfer.State.FAILED, error=message, finished_at=timezone.now()
            )
    except DatabaseError:
        # The database itself is the trouble; the caller hears of the first failure all the same.
        connection.close()


def _end(transfer: Transfer, run: Run) -> None:
    with workspace_scope(transfer.workspace_id):
        transfer.refresh_from_db()
        transfer.state, transfer.finished_at = Transfer.State.DONE, timezone.now()
        transfer.total_rows = transfer.done_rows = run.done_rows
        transfer.save(update_fields=["state", "finished_at", "total_rows", "done_rows"])


def report(run: Run, status: str, began: Any) -> dict[str, Any]:
    """The figures of a run, under the names docs/importing.md gives."""
    return {
        "status": status,
        "rows": run.tables,
        "adjusted": dict(run.adjusted),
        "other_tables": run.other,
        "seconds": round((timezone.now() - began).total_seconds(), 3),
    }
