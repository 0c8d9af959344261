"""The files of an installation: looked for before anything is written, copied, and each compared."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from stackmemory.copying.named import KINDS, File, Kind
from stackmemory.copying.one_file import Outcome, take
from stackmemory.copying.places import SOURCE
from stackmemory.copying.progress import Marks
from stackmemory.copying.stores import Given, Store, stores

# So many at once, that a bucket far away is not waited for file by file; and so many a mark.
THREADS, BATCH = 8, 64


@dataclass
class Side:
    """Where the files of one store come from and go to, and how many are there."""

    source: Store
    target: Store
    files: int = 0
    octets: int = 0
    copied: int = 0

    def told(self) -> dict[str, Any]:
        return {
            "from": self.source.said, "to": self.target.said,
            "files": self.files, "bytes": self.octets, "copied": self.copied,
        }  # fmt: skip


@dataclass
class Files:
    """What is to be copied, and what came of it."""

    sides: dict[str, Side]
    # How many files the rows name; where files are left behind, how many rows.
    named: dict[str, int] = field(default_factory=dict)
    octets: int = 0
    faults: list[dict[str, str]] = field(default_factory=list)

    def report(self) -> dict[str, Any]:
        if not self.sides:
            return {"left_behind": self.named}
        return {name: side.told() for name, side in self.sides.items()}


def looked_for(given: Given, source: str, target: str) -> Files:
    """The files that the source's rows name. Raises CannotCopy where they cannot be, or cannot go."""
    places = {} if given.without else stores(given, source, target)
    found = Files({name: Side(*pair) for name, pair in places.items()})
    for kind in KINDS:
        side = found.sides.get(kind.store)
        number, octets = _counted(kind, side)
        found.octets += octets
        if number:
            found.named[kind.label] = number
    for name, side in found.sides.items():
        if any(kind.store == name and kind.label in found.named for kind in KINDS):
            side.source.must_have(name)
            side.target.must_take()
        elif _may_name_files(name):
            side.source.must_be_there(name)
    return found


def _may_name_files(store: str) -> bool:
    return any(kind.rows().using(SOURCE).exists() for kind in KINDS if kind.store == store)


def _counted(kind: Kind, side: Side | None) -> tuple[int, int]:
    if side is None:
        return kind.rows().using(SOURCE).count(), 0
    number = octets = 0
    for row in kind.each():
        for file in kind.files(row, side.source.storage):
            number, octets = number + 1, octets + file.size
    return number, octets


def copy(files: Files, marks: Marks, tick: Callable[[str, int], None]) -> None:
    """Copy those that are not there yet. What is wrong with one is told of it, and the rest goes on.

    Raises CannotCopy where the target cannot be read or written.
    """
    pool = ThreadPoolExecutor(THREADS)
    try:
        for kind in KINDS:
            if kind.label in files.named and files.sides:
                _copy(kind, files, marks, pool, tick)
    finally:
        pool.shutdown(cancel_futures=True)  # whoever stops it waits for what is on its way alone


def _copy(
    kind: Kind, files: Files, marks: Marks, pool: ThreadPoolExecutor,
    tick: Callable[[str, int], None],
) -> None:  # fmt: skip
    side = files.sides[kind.store]
    source, target = side.source, side.target
    # Files that are in one place are not in another.
    name = f"{kind.label} from {source.said} to {target.said}"
    mark, sound = marks.of(name), True
    side.files += mark.rows
    side.octets += mark.octets
    tick(f"copying {kind.label}", mark.octets)
    if mark.done:
        return
    rows = kind.each(mark.last)
    while batch := list(islice(rows, BATCH)):
        work = [(row, file) for row in batch for file in kind.files(row, source.storage)]
        outcomes: Iterator[Outcome] = pool.map(lambda each: take(each[1], source, target), work)
        for (row, file), outcome in zip(work, outcomes, strict=True):
            if outcome.problem:
                sound = False
                files.faults.append(_fault(kind, row, file, outcome))
                continue
            side.files, side.octets = side.files + 1, side.octets + outcome.size
            side.copied += outcome.copied
            if sound:
                mark.rows, mark.octets = mark.rows + 1, mark.octets + outcome.size
            tick(f"copying {kind.label}", outcome.size)
        if sound:
            mark.last = str(batch[-1].pk)
            marks.save(name)
    if sound:
        mark.done = True
        marks.save(name)


def _fault(kind: Kind, row: Any, file: File, outcome: Outcome) -> dict[str, str]:
    return {
        "file": file.name, "problem": outcome.problem, "whose": kind.told(row),
        "row": f"{row._meta.label} {row.pk}",
    }  # fmt: skip
