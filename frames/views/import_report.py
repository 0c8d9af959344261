"""What an import's report says, made from its Transfer row; the pages only lay it out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db.models import Count
from django.utils import timezone

from frames.models import Transfer, TransferItem
from frames.transfer import adjust

COLUMNS = ("read", "imported", "updated", "existing", "conflict", "set_aside")
TABLES = {
    "frames": "Frames",
    "events": "Events",
    "anchors": "Anchors",
    "contexts": "Contexts",
    "tasks": "Tasks",
    "traces": "Traces",
    "tool_calls": "Tool calls",
    "session_decisions": "Session decisions",
    "other": "Other tables",
}
SENTENCES: dict[str, dict[str, str]] = {
    TransferItem.Category.ADJUSTED: adjust.REASONS,
    TransferItem.Category.CONFLICT: adjust.CONFLICT,
    TransferItem.Category.SET_ASIDE: adjust.SET_ASIDE,
}
# A running import writes its row with every batch.
SILENT = timedelta(minutes=2)
SHOWN = 4000


@dataclass(frozen=True)
class Line:
    label: str
    counts: list[int]
    # Tables of no kind of ours, by name, with how many rows they have.
    parts: list[tuple[str, int]]


@dataclass(frozen=True)
class Summary:
    """Numbers of one import: its table of counts, and how fast it goes."""

    lines: list[Line]
    totals: list[int]
    rows: int
    percent: int
    rate: int | None
    remaining: timedelta | None
    took: timedelta | None
    silent: bool
    dry_run: bool
    adjusted: int
    # Rows of what was erased here, which are not taken again.
    erased: int = 0

    @property
    def imported(self) -> int:
        return self.totals[1] + self.totals[2]

    @property
    def existing(self) -> int:
        return self.totals[3]

    @property
    def conflicts(self) -> int:
        return self.totals[4]

    @property
    def set_aside(self) -> int:
        return self.totals[5]


@dataclass(frozen=True)
class Kind:
    """Rows of the report that have the same thing to say."""

    category: str
    table: str
    reason: str
    count: int

    @property
    def label(self) -> str:
        return label(self.reason)

    @property
    def sentence(self) -> str:
        return sentence(self.category, self.reason)

    @property
    def key(self) -> str:
        return f"{self.category}:{self.table}:{self.reason}"[:200]


def summary(transfer: Transfer) -> Summary:
    tables = transfer.tables if isinstance(transfer.tables, dict) else {}
    lines = [
        Line(
            TABLES.get(name, name.replace("_", " ").capitalize()),
            [_number(tables[name], column) for column in COLUMNS],
            _parts(tables[name]),
        )
        for name in sorted(tables.keys() - {"positions"}, key=_place)
    ]
    totals = [sum(line.counts[n] for line in lines) for n in range(len(COLUMNS))]
    silent = is_silent(transfer)
    heard = transfer.beat_at if transfer.is_over or silent else timezone.now()
    ended = transfer.finished_at or heard
    took = max(ended - transfer.started_at, timedelta()) if transfer.started_at else None
    rate = round(transfer.done_rows / took.total_seconds()) if took else None
    left = max(0, transfer.total_rows - transfer.done_rows)
    adjusted = transfer.adjusted if isinstance(transfer.adjusted, dict) else {}
    moving = transfer.state == Transfer.State.RUNNING and not silent
    whole = transfer.state == Transfer.State.DONE
    return Summary(
        lines=lines,
        totals=totals,
        rows=transfer.done_rows or totals[0],
        percent=100 if whole else min(99, transfer.done_rows * 100 // (transfer.total_rows or 1)),
        rate=rate,
        remaining=timedelta(seconds=left / rate) if moving and rate and left else None,
        took=took,
        silent=silent,
        dry_run=bool(transfer.options.get("dry_run")),
        adjusted=sum(n for n in adjusted.values() if isinstance(n, int)),
        erased=sum(_number(counts, "erased") for counts in tables.values()),
    )


def is_silent(transfer: Transfer) -> bool:
    """Whether it ought to run, yet has not been heard of for long: its worker has died."""
    at_work = transfer.state in (Transfer.State.CHECKING, Transfer.State.RUNNING)
    return at_work and transfer.beat_at < timezone.now() - SILENT


def kinds(transfer: Transfer) -> list[Kind]:
    """What the report's rows have to say, the gravest first. One query."""
    rows = (
        transfer.items.order_by().values_list("category", "table", "reason").annotate(n=Count("id"))
    )
    gravity = {
        TransferItem.Category.SET_ASIDE: 0,
        TransferItem.Category.CONFLICT: 1,
        TransferItem.Category.ADJUSTED: 2,
    }
    found = [Kind(*row) for row in rows]
    return sorted(found, key=lambda kind: (gravity.get(kind.category, 3), -kind.count, kind.reason))  # type: ignore[call-overload]


def chosen(kinds: Sequence[Kind], key: str) -> Kind | None:
    """The kind asked for, else the gravest."""
    return next((kind for kind in kinds if kind.key == key), kinds[0] if kinds else None)


def adjustments(transfer: Transfer) -> list[tuple[str, int]]:
    """What was adjusted and how often: all that a dry run, which keeps no rows, can say."""
    counts = transfer.adjusted if isinstance(transfer.adjusted, dict) else {}
    found = [(reason, n) for reason, n in counts.items() if isinstance(n, int) and n]
    return [
        (sentence(TransferItem.Category.ADJUSTED, reason), n)
        for reason, n in sorted(found, key=lambda pair: -pair[1])
    ]


def content_text(item: TransferItem) -> tuple[str, bool]:
    """The beginning of a row's content for the page, and whether there is more of it."""
    text = whole_text(item)
    return text[:SHOWN], len(text) > SHOWN


def whole_text(item: TransferItem) -> str:
    if item.content is None:
        return ""
    text = json.dumps(item.content, indent=2, ensure_ascii=False)
    # A lone surrogate can be kept as an escape but not be sent as UTF-8.
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def label(reason: str) -> str:
    """`duplicate_seq` → `duplicate seq`."""
    return reason.replace("_", " ")


def sentence(category: str, reason: str) -> str:
    """What the reason means; a reason that has no sentence is one itself."""
    return SENTENCES.get(category, {}).get(reason) or label(reason)


def _number(counts: Any, column: str) -> int:
    value = counts.get(column, 0) if isinstance(counts, dict) else 0
    return value if isinstance(value, int) else 0


def _parts(counts: Any) -> list[tuple[str, int]]:
    parts = counts.get("tables") if isinstance(counts, dict) else None
    if not isinstance(parts, dict):
        return []
    return sorted((str(name), n) for name, n in parts.items() if isinstance(n, int))


def _place(name: str) -> tuple[int, str]:
    names = list(TABLES)
    return (names.index(name) if name in names else len(names), name)
