"""Importing events."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from frames import partitions
from frames.ingest import NewEvent, append_events, event_id
from frames.models import Event, Project
from frames.transfer.draft import Draft
from frames.transfer.rows.events import event_fields, event_row
from frames.transfer.run import Run, chunks
from frames.transfer.source import Source, quote
from frames.transfer.stacks import Place, Stacks
from frames.transfer.values import Row, identity_of, same


@dataclass(slots=True)
class Arrival:
    """One event on its way in."""

    source_id: str
    row: Row
    draft: Draft
    place: Place
    event: NewEvent


class Timeline:
    """Imports the events of a store in batches."""

    def __init__(self, run: Run, source: Source, stacks: Stacks) -> None:
        self.run, self.source, self.stacks = run, source, stacks
        self.duplicates = duplicate_seqs(source)
        self.months = partitions.existing()

    def import_events(self) -> None:
        run = self.run
        rows = self.source.rows("events", after=run.position("events"))
        for chunk in chunks(rows, most=2000):
            self._ensure_months(row for _, row in chunk)
            with run.batch("events", chunk[-1][0], len(chunk)):
                self._write(chunk)

    def _ensure_months(self, rows: Iterable[Row]) -> None:
        """Before the batch, because making a month locks the whole table for a moment."""
        if not self.run.writes:
            return
        now = self.run.now
        times = (Draft({"ts": row["ts"]}, now).time("ts") for row in rows)
        wanted = {partitions.month_of(at) for at in times if at is not None} - self.months
        if wanted:
            partitions.ensure(wanted)
            self.months |= wanted

    def _write(self, chunk: list[tuple[int, Row]]) -> None:
        run = self.run
        run.count("events", "read", len(chunk))
        arrivals: dict[uuid.UUID, Arrival] = {}
        for position, row in chunk:
            draft = Draft(row, run.now)
            source_id = draft.identity("event_id")
            if source_id is None:
                run.count("events", "set_aside")
                run.set_aside("events", f"row {position}", "no_id", row)
                continue
            if position in self.duplicates:
                draft.note("duplicate_seq")
            arrival = self._arrival(source_id, row, draft)
            twin = arrivals.setdefault(arrival.event.id, arrival)
            if twin is not arrival:
                self._again(arrival, [] if twin.row == row else None)
        there = self._there(list(arrivals.values()))
        new = []
        for arrival in arrivals.values():
            if arrival.source_id in there:
                self._again(arrival, differences(there[arrival.source_id], arrival.row))
            else:
                new.append(arrival)
        if run.writes:
            inserted = append_events(workspace=run.workspace, rows=[a.event for a in new])
            new = self._inserted(new, inserted)
        for arrival in new:
            run.count("events", "imported")
            run.note("events", arrival.source_id, arrival.draft)

    def _arrival(self, source_id: str, row: Row, draft: Draft) -> Arrival:
        run = self.run
        place = self._place(row, draft)
        fields = event_fields(draft, fallback=place.started, run_id=place.run_id)
        at = fields["occurred_at"]
        event = NewEvent(
            id=event_id(run.workspace, source_id, at, fields["seq"]),
            project_id=place.project_id,
            frame_id=place.id,
            session_id=self._session_id(row, place, at),
            **fields,
        )
        return Arrival(source_id, row, draft, place, event)

    def _place(self, row: Row, draft: Draft) -> Place:
        frame_id = identity_of(row["frame_id"]) or ""
        place = self.stacks.places.get(frame_id)
        if place is None:
            at = draft.time("ts") or self.run.now
            if self.run.writes:
                partitions.ensure([partitions.month_of(at)])
            main: Project = self.stacks.projects.main
            place = self.stacks.placeholder(frame_id, project=main, at=at)
        if place.run_id is None and frame_id not in self.stacks.plan.nodes:
            draft.note("missing_frame")
        return place

    def _session_id(self, row: Row, place: Place, at: Any) -> uuid.UUID | None:
        run_id = identity_of(row["run_id"])
        if run_id is None:
            return place.session_id
        session = self.stacks.sessions.get((place.project_id, run_id))
        if session is None:
            project = self.stacks.project(place.project_id)
            session = self.stacks.session(project, run_id, at, at)
        elif at > session.last_seen_at or at < session.started_at:
            self.stacks.widen(session, at, at)
        return session.id if session else None

    def _there(self, arrivals: list[Arrival]) -> dict[str, Row]:
        """Of these events, the ones imported before, as rows of the source, by source id.

        Looked up by id; and where time or number changed since, which are part of the id, among
        the events of their frame. Frames that this run made cannot have any.
        """
        old = [a for a in arrivals if not a.place.new]
        if not old:
            return {}
        events = Event.objects.in_workspace(self.run.workspace).select_related("frame__session")
        found = {e.source_id: e for e in events.filter(pk__in=[a.event.id for a in old])}
        rest = [a for a in old if a.source_id not in found]
        if rest:
            moved = events.filter(
                frame__in={a.place.id for a in rest}, source_id__in=[a.source_id for a in rest]
            )
            found |= {event.source_id: event for event in moved}
        return {source_id: source_row(event) for source_id, event in found.items()}

    def _again(self, arrival: Arrival, differing: list[str] | None) -> None:
        """An event that is there already; `differing` columns make it a conflict."""
        run = self.run
        if differing == []:
            run.count("events", "existing")
            return
        run.count("events", "conflict")
        reason = "twice" if differing is None else "other_content"
        run.conflict("events", arrival.source_id, reason, arrival.row)

    def _inserted(self, new: list[Arrival], inserted: set[uuid.UUID]) -> list[Arrival]:
        """Those really inserted. Another id may have been there: two ids of one hash, or a rival."""
        missed = [a for a in new if a.event.id not in inserted]
        if missed:
            events = Event.objects.in_workspace(self.run.workspace).select_related("frame__session")
            found = {e.id: e for e in events.filter(pk__in=[a.event.id for a in missed])}
            for arrival in missed:
                row = source_row(found[arrival.event.id])
                self._again(arrival, differences(row, arrival.row))
        return [a for a in new if a.event.id in inserted]


def source_row(event: Event) -> Row:
    """The row of the store that an event was imported from."""
    frame = event.frame
    run_id = frame.session.source_id if frame.session else None
    return event_row(event, frame_id=frame.source_id, run_id=run_id)


def differences(ours: Row, theirs: Row) -> list[str]:
    """The columns of the source's row that ours does not say the same of."""
    return [c for c, value in theirs.items() if c not in ours or not same(ours[c], value)]


def duplicate_seqs(source: Source) -> set[int]:
    """Positions of events whose number another event of their frame had before."""
    if not {"frame_id", "seq"} <= set(source.tables.get("events", [])):
        return set()
    rowid = source.rowid("events")
    sql = (
        f"SELECT p FROM (SELECT {rowid} AS p, row_number() OVER"
        f" (PARTITION BY frame_id, seq ORDER BY {rowid}) AS n FROM {quote('events')}) WHERE n > 1"
    )
    return {position for (position,) in source.connection.execute(sql)}
