"""One run of an import: batches, each a transaction with its own progress, and what they count."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.utils import timezone

from frames.models import Transfer, TransferItem
from frames.transfer.draft import Draft
from frames.transfer.errors import Cancelled, TakenOver
from frames.transfer.values import Row, digest, pack_row
from stackmemory.lib.locks import commit_soon, transaction_lock
from stackmemory.lib.tenancy import workspace_scope
from workspaces import news
from workspaces.models import Workspace

TEXTS = (str, bytes)
TABLES = ("frames", "events", "anchors", "contexts", "tasks", "traces", "tool_calls", "other")
# And "erased", where some were: rows of what was erased here, which are not taken again.
COUNTS = ("read", "imported", "updated", "existing", "conflict", "set_aside")
Progress = Callable[["Run"], None]


class Run:
    """What every phase of an import shares.

    With `transfer` None nothing is written (a dry run), yet everything is read, decided and
    counted. Counts, adjustments and positions are saved with each batch, in its transaction; a
    later run of the same transfer begins with them and skips what they cover.
    """

    def __init__(
        self, workspace: Workspace, transfer: Transfer | None, on_progress: Progress | None = None
    ) -> None:
        self.workspace, self.transfer = workspace, transfer
        self.on_progress = on_progress
        self.now = timezone.now()
        self.total_rows = self.done_rows = 0
        self.tables: dict[str, dict[str, Any]] = {t: dict.fromkeys(COUNTS, 0) for t in TABLES}
        self.other: dict[str, int] = {}
        self.adjusted: Counter[str] = Counter()
        self.positions: dict[str, int] = {}
        # Which file the positions are of, where a folder holds several databases.
        self.file = ""
        # Names the process that is at it: written to the transfer, so that only one goes on.
        self.token = ""
        self._items: list[TransferItem] = []
        if transfer is not None:
            self._take_over(transfer)

    @property
    def writes(self) -> bool:
        return self.transfer is not None

    def position(self, table: str) -> int | None:
        """How far an earlier, broken-off run of this transfer came in a table; None: not begun."""
        return self.positions.get(self.file + table)

    def _take_over(self, transfer: Transfer) -> None:
        """Begin where the transfer stands; a process that was still at it will notice and stop."""
        with workspace_scope(self.workspace.id):
            transaction_lock(f"import {self.workspace.id}")
            transfer.refresh_from_db(fields=["tables", "adjusted", "done_rows"])
            tables = {name: dict(counts) for name, counts in transfer.tables.items() if counts}
            state = tables.pop("run", {})
            self.positions = state.get("positions", {})
            self.other = tables.get("other", {}).pop("tables", {})
            for table, counts in tables.items():
                self.tables[table].update(counts)
            self.adjusted.update(transfer.adjusted)
            self.done_rows = transfer.done_rows
            self.token = uuid.uuid4().hex
            self._save(transfer)

    @contextmanager
    def batch(self, table: str, position: int, rows: int) -> Iterator[None]:
        """A transaction that ends with the progress: `rows` more are done, up to `position`.

        Raises Cancelled when somebody asked for that, TakenOver when another process is at it.
        """
        with workspace_scope(self.workspace.id):
            if self.transfer is not None:
                commit_soon()
                transaction_lock(f"import {self.workspace.id}")
                self._claim(self.transfer)
            yield
            self.done_rows += rows
            self.positions[self.file + table] = position
            if self.transfer is not None:
                self._save(self.transfer)
        if self.on_progress is not None:
            self.on_progress(self)

    def count(self, table: str, outcome: str, number: int = 1) -> None:
        self.tables[table][outcome] = self.tables[table].get(outcome, 0) + number

    def note(self, table: str, source_id: str, draft: Draft | list[str]) -> None:
        """Count and list what was adjusted in one row."""
        for reason in draft.notes if isinstance(draft, Draft) else draft:
            self.adjusted[reason] += 1
            self._item(TransferItem.Category.ADJUSTED, table, source_id, reason, None)

    def conflict(self, table: str, source_id: str, reason: str, row: Row) -> None:
        """Keep a row beside. Where one id may have several, they are told apart by content."""
        several = reason == "twice" or table not in TABLES
        name = conflict_name(source_id, row) if several else source_id
        self._item(TransferItem.Category.CONFLICT, table, name, reason, row)

    def set_aside(self, table: str, source_id: str, reason: str, row: Row) -> None:
        self._item(TransferItem.Category.SET_ASIDE, table, source_id, reason, row)

    def _item(
        self, category: str, table: str, source_id: str, reason: str, row: Row | None
    ) -> None:
        if self.transfer is not None:
            self._items.append(
                TransferItem(
                    workspace=self.workspace,
                    transfer=self.transfer,
                    category=category,
                    table=table,
                    source_id=source_id,
                    reason=reason,
                    content=None if row is None else pack_row(row),
                )
            )

    def _claim(self, transfer: Transfer) -> None:
        query = Transfer.objects.in_workspace(self.workspace).select_for_update()
        found = query.filter(pk=transfer.pk).values_list("state", "tables").first()
        if found is None or found[0] == Transfer.State.CANCELLED:
            raise Cancelled
        if found[1].get("run", {}).get("token") != self.token:
            raise TakenOver("Another process is importing these files just now; let it finish.")

    def _save(self, transfer: Transfer) -> None:
        TransferItem.unscoped.bulk_create(self._items, batch_size=500, ignore_conflicts=True)
        self._items.clear()
        tables: dict[str, Any] = {name: dict(counts) for name, counts in self.tables.items()}
        tables["other"]["tables"] = self.other
        tables["run"] = {"token": self.token, "positions": self.positions}
        Transfer.objects.in_workspace(self.workspace).filter(pk=transfer.pk).update(
            tables=tables,
            adjusted=dict(self.adjusted),
            done_rows=self.done_rows,
            total_rows=self.total_rows,
            beat_at=timezone.now(),
        )
        news.tell(
            self.workspace.pk, "import", "progress", [transfer.pk], project=transfer.project_id
        )


def conflict_name(source_id: str, row: Row) -> str:
    return f"{source_id} #{digest(row)[:16]}"


def chunks(
    rows: Iterator[tuple[int, Row]], *, most: int = 1000, most_bytes: int = 4_000_000
) -> Iterator[list[tuple[int, Row]]]:
    """Groups of rows that are neither too many nor, together, too large to hold in memory."""
    chunk: list[tuple[int, Row]] = []
    size = 0
    for position, row in rows:
        chunk.append((position, row))
        size += sum([len(v) for v in row.values() if isinstance(v, TEXTS)])
        if len(chunk) >= most or size >= most_bytes:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk
