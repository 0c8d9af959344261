"""Each row of a store beside what was made of it here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from frames.cold import reading
from frames.ingest import event_id
from frames.models import Anchor, Event, Frame, KeptRow, Task, TransferItem
from frames.transfer.documents import EVENT
from frames.transfer.keeping import COVERED, OWN_PHASE, file_rows
from frames.transfer.locate import Store
from frames.transfer.remembering import DECISIONS, decision_file, decision_rows, is_told
from frames.transfer.rows import anchors, events, frames, kept, tasks
from frames.transfer.run import chunks
from frames.transfer.source import Source
from frames.transfer.tasks import CACHE, LOG, TaskSource, cache_name
from frames.transfer.timeline import differences
from frames.transfer.values import Row, identity_of, moment, unpack_row, whole
from workspaces.models import Workspace

Rebuild = Callable[[Any, Row], tuple[Row, list[str]]]
Named = tuple[int, str | None, Row]


@dataclass
class Pair:
    """A source row and ours. `altered`: columns kept beside whose shown value was changed."""

    table: str
    position: int
    name: str | None
    row: Row
    ours: Row | None = None
    altered: list[str] = field(default_factory=list)
    # Our row, and how to rebuild the source's from it, where there is more than words to it.
    found: Any = None
    rebuild: Rebuild | None = None

    @property
    def label(self) -> str:
        return self.name or f"row {self.position}"

    @property
    def differing(self) -> list[str]:
        if self.ours is None:
            return []
        return [*differences(self.ours, self.row), *self.altered]

    @property
    def is_same(self) -> bool:
        return self.ours is not None and not self.differing

    def again(self, found: Any) -> Pair:
        """The same source row beside another state of ours."""
        pair = Pair(self.table, self.position, self.name, self.row, None, [], found, self.rebuild)
        if found is not None and self.rebuild is not None:
            pair.ours, pair.altered = self.rebuild(found, self.row)
        return pair


class Comparison:
    """Pairs of one database of a store; `store` names the files beside it, for the first one."""

    def __init__(self, workspace: Workspace, source: Source, store: Store | None) -> None:
        self.workspace, self.source, self.store = workspace, source, store

    def pairs(self) -> Iterator[tuple[str, list[Pair]]]:
        """Chunks of pairs, each under the line of the report it counts for."""
        source = self.source
        yield from (("frames", chunk) for chunk in self._frames())
        yield from (("events", chunk) for chunk in self._events())
        rows = source.rows("anchors")
        yield from self._anchors("anchors", Anchor.Origin.ANCHOR, "anchors", rows)
        told = (item for item in source.rows("contexts") if is_told(item[1]))
        yield from self._anchors("contexts", Anchor.Origin.CONTEXT, "contexts", told)
        surroundings = (n for n in self._named("contexts") if not is_told(n[2]))
        yield from self._kept("contexts", "contexts", surroundings)
        yield from self._tasks()
        for table in ("traces", "tool_calls", *sorted(set(source.tables) - COVERED)):
            yield from self._kept(
                table if table in OWN_PHASE else "other", table, self._named(table)
            )
        if self.store is not None:
            yield from self._companions(self.store)

    def _companions(self, store: Store) -> Iterator[tuple[str, list[Pair]]]:
        if store.decisions is not None:
            rows = enumerate(decision_rows(store.decisions), start=1)
            yield from self._anchors("other", Anchor.Origin.SESSION_DECISION, DECISIONS, rows)
            name, row = decision_file(store.decisions)
            yield from self._kept("other", DECISIONS, [(0, name, row)])
        files = ((n, name, row) for n, (name, row) in enumerate(file_rows(store.side_files)))
        yield from self._kept("other", "files", files)

    def _frames(self) -> Iterator[list[Pair]]:
        query = Frame.objects.in_workspace(self.workspace).select_related("session", "parent")
        for chunk in chunks(self.source.rows("frames"), most=200):
            yield self._paired("frames", _with_ids(chunk, "frame_id"), query, self._frame)

    def _frame(self, frame: Frame, row: Row) -> tuple[Row, list[str]]:
        theirs = cache(lambda: self.source.events_of(row["frame_id"]))
        references = set(referred([frame.digest, frame.outputs]))
        ours = frames.frame_row(frame, events=events_of(self.workspace, frame, references))
        if references and differences(ours, row):
            # An event that is in conflict is here as it was, and kept beside as it is.
            ours = frames.frame_row(
                frame, events=events_of(self.workspace, frame, references, beside=True)
            )
        return ours, frames.hidden(frame, row, events=theirs)

    def _events(self) -> Iterator[list[Pair]]:
        query = events.with_origin(Event.objects.in_workspace(self.workspace))
        for chunk in chunks(self.source.rows("events"), most=1000):
            named = _with_ids(chunk, "event_id")
            by_id = {
                event_id(self.workspace, name, at, whole(row["seq"]) or 0)
                for _, name, row in named
                if name and (at := moment(row["ts"])) is not None
            }
            there = {e.pk: e for e in query.filter(pk__in=by_id)}
            cold = reading.find(self.workspace.pk, by_id - there.keys())
            found = {
                e.source_id: e for e in [*there.values(), *events.give_origin([*cold.values()])]
            }
            rest = [(name, row) for _, name, row in named if name and name not in found]
            if rest:
                in_frames = {identity_of(row["frame_id"]) or "" for _, row in rest}
                moved = query.filter(
                    frame__source_id__in=in_frames, source_id__in=[name for name, _ in rest]
                )
                found |= {event.source_id: event for event in moved}
                found |= events.moved_cold(
                    self.workspace.pk, {"source_id__in": in_frames},
                    {name for name, _ in rest if name not in found},
                )  # fmt: skip
            yield _pairs("events", named, found, _event)

    def _anchors(
        self, kind: str, origin: str, table: str, rows: Iterator[tuple[int, Row]]
    ) -> Iterator[tuple[str, list[Pair]]]:
        key = "anchor_id" if origin == Anchor.Origin.ANCHOR else "id"
        query = Anchor.objects.in_workspace(self.workspace).filter(origin=origin)
        for chunk in chunks(rows):
            named = _with_ids(chunk, key)
            yield kind, self._paired(table, named, query.select_related("frame"), _anchor)

    def _tasks(self) -> Iterator[tuple[str, list[Pair]]]:
        snapshots = TaskSource(self.source, self.store.tasks if self.store else None)
        query = Task.objects.in_workspace(self.workspace)
        cached = ((n, row) for n, row, counts in snapshots.cached() if counts)
        for rows in (cached, snapshots.newest_lines()):
            for chunk in chunks(rows):
                packed = [(position, tasks.packable(row)) for position, row in chunk]
                yield "tasks", self._paired("tasks", _with_ids(packed, "id"), query, _task)
        passed_over = (
            (n, cache_name(row), row) for n, row, counts in snapshots.cached() if not counts
        )
        yield from self._kept("other", CACHE, passed_over)
        names = kept.Names(self.source, LOG)
        lines = ((n, {"line": text}) for n, _, _, text in snapshots.lines())
        named = (
            (n, f"line {n}" if n in snapshots.broken else name, line)
            for n, name, line in ((n, names.name(line), line) for n, line in lines)
        )
        yield from self._kept("other", LOG, named)

    def _named(self, table: str) -> Iterator[Named]:
        names = kept.Names(self.source, table)
        return ((position, names.name(row), row) for position, row in self.source.rows(table))

    def _kept(
        self, kind: str, table: str, rows: Iterable[tuple[int, str, Row]] | Iterable[Named]
    ) -> Iterator[tuple[str, list[Pair]]]:
        query = KeptRow.objects.in_workspace(self.workspace).filter(table=kept.label(table))
        names: dict[int, str | None] = {}

        def remembered() -> Iterator[tuple[int, Row]]:
            for position, name, row in rows:
                names[position] = name
                yield position, row

        for chunk in chunks(remembered()):
            named = [(position, names.pop(position), row) for position, row in chunk]
            # One name may stand in several projects; the one with this very content is meant.
            found: dict[str, list[Row]] = {}
            for kept_row in query.filter(source_id__in=[name for _, name, _ in named]):
                row = kept.kept_row(kept_row.content)
                found.setdefault(kept_row.source_id, []).append(row)
            yield (
                kind,
                [
                    Pair(table, position, name, row, _closest(found.get(name or "", []), row))
                    for position, name, row in named
                ],
            )

    def _paired(self, table: str, named: list[Named], query: Any, rebuild: Rebuild) -> list[Pair]:
        found = query.filter(source_id__in=[name for _, name, _ in named if name])
        return _pairs(table, named, {row.source_id: row for row in found}, rebuild)


def _pairs(
    table: str, named: list[Named], found: Mapping[str, Any], rebuild: Rebuild
) -> list[Pair]:
    return [
        Pair(table, position, name, row, rebuild=rebuild).again(found.get(name or ""))
        for position, name, row in named
    ]


def _event(event: Event, row: Row) -> tuple[Row, list[str]]:
    return events.event_row(event), events.hidden(event, row)


def _anchor(anchor: Anchor, row: Row) -> tuple[Row, list[str]]:
    return anchors.anchor_row(anchor), anchors.hidden(anchor, row)


def _task(task: Task, row: Row) -> tuple[Row, list[str]]:
    return tasks.packable(tasks.task_row(task)), tasks.hidden(task, row)


def _with_ids(chunk: list[tuple[int, Row]], key: str) -> list[Named]:
    return [(position, identity_of(row.get(key)), row) for position, row in chunk]


def _closest(candidates: list[Row], row: Row) -> Row | None:
    same = (candidate for candidate in candidates if not differences(candidate, row))
    return next(same, candidates[0] if candidates else None)


def events_of(
    workspace: Workspace, frame: Frame, wanted: set[str], *, beside: bool = False
) -> Mapping[str, Row]:
    """The events of a frame that its documents refer to, as rows of the source.

    `beside` takes those in conflict as they were in the source, not as they are here.
    """
    if not wanted:
        return {}
    query = Event.objects.in_workspace(workspace).filter(frame=frame)
    found = {
        e.source_id: events.event_row(e)
        for e in events.with_origin(query).iterator(chunk_size=500)
        if e.source_id in wanted
    }
    if frame.cold_count:
        cold = events.moved_cold(workspace.pk, {"pk": frame.pk}, wanted)
        found |= {name: events.event_row(event) for name, event in cold.items()}
    if beside:
        kept_items = TransferItem.objects.in_workspace(workspace).filter(
            table="events", category="conflict", source_id__in=wanted
        )
        found |= {item.source_id: unpack_row(item.content) for item in kept_items}
    return found


def referred(value: Any) -> Iterator[str]:
    """Ids of the events that a shortened document refers to."""
    if isinstance(value, list):
        for item in value:
            yield from referred(item)
    elif isinstance(value, dict):
        if list(value) == [EVENT]:
            yield str(value[EVENT])
        else:
            yield from referred(list(value.values()))
