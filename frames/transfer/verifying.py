"""Verifying an import: every source row is rebuilt from ours and compared, value by value."""

from __future__ import annotations

import hashlib
import json
from contextlib import ExitStack
from copy import copy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.core.exceptions import FieldDoesNotExist

from frames.models import Anchor, Revision, TransferItem
from frames.transfer.comparing import Comparison, Pair
from frames.transfer.failing import in_a_sentence
from frames.transfer.gone import Gone
from frames.transfer.local_schema import DERIVED
from frames.transfer.locate import locate
from frames.transfer.opening import open_store
from frames.transfer.plan import make_plan
from frames.transfer.remembering import DECISIONS
from frames.transfer.rows import kept
from frames.transfer.rows.frames import frame_hash
from frames.transfer.run import TABLES, conflict_name
from frames.transfer.values import digest, pack_row
from stackmemory.lib.tenancy import workspace_scope
from workspaces.models import Workspace

NAMED = 100
ORIGINS = {
    "anchors": Anchor.Origin.ANCHOR,
    "contexts": Anchor.Origin.CONTEXT,
    DECISIONS: Anchor.Origin.SESSION_DECISION,
}
PLACE = {"parent_frame_id", "depth"}
COUNTS = ("read", "same", "changed", "conflict", "set_aside", "differs", "missing")


class Sum:
    """A checksum of rows in any order: their SHA-256 added up, modulo 2**256.

    A store that was written anew holds the same rows in another order.
    """

    def __init__(self) -> None:
        self.total = 0

    def update(self, row: bytes) -> None:
        self.total += int.from_bytes(hashlib.sha256(row).digest(), "big")

    def hexdigest(self) -> str:
        return f"{self.total % 2**256:064x}"


@dataclass
class Verdict:
    """What came of one table. `differing` names at most NAMED rows; `differs` counts all."""

    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COUNTS, 0))
    differing: list[dict[str, Any]] = field(default_factory=list)
    theirs: Sum = field(default_factory=Sum)
    ours: Sum = field(default_factory=Sum)

    def as_json(self) -> dict[str, Any]:
        return self.counts | {
            "source_checksum": self.theirs.hexdigest(),
            "workspace_checksum": self.ours.hexdigest(),
        }


def verify_import(*, workspace: Workspace, path: Path) -> dict[str, Any]:
    """Compare the store at `path` with what `workspace` holds of it.

    The report's status is "ok" when every source row is here as it is there: in its own row, in
    an earlier revision of one that people have since changed (`changed`), or kept beside as a
    conflict or set aside; or is of something that was erased here (`erased`). Otherwise it is "differs" and the rows are named. Raises BadStore like
    the import.
    """
    with in_a_sentence(), ExitStack() as stack:
        store = locate(path)
        sources = open_store(store, stack)
        with workspace_scope(workspace.id):
            judge = _Judge(workspace)
            for number, source in enumerate(sources):
                comparison = Comparison(workspace, source, store if number == 0 else None)
                gone = Gone(workspace, source, make_plan(source))
                gone.settle(())
                for kind, pairs in comparison.pairs():
                    judge.judge(judge.verdicts[kind], pairs, gone)
    bad = any(v.counts["differs"] or v.counts["missing"] for v in judge.verdicts.values())
    return {
        "status": "differs" if bad else "ok",
        "tables": {name: verdict.as_json() for name, verdict in judge.verdicts.items()},
        "differing": [row for verdict in judge.verdicts.values() for row in verdict.differing],
    }


class _Judge:
    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.verdicts = {table: Verdict() for table in TABLES}

    def judge(self, verdict: Verdict, pairs: list[Pair], gone: Gone) -> None:
        beside = self._kept_beside([pair for pair in pairs if not pair.is_same])
        for pair in pairs:
            outcome = self._outcome(pair, beside)
            if outcome == "missing" and _was_erased(pair, gone):
                outcome = "erased"
            if outcome == "differs" and _moved_up(pair, gone):
                outcome = "erased"
            expected = frame_hash(pair.row) if pair.table == "frames" else digest(pair.row)
            verdict.counts["read"] += 1
            verdict.counts[outcome] = verdict.counts.get(outcome, 0) + 1
            # What a tool makes of its rows by itself is in no sum: a store that is written anew has
            # it made anew, in other words.
            is_derived = pair.table.startswith(DERIVED)
            if not is_derived:
                verdict.theirs.update(expected.encode())
            if outcome not in ("differs", "missing"):
                if outcome != "erased" and not is_derived:
                    verdict.ours.update(expected.encode())
                continue
            if pair.ours is not None:
                picked = {column: pair.ours.get(column) for column in pair.row}
                altered = ",".join(pair.altered)
                verdict.ours.update(digest(picked | {"": altered}).encode())
            if len(verdict.differing) < NAMED:
                where = {"table": pair.table, "id": pair.label, "outcome": outcome}
                verdict.differing.append(where | {"columns": pair.differing})

    def _outcome(self, pair: Pair, beside: set[tuple[str, str, str]]) -> str:
        if pair.is_same:
            return "same"
        if any(key in beside for key in _keys(pair)):
            return "set_aside" if pair.name is None or pair.ours is None else "conflict"
        if pair.ours is None:
            return "missing"
        return "changed" if self._was_once(pair) else "differs"

    def _kept_beside(self, pairs: list[Pair]) -> set[tuple[str, str, str]]:
        """(table, id, content) of what transfers keep of these rows: conflicts, and set aside."""
        keys = {key for pair in pairs for key in _keys(pair)}
        if not keys:  # as with nearly every chunk of a store that is here as it is there
            return set()
        items = TransferItem.objects.in_workspace(self.workspace).filter(
            category__in=(TransferItem.Category.CONFLICT, TransferItem.Category.SET_ASIDE),
            table__in={table for table, _, _ in keys},
            source_id__in={name for _, name, _ in keys},
        )
        return {(item.table, item.source_id, _text(item.content)) for item in items}

    def _was_once(self, pair: Pair) -> bool:
        """Whether the row was changed here since, and an earlier state of it is the source's."""
        if pair.found is None:
            return False
        revisions = Revision.objects.in_workspace(self.workspace).filter(object_id=pair.found.pk)
        past = copy(pair.found)
        for revision in revisions.order_by("-valid_to", "-id"):
            for name, value in revision.data.items():
                _set(past, name, value)
            if pair.again(past).is_same:
                return True
        return False


def _was_erased(pair: Pair, gone: Gone) -> bool:
    name, row = pair.name or "", pair.row
    if pair.table == "frames":
        return gone.has_frame(name)
    if pair.table == "tasks":
        return gone.has_task(name, row)
    if (origin := ORIGINS.get(pair.table)) and gone.has_anchor(origin, name, row):
        return True
    return gone.has_row(pair.table, row)


def _moved_up(pair: Pair, gone: Gone) -> bool:
    """Whether it is as in the source but for its place, since what it hung below was erased."""
    is_moved = pair.table == "frames" and set(pair.differing) <= PLACE
    return is_moved and gone.has_frame(pair.name)


def _set(row: Any, name: str, value: Any) -> None:
    """Give a field the value a revision holds of it; what is no field of the row has no say."""
    try:
        column = row._meta.get_field(name)
    except FieldDoesNotExist:
        return
    setattr(row, column.attname, column.to_python(value))


def _keys(pair: Pair) -> list[tuple[str, str, str]]:
    content = _text(pack_row(pair.row))
    table = kept.label(pair.table)
    return [(table, name, content) for name in (pair.label, conflict_name(pair.label, pair.row))]


def _text(content: Any) -> str:
    return json.dumps(content, sort_keys=True)
