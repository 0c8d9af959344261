"""`manage.py reindex`: documents and vectors for what lacks them, or all anew."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from frames.models import Anchor, Event, Frame, Task
from search import vectors
from search.embedders import embedder
from search.embedding import embed_all, lacking
from search.indexing import reindex
from stackmemory.lib.tenancy import workspace_scope
from workspaces.models import Workspace


class Command(BaseCommand):
    help = "Makes the documents that search lacks, and their vectors. Safe to stop and run again."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--workspace", metavar="SLUG", help="only this one")
        parser.add_argument(
            "--all", action="store_true", help="all documents, not only missing ones"
        )

    def handle(self, *args: Any, workspace: str | None, all: bool, **options: Any) -> None:
        wanted = Workspace.objects.filter(deleted_at=None).order_by("slug")
        if workspace:
            wanted = wanted.filter(slug=workspace)
            if not wanted:
                raise CommandError(f"There is no workspace “{workspace}”.")
        for each in wanted:
            self.one(each, everything=all)

    def one(self, workspace: Workspace, *, everything: bool) -> None:
        with workspace_scope(workspace.pk, reading=True):
            total = sum(
                m.unscoped.filter(workspace=workspace).count() for m in (Frame, Anchor, Task, Event)
            )
        progress = Progress(self, f"{workspace.slug}: looked through", total)
        written = reindex(workspace=workspace, everything=everything, on_progress=progress)
        self.stdout.write(f"{workspace.slug}: {written} documents written")
        model = embedder()
        if model is None:
            return
        with workspace_scope(workspace.pk, reading=True):
            before = {each.model for each in vectors.sets_of(workspace) if each.is_complete}
            total = lacking(workspace, model.name).count()
        progress = Progress(self, f"{workspace.slug}: vectors", total)
        made = embed_all(workspace=workspace, model=model, on_progress=progress)
        self.stdout.write(f"{workspace.slug}: {made} vectors by {model.name}")
        with workspace_scope(workspace.pk, reading=True):
            after = {each.model for each in vectors.sets_of(workspace) if each.is_complete}
        for old in sorted(before - after):
            self.stdout.write(
                f"{workspace.slug}: searched by {model.name} from now on; the vectors by {old} go"
                " in an hour"
            )


class Progress:
    """A line now and then: every twentieth part of the whole."""

    def __init__(self, command: BaseCommand, what: str, total: int) -> None:
        self.command, self.what, self.total = command, what, max(total, 0)
        self.done = self.told = 0

    def __call__(self, more: int) -> None:
        self.done += more
        if self.done - self.told >= max(self.total // 20, 500):
            self.told = self.done
            self.command.stdout.write(f"{self.what} {self.done} of {max(self.total, self.done)}")
